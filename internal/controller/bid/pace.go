package bid

import (
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/marketplace/account"
)

// priority is the Bid's place among those who wait for the account.
func (s *situation) priority() account.Priority {
	switch order := bidding.OrderOf(s.bid, s.posting); order.Urgency {
	case bidding.UrgencyWithdraw:
		return account.Priority{Class: account.PriorityWithdraw}
	case bidding.UrgencyPlace:
		return account.Priority{Deadline: order.By}
	default:
		return account.Priority{Class: account.PriorityBackground}
	}
}

// awake is false while no calls of the account are made; the Bid then comes back when that may be over, or is woken. Reads
// need no more than that: each request of theirs waits for its own turn.
func (r *Reconciler) awake(s *situation) (reconcile.Result, bool) {
	denial := s.conn.Denied(s.priority())
	return r.denied(denial), !denial.Denied()
}

func (r *Reconciler) denied(denial account.Denial) reconcile.Result {
	if !denial.Denied() {
		return reconcile.Result{}
	}
	spread := time.Duration(r.Jitter() * float64(time.Second))
	return reconcile.Result{RequeueAfter: max(denial.Until.Sub(r.Clock.Now()), time.Millisecond) + spread}
}

// paced waits for a request slot to place or withdraw, for a moment at the most. Why says what it waits for, "" when it has
// one.
func (r *Reconciler) paced(ctx context.Context, s *situation) (result reconcile.Result, why string) {
	denial := s.conn.AdmitWithdraw(ctx, s.priority())
	return r.denied(denial), denial.Reason
}

// rationed is paced for a Bid that is to be placed.
func (r *Reconciler) rationed(ctx context.Context, s *situation) (result reconcile.Result, why string) {
	denial := s.conn.AdmitPlace(ctx, s.priority(), s.bid.Spec.PostingID)
	return r.denied(denial), denial.Reason
}

const (
	// worthTelling is from how long a wait on the status says so.
	worthTelling = 10 * time.Second
	// wondering is at what age a Bid that nothing was said of says why it waits, however short its next wait is.
	wondering = 30 * time.Second
)

// waits says in the status what a Bid waits for, when that is long, and only once: a thousand Bids that wait cost a
// thousand writes, however often the account is paused. The Marketplace's status has the times.
func (r *Reconciler) waits(ctx context.Context, s *situation, pause reconcile.Result, why string) (reconcile.Result, error) {
	long := pause.RequeueAfter >= worthTelling || r.Wall.Now().Sub(s.bid.CreationTimestamp.Time) >= wondering
	if !long || !bidding.Silent(s.bid) {
		return pause, nil
	}
	result, err := r.report(ctx, s, bidding.Waiting(s.bid.Spec.Marketplace, why))
	return sooner(result, pause), err
}

// sooner of two times to come back; zero is never.
func sooner(a, b reconcile.Result) reconcile.Result {
	if a.RequeueAfter == 0 || b.RequeueAfter > 0 && b.RequeueAfter < a.RequeueAfter {
		return b
	}
	return a
}

// inTime brings a Bid that waits to be placed back when its posting closes or goes stale, whatever else it waits for, and
// gives it its place in the work queue.
func (r *Reconciler) inTime(s *situation, result reconcile.Result) reconcile.Result {
	order := bidding.OrderOf(s.bid, s.posting)
	if result.RequeueAfter > 0 && order.Urgency == bidding.UrgencyPlace && s.freshness.Fresh {
		result = sooner(result, reconcile.Result{RequeueAfter: r.until(s.freshness.Until)})
	}
	priority := priorityOf(order)
	result.Priority = &priority
	return result
}
