// Package posting keeps the status of Postings: how fresh they are, whether a bid of ours is live on them, and the
// bids that ended.
package posting

import (
	"context"
	"time"

	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/controller/wake"
)

// DefaultSecondLook is how long after a Bid became live or ended its Posting is looked at again.
const DefaultSecondLook = 2 * time.Second

// indexMarketplace finds the Postings of a Marketplace in the cache.
const indexMarketplace = "posting-controller.marketplace"

// Options are what Setup needs beside the manager.
type Options struct {
	// Members decide which replica writes. Required.
	Members Members
	// Recorder writes. Required; the Bid controller has the same one.
	Recorder *Recorder
	// Clock defaults to the real one. It must be the Recorder's, and that of Controller.NewQueue if that is set.
	Clock clock.PassiveClock
	// SecondLook defaults to DefaultSecondLook. The Bid controller notes what happens to a Bid on its Posting itself; the
	// second look makes up for what was lost by a crash, or because the Posting was created at the same moment.
	SecondLook time.Duration
	// Controller is passed on to controller-runtime. Leader election is never needed.
	Controller controller.Options
}

// Setup adds the controller to the manager.
func Setup(ctx context.Context, mgr ctrl.Manager, opts Options) error {
	if opts.Clock == nil {
		opts.Clock = clock.RealClock{}
	}
	if opts.SecondLook == 0 {
		opts.SecondLook = DefaultSecondLook
	}
	opts.Controller.NeedLeaderElection = new(false)
	err := mgr.GetFieldIndexer().IndexField(ctx, &onebidv1.Posting{}, indexMarketplace, marketplaceOf)
	if err != nil {
		return err
	}
	reconciler := &Reconciler{
		client: mgr.GetClient(), live: mgr.GetAPIReader(), clock: opts.Clock, members: opts.Members, recorder: opts.Recorder,
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("posting").
		For(&onebidv1.Posting{}).
		Watches(&onebidv1.Bid{}, lookAgain(opts.SecondLook)).
		Watches(&onebidv1.Marketplace{}, handler.EnqueueRequestsFromMapFunc(postingsOf(mgr.GetClient())),
			builder.WithPredicates(ttlChanged())).
		WatchesRawSource(source.Channel(wake.On(opts.Members.Subscribe), handler.EnqueueRequestsFromMapFunc(allPostings(mgr.GetClient())))).
		WithOptions(opts.Controller).
		Complete(reconciler)
}

// lookAgain enqueues the Posting of a Bid: after a while when the Bid became live or ended, since the Bid controller is
// writing to it just then, and at once when the Bid is gone.
func lookAgain(after time.Duration) handler.EventHandler {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) {
			if bid, ok := e.Object.(*onebidv1.Bid); ok && live(bid) && !e.IsInInitialList {
				q.AddAfter(requestFor(bid), after)
			}
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) {
			before, ok := e.ObjectOld.(*onebidv1.Bid)
			bid, ok2 := e.ObjectNew.(*onebidv1.Bid)
			if ok && ok2 && (live(before) != live(bid) || before.UID != bid.UID) {
				q.AddAfter(requestFor(bid), after)
			}
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) {
			q.Add(requestFor(e.Object))
		},
	}
}

// ttlChanged lets a Marketplace through when its Postings may have become fresh or stale by it.
func ttlChanged() predicate.Predicate {
	return predicate.Funcs{
		// At the start every Posting is enqueued for itself, with all Marketplaces in the cache.
		CreateFunc: func(e event.CreateEvent) bool { return !e.IsInInitialList },
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, ok := e.ObjectOld.(*onebidv1.Marketplace)
			after, ok2 := e.ObjectNew.(*onebidv1.Marketplace)
			return ok && ok2 && before.Spec.PostingTTLSeconds != after.Spec.PostingTTLSeconds
		},
	}
}

func marketplaceOf(object client.Object) []string {
	posting, ok := object.(*onebidv1.Posting)
	if !ok {
		return nil
	}
	return []string{posting.Spec.Marketplace}
}

func postingsOf(reader client.Reader) handler.MapFunc {
	return func(ctx context.Context, marketplace client.Object) []reconcile.Request {
		return list(ctx, reader, client.InNamespace(marketplace.GetNamespace()),
			client.MatchingFields{indexMarketplace: marketplace.GetName()})
	}
}

func allPostings(reader client.Reader) handler.MapFunc {
	return func(ctx context.Context, _ client.Object) []reconcile.Request { return list(ctx, reader) }
}

func list(ctx context.Context, reader client.Reader, opts ...client.ListOption) []reconcile.Request {
	var postings onebidv1.PostingList
	if err := reader.List(ctx, &postings, append(opts, client.UnsafeDisableDeepCopy)...); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Postings not listed; their status may be late")
		return nil
	}
	requests := make([]reconcile.Request, len(postings.Items))
	for i := range postings.Items {
		requests[i] = requestFor(&postings.Items[i])
	}
	return requests
}

func requestFor(object client.Object) reconcile.Request {
	return reconcile.Request{NamespacedName: client.ObjectKeyFromObject(object)}
}
