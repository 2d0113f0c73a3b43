package bid

import (
	"context"
	"math"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/marketplace/account"
)

// Priorities in the work queue, where the higher one goes first and equals in the order in which they came. Withdrawals go
// before placements, and placements by the minute in which their posting closes; those without one come after them. What a
// restart merely finds goes last, so that new work is not held up behind it.
const (
	priorityWithdraw = math.MaxInt32
	priorityClosing  = math.MaxInt32 - 1
	priorityNormal   = 0
	priorityFound    = -100
)

// priorityOf gives the priority of what there is to do. The minutes since 1970 fit below priorityClosing for 4,000 years.
func priorityOf(order bidding.Order) int {
	switch {
	case order.Urgency == bidding.UrgencyWithdraw:
		return priorityWithdraw
	case order.Urgency == bidding.UrgencyPlace && !order.By.IsZero():
		return max(priorityClosing-int(max(order.By.Unix()/60, 0)), priorityNormal+1)
	}
	return priorityNormal
}

func (r *Reconciler) bidHandler() handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q queue) {
			if bid, ok := e.Object.(*onebidv1.Bid); ok {
				r.enqueue(ctx, q, bid, e.IsInInitialList)
			}
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) {
			if bid, ok := e.ObjectNew.(*onebidv1.Bid); ok {
				r.enqueue(ctx, q, bid, e.ObjectOld.GetResourceVersion() == bid.ResourceVersion)
			}
		},
	}
}

func (r *Reconciler) enqueue(ctx context.Context, q queue, bid *onebidv1.Bid, found bool) {
	request := reconcile.Request{NamespacedName: client.ObjectKeyFromObject(bid)}
	pq, ok := q.(priorityqueue.PriorityQueue[reconcile.Request])
	if !ok {
		q.Add(request)
		return
	}
	var posting *onebidv1.Posting
	if known := (&onebidv1.Posting{}); r.Client.Get(ctx, request.NamespacedName, known) == nil {
		posting = known // else it is as without one, and the next visit knows better
	}
	order := bidding.OrderOf(bid, posting)
	priority := priorityOf(order)
	if found && order.Urgency == bidding.UrgencyWatch {
		priority = priorityFound
	}
	pq.AddWithOpts(priorityqueue.AddOpts{Priority: &priority}, request)
}

// blocked is true while no calls of the account are made: looking at its Bids would find nothing to do.
func (r *Reconciler) blocked(key types.NamespacedName) bool {
	conn, ok := r.Connections.Get(key)
	return ok && conn.Denied(account.Priority{}).Denied()
}
