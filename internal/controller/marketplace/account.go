package marketplace

import (
	"context"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	contract "github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/account"
)

// Refused credentials are tried again seldom: a change of the Secret is noticed at once, but an account can also be
// unlocked at the marketplace.
const (
	refusedRetryInitial = time.Minute
	refusedRetryMax     = time.Hour
)

// identification is the marketplace's reply to the request for the account, which proves the credentials.
type identification struct {
	// asked is true once the present driver made the request.
	asked bool
	// requested is the value of the annotation reconcile-requested-at then.
	requested string
	// id may be "".
	id string
	// class of the failure, "" after success.
	class onebidv1.ErrorClass
	// failures in a row.
	failures int
	// next is when to ask again; zero when there is no need.
	next time.Time
}

// probe asks the marketplace for the account when that is due, or when its circuit breaker may be probed.
func (r *Reconciler) probe(ctx context.Context, s *state) {
	known := &s.entry.account
	now, requested := r.Clock.Now(), s.marketplace.Annotations[onebidv1.AnnotationReconcileRequestedAt]
	health, _ := r.Connections.Health(s.name())
	probeDue := !health.NextProbe.IsZero() && !now.Before(health.NextProbe)
	if s.entry.conn == nil || s.missing != "" || s.deleting() || !probeDue && !known.due(now, requested) {
		return
	}
	id, err := s.entry.conn.Identify(ctx)
	if account.Unsent(err) {
		known.next = r.Clock.Now().Add(max(contract.RetryAfter(err), time.Second))
		return // the rate limit allowed no request
	}
	if err != nil {
		ctrl.LoggerFrom(ctx).Info("The request for the marketplace's account failed", "error", err)
	}
	*known = known.after(id, err, s.marketplace.Spec.Retry, r.Clock.Now())
	known.requested = requested
}

func (a identification) due(now time.Time, requested string) bool {
	return !a.asked || a.requested != requested || (!a.next.IsZero() && !now.Before(a.next))
}

// after is the account once the request has ended. A known ID stays known through failures.
func (a identification) after(id string, err error, retry onebidv1.RetryPolicy, now time.Time) identification {
	if err == nil {
		return identification{asked: true, id: id}
	}
	a.asked, a.class = true, contract.ClassOf(err)
	a.failures++
	initial, most := time.Duration(retry.InitialSeconds)*time.Second, time.Duration(retry.MaxSeconds)*time.Second
	if a.class == onebidv1.ErrorAuth {
		initial, most = refusedRetryInitial, refusedRetryMax
	}
	a.next = now.Add(max(backoff(initial, most, a.failures), contract.RetryAfter(err)))
	return a
}

// backoff doubles from initial with each failure after the first.
func backoff(initial, most time.Duration, failures int) time.Duration {
	wait := max(initial, time.Second)
	for range failures - 1 {
		if wait >= most {
			break
		}
		wait *= 2
	}
	return min(wait, max(most, time.Second))
}
