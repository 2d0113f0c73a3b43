package marketplace

import (
	"context"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	contract "github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/account"
)

// Credentials that were refused are tried again seldom: most often somebody has to change the Secret, which is noticed
// at once, but an account can also be unlocked at the marketplace.
const (
	refusedRetryInitial = time.Minute
	refusedRetryMax     = time.Hour
)

// identification is what the marketplace said when it was asked who we are.
type identification struct {
	// asked is true once there was an answer, or none, for the present driver.
	asked bool
	// requested is the value of the annotation requestedAt when it was asked.
	requested string
	// id is what it said; it may be "".
	id string
	// class of the failure, "" after success.
	class onebidv1.ErrorClass
	// failures in a row.
	failures int
	// next is when to ask again; zero when there is no need to.
	next time.Time
}

// probe asks the marketplace for the account when that is due, and so proves the credentials.
func (r *Reconciler) probe(ctx context.Context, v *visit) {
	known := &v.entry.account
	now, requested := r.Clock.Now(), v.marketplace.Annotations[onebidv1.AnnotationReconcileRequestedAt]
	if v.entry.conn == nil || v.missing != "" || v.deleting() || !known.due(now, requested) && !r.unanswering(v, now) {
		return
	}
	id, err := v.entry.conn.Identify(ctx)
	if account.Unsent(err) {
		known.next = r.Clock.Now().Add(max(contract.RetryAfter(err), time.Second))
		return // nor does that it was not our turn
	}
	if err != nil {
		ctrl.LoggerFrom(ctx).Info("The marketplace was asked for the account and refused or did not answer", "error", err)
	}
	*known = known.after(id, err, v.marketplace.Spec.Retry, r.Clock.Now())
	known.requested = requested
}

// unanswering is true for a marketplace that did not answer and may be tried again: when no Bid does so, this does.
func (r *Reconciler) unanswering(v *visit, now time.Time) bool {
	health, _ := r.Connections.Health(v.name())
	return !health.NextProbe.IsZero() && !now.Before(health.NextProbe)
}

func (a identification) due(now time.Time, requested string) bool {
	return !a.asked || a.requested != requested || (!a.next.IsZero() && !now.Before(a.next))
}

// after is what is known once an answer has come. An account that was known stays known through failures.
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
