package bid

import (
	"context"
	"time"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/registry"
)

// authPause is how long an account rests after its credentials were refused.
const authPause = 30 * time.Second

// call runs one call to the marketplace with its own deadline. It is detached from the reconcile's context: a call in
// flight is finished, not abandoned, when the process is asked to stop. Refused credentials
// pause the whole account.
func call[T any](ctx context.Context, r *Reconciler, s *situation, do func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timeout())
	defer cancel()
	begun := r.Clock.Now()
	out, err := do(registry.WithTurn(ctx, s.turn()))
	if !registry.Unsent(err) {
		r.seats.heard(marketplaceOf(s.bid), r.Clock.Since(begun) < s.timeout())
	}
	if marketplace.ClassOf(err) == onebidv1.ErrorAuth {
		// Nothing of the account will work until a person mends the Secret, which ends the pause.
		s.conn.Limiter.Pause(r.Clock.Now().Add(authPause), onebidv1.ReasonAuthenticationFailed)
	}
	return out, err
}

func (s *situation) timeout() time.Duration {
	return time.Duration(s.marketplace.Spec.TimeoutSeconds) * time.Second
}

func (r *Reconciler) failure(s *situation, err error, attempt int32) bidding.Failure {
	class := marketplace.ClassOf(err)
	retry := s.marketplace.Spec.Retry
	delay := bidding.RetryDelay(retry, class, attempt, marketplace.RetryAfter(err), r.Jitter())
	return bidding.Failure{
		Class: class, Message: err.Error(), Attempt: attempt, Next: r.Wall.Now().Add(delay), ReviewAfter: retry.ManualReviewAfter,
	}
}

func refOf(bid *onebidv1.Bid) marketplace.Ref {
	return marketplace.Ref{BidID: bid.Status.Remote.BidID, PostingID: bid.Spec.PostingID}
}

func remoteOf(b marketplace.Bid, adopted bool) bidding.Remote {
	return bidding.Remote{ID: b.ID, URL: b.URL, PlacedAt: b.PlacedAt, State: b.State, Adopted: adopted}
}
