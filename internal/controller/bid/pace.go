package bid

import (
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/registry"
)

// turn is the Bid's place among those who wait for the account.
func (s *situation) turn() registry.Turn {
	switch order := bidding.OrderOf(s.bid, s.posting); order.Urgency {
	case bidding.UrgencyWithdraw:
		return registry.Turn{Rank: registry.Urgent}
	case bidding.UrgencyPlace:
		return registry.Turn{By: order.By}
	default:
		return registry.Turn{Rank: registry.Idle}
	}
}

// awake is false while no calls of the account are made; the Bid then comes back when that may be over, or is woken. Reads
// need no more than that: each request of theirs waits for its own turn.
func (r *Reconciler) awake(s *situation) (reconcile.Result, bool) {
	block := s.conn.Limiter.Blocked(s.turn().Rank)
	return r.unblocked(block), block.Until.IsZero()
}

func (r *Reconciler) unblocked(block registry.Block) reconcile.Result {
	if block.Until.IsZero() {
		return reconcile.Result{}
	}
	spread := time.Duration(r.Jitter() * float64(time.Second))
	return reconcile.Result{RequeueAfter: max(block.Until.Sub(r.Clock.Now()), time.Millisecond) + spread}
}

// paced waits for the account's turn to place or withdraw. It keeps a worker for a moment at the most: when the turn is
// further off, the Bid comes back then, and other marketplaces are not held up. Why says what it waits for, "" when it is
// its turn.
func (r *Reconciler) paced(ctx context.Context, s *situation) (result reconcile.Result, why string) {
	turn := s.turn()
	block := s.conn.Limiter.Blocked(turn.Rank)
	if block.Until.IsZero() && !bidding.Withdrawing(s.bid) {
		block = r.answering(ctx, s)
	}
	switch {
	case block.Reason == onebidv1.ReasonCircuitOpen:
		return r.unblocked(block), onebidv1.ReasonCircuitOpen
	case !block.Until.IsZero():
		return r.unblocked(block), onebidv1.ReasonAccountPaused
	}
	ctx, cancel := context.WithTimeout(registry.WithTurn(ctx, turn), time.Second)
	defer cancel()
	if err := s.conn.Limiter.Wait(ctx); err != nil {
		wait := max(min(marketplace.RetryAfter(err), longestQueue), time.Second)
		return reconcile.Result{RequeueAfter: wait + time.Duration(r.Jitter()*float64(time.Second))}, onebidv1.ReasonRateLimited
	}
	return reconcile.Result{}, ""
}

// rationed is paced for a Bid that is to be placed: it waits for the account to have bids left, too. A withdrawal that asks
// by its key what became of a place does not.
func (r *Reconciler) rationed(ctx context.Context, s *situation) (result reconcile.Result, why string) {
	if block := s.conn.Limiter.Placing(); !block.Until.IsZero() {
		return r.unblocked(block), onebidv1.ReasonQuotaExhausted
	}
	return r.paced(ctx, s)
}

// longestQueue is after how long a Bid asks for its turn again: those before it may have gone.
const longestQueue = 30 * time.Second

// answering lets a look-up try a marketplace that left calls without an answer: it can do no harm, and a place without an
// answer does.
func (r *Reconciler) answering(ctx context.Context, s *situation) registry.Block {
	if s.conn.Limiter.Answering() {
		return registry.Block{}
	}
	_, err := call(ctx, r, s, func(ctx context.Context) ([]marketplace.Bid, error) {
		return s.conn.Driver.Lookup(ctx, s.bid.Spec.PostingID)
	})
	if s.conn.Limiter.Answering() {
		return registry.Block{}
	}
	s.log.V(1).Info("The marketplace still does not answer", "error", err)
	block := s.conn.Limiter.Blocked(registry.Normal)
	if block.Until.IsZero() { // somebody else is about to try
		block = registry.Block{Until: r.Clock.Now().Add(time.Second), Reason: onebidv1.ReasonCircuitOpen}
	}
	return block
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
