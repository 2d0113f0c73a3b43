package bid

import (
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/marketplace"
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
	out, err := do(ctx)
	r.seats.heard(marketplaceOf(s.bid), r.Clock.Since(begun) < s.timeout())
	if marketplace.ClassOf(err) == onebidv1.ErrorAuth {
		// Nothing of the account will work until a person mends the Secret, which ends the pause.
		s.conn.Limiter.Pause(r.Clock.Now().Add(authPause))
	}
	return out, err
}

// awake is false while the account as a whole is paused; the Bid then comes back when the pause is over. Reads need no
// more than that: each request of theirs waits for its own turn.
func (r *Reconciler) awake(s *situation) (reconcile.Result, bool) {
	at := s.conn.Limiter.PausedUntil()
	if !at.After(r.Clock.Now()) {
		return reconcile.Result{}, true
	}
	spread := time.Duration(r.Jitter() * float64(time.Second))
	return reconcile.Result{RequeueAfter: at.Sub(r.Clock.Now()) + spread}, false
}

func (s *situation) timeout() time.Duration {
	return time.Duration(s.marketplace.Spec.TimeoutSeconds) * time.Second
}

// paced waits for the account's turn to place or withdraw. It keeps a worker for a moment at the most: when the turn is
// further off, the Bid comes back then, and other marketplaces are not held up.
func (r *Reconciler) paced(ctx context.Context, s *situation) (reconcile.Result, bool) {
	if result, ok := r.awake(s); !ok {
		return result, false
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := s.conn.Limiter.Wait(ctx); err != nil {
		wait := max(marketplace.RetryAfter(err), time.Second)
		return reconcile.Result{RequeueAfter: wait + time.Duration(r.Jitter()*float64(time.Second))}, false
	}
	return reconcile.Result{}, true
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
