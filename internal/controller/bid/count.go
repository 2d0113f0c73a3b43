package bid

import (
	"context"
	"strings"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/ownership"
)

// countLive reads from the API server what counts within the limits of a Marketplace: the Bids whose status says so, and
// those for which a call may have been made that no status tells of yet. The replica that let them through has written its
// intent before that, and it sends nothing any more once its Lease was taken.
func (r *Reconciler) countLive(ctx context.Context, mkt *onebidv1.Marketplace) (*bidding.Room, error) {
	intents, err := r.intentsOf(ctx, mkt)
	if err != nil {
		return nil, err
	}
	count := bidding.NewRoom()
	list := &onebidv1.BidList{}
	opts := []client.ListOption{client.InNamespace(mkt.Namespace), client.MatchingFields{IndexMarketplace: mkt.Name}}
	err = r.eachPage(ctx, list, opts, func() {
		for i := range list.Items {
			bid := &list.Items[i]
			attempt, intended := intents[bid.UID]
			switch {
			case bidding.Terminal(bid):
			case bidding.Counts(bid), intended && !bidding.PlaceRecorded(bid, attempt):
				count.Take(bid)
			case waits(bid):
				count.Wait(bid)
			}
		}
	})
	return count, err
}

// intentsOf are the latest place attempts that the Marketplace's posting Leases tell of, by Bid.
func (r *Reconciler) intentsOf(ctx context.Context, mkt *onebidv1.Marketplace) (map[types.UID]int32, error) {
	attempts := map[types.UID]int32{}
	note := func(uid types.UID, attempt int32) { attempts[uid] = max(attempts[uid], attempt) }
	list := &coordinationv1.LeaseList{}
	opts := []client.ListOption{
		client.InNamespace(mkt.Namespace), client.MatchingLabels{onebidv1.LabelLease: onebidv1.LeaseKindPosting},
	}
	prefix := onebidv1.LeasePrefix + mkt.Name + "."
	err := r.eachPage(ctx, list, opts, func() {
		for i := range list.Items {
			lease := &list.Items[i]
			if !strings.HasPrefix(lease.Name, prefix) {
				continue
			}
			intents, err := ownership.ParseIntents(lease.Annotations[onebidv1.AnnotationIntent])
			if err != nil {
				// Unreadable means unknown, and more attempts than any status tells of.
				note(types.UID(lease.Annotations[onebidv1.AnnotationBidUID]), 1<<30)
			}
			for _, intent := range intents {
				note(intent.BidUID, intent.Attempt)
			}
		}
	})
	return attempts, err
}

// pageSize bounds what one request to the API server returns.
const pageSize = 500

// eachPage reads a list from the API server, page by page, as of one moment.
func (r *Reconciler) eachPage(ctx context.Context, list client.ObjectList, opts []client.ListOption, do func()) error {
	for next := ""; ; {
		if err := r.Live.List(ctx, list, append(opts, client.Limit(pageSize), client.Continue(next))...); err != nil {
			return err
		}
		do()
		if next = list.GetContinue(); next == "" {
			return nil
		}
	}
}

// waits is true for a Bid that waits for room.
func waits(bid *onebidv1.Bid) bool {
	c := meta.FindStatusCondition(bid.Status.Conditions, onebidv1.ConditionAccepted)
	return !bidding.Terminal(bid) && !bidding.Withdrawing(bid) && c != nil && c.Status == metav1.ConditionFalse &&
		(c.Reason == onebidv1.ReasonTooManyActiveBids || c.Reason == onebidv1.ReasonBudgetExhausted)
}

// counter keeps rooms up with Bids that others record, and that end. A cache may lag behind what this process has
// recorded, so that it shows a Bid as not live proves nothing; that a Bid has ended, or is gone, is final.
func (r *Reconciler) counter() handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, _ queue) { r.counted(e.Object) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, _ queue) { r.counted(e.ObjectNew) },
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, _ queue) {
			if bid, ok := e.Object.(*onebidv1.Bid); ok {
				r.uncount(bid, true)
			}
		},
	}
}

func (r *Reconciler) counted(o client.Object) {
	bid, ok := o.(*onebidv1.Bid)
	switch {
	case !ok:
	case bidding.Terminal(bid), bidding.Withdrawing(bid) && !bidding.Counts(bid):
		r.uncount(bid, bidding.Terminal(bid))
	case bidding.Counts(bid):
		if m := r.rooms.known(marketplaceOf(bid)); m != nil {
			m.mu.Lock()
			defer m.mu.Unlock()
			if m.count != nil {
				m.count.Take(bid)
			}
		}
	}
}

// uncount is for a Bid that has ended or waits no longer.
func (r *Reconciler) uncount(bid *onebidv1.Bid, ended bool) {
	key := marketplaceOf(bid)
	m := r.rooms.known(key)
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.count == nil {
		return
	}
	waited := m.count.Leave(bid.UID)
	if freed := ended && m.count.Free(bid.UID); freed || waited {
		r.rooms.freed.Report(key)
	}
}

// fitting names the waiting Bids that there is room for.
func (r *Reconciler) fitting(ctx context.Context, key types.NamespacedName) []string {
	mkt := &onebidv1.Marketplace{}
	m := r.rooms.known(key)
	if m == nil || r.Client.Get(ctx, key, mkt) != nil || !bidding.Bounded(mkt) {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.count == nil {
		return nil
	}
	return m.count.Next(mkt.Spec.Limits)
}
