package bid

import (
	"context"
	"math"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
)

// Priorities in the work queue: the higher one goes first, equal ones in the order in which they came. Withdrawals go before
// placements, and placements by the minute in which their posting closes; those without one come after them. Bids that a restart
// only lists go last, so that new work does not wait for them.
const (
	priorityWithdraw = math.MaxInt32
	priorityClosing  = math.MaxInt32 - 1
	priorityNormal   = 0
	priorityFound    = -100
)

// priorityOf translates a priority for the work queue. The minutes since 1970 fit below priorityClosing for 4,000 years.
func priorityOf(p bidding.Priority) int {
	switch {
	case p.Class == bidding.PriorityWithdraw:
		return priorityWithdraw
	case p.Class == bidding.PriorityPlace && !p.Deadline.IsZero():
		return max(priorityClosing-int(max(p.Deadline.Unix()/60, 0)), priorityNormal+1)
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
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) { // to forget it
			q.Add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(e.Object)})
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
		posting = known // otherwise the next reconcile corrects the priority
	}
	p := bidding.PriorityOf(bid, posting)
	priority := priorityOf(p)
	if found && p.Class == bidding.PriorityBackground {
		priority = priorityFound
	}
	pq.AddWithOpts(priorityqueue.AddOpts{Priority: &priority}, request)
}
