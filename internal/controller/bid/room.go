package bid

import (
	"context"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/controller/wake"
)

// room keeps count within the limits of Marketplaces. What this process lets through counts at once, before any cache
// shows it; and who waits for room is looked at again when there is some.
type room struct {
	// mu makes counting and letting through one step.
	mu    sync.Mutex
	taken map[types.UID]struct{}
	freed *wake.Keys
}

func newRoom() *room { return &room{taken: map[types.UID]struct{}{}, freed: wake.NewKeys()} }

func (m *room) take(uid types.UID) { m.taken[uid] = struct{}{} }

func (m *room) has(uid types.UID) bool {
	_, ok := m.taken[uid]
	return ok
}

// giveBack ends what take began; true when there was something to give back.
func (m *room) giveBack(uid types.UID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	had := m.has(uid)
	delete(m.taken, uid)
	return had
}

// leave gives a Bid's room back unless it is live now: then it counts until the cache shows it.
func (r *Reconciler) leave(s *situation) {
	if !s.placed && r.room.giveBack(s.bid.UID) {
		r.room.freed.Report(marketplaceOf(s.bid))
	}
}

func marketplaceOf(bid *onebidv1.Bid) types.NamespacedName {
	return types.NamespacedName{Namespace: bid.Namespace, Name: bid.Spec.Marketplace}
}

// frees tells of Bids that counted and do so no longer.
func (m *room) frees() handler.EventHandler {
	return handler.Funcs{
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, _ queue) {
			was, ok := e.ObjectOld.(*onebidv1.Bid)
			is, ok2 := e.ObjectNew.(*onebidv1.Bid)
			if ok && ok2 && counts(was) && !counts(is) {
				m.freed.Report(marketplaceOf(is))
			}
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, _ queue) {
			bid, ok := e.Object.(*onebidv1.Bid)
			if !ok {
				return
			}
			m.giveBack(bid.UID)
			if counts(bid) {
				m.freed.Report(marketplaceOf(bid))
			}
		},
	}
}

// counts is true for a Bid that is live or may be, as far as its status knows.
func counts(bid *onebidv1.Bid) bool {
	return !bidding.Settled(bid) && bidding.PlacedStatus(bid) != metav1.ConditionFalse
}

// waiting lists the Marketplace's Bids that wait for room.
func (r *Reconciler) waiting(ctx context.Context, mkt types.NamespacedName) []onebidv1.Bid {
	bids := r.unfinished(ctx, client.InNamespace(mkt.Namespace), client.MatchingFields{IndexMarketplace: mkt.Name})
	return slices.DeleteFunc(bids, func(bid onebidv1.Bid) bool {
		c := meta.FindStatusCondition(bid.Status.Conditions, onebidv1.ConditionAccepted)
		return c == nil || c.Reason != onebidv1.ReasonTooManyActiveBids && c.Reason != onebidv1.ReasonBudgetExhausted
	})
}
