// Package posting keeps the status of Postings: how fresh they are, whether a bid of ours is active on them, and the
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

// recheckAfter is how long after a Bid became active or ended its Posting is reconciled. The Bid controller records that on
// the Posting itself; this makes up for a record that was lost by a crash, or because the Posting was created just then.
const recheckAfter = 2 * time.Second

// indexMarketplace finds the Postings of a Marketplace in the cache.
const indexMarketplace = "posting-controller.marketplace"

// Members say which replica writes for a key.
type Members interface {
	// Owns says whether this replica does. It is safe for concurrent use and does not block.
	Owns(key string) bool
	// Subscribe has a function called whenever the result of Owns may have changed.
	Subscribe(changed func())
}

// Options of a Reconciler. All but Clock and Controller are required.
type Options struct {
	// Client reads the cache, APIReader the API server.
	Client    client.Client
	APIReader client.Reader
	// Members decide which replica writes.
	Members Members
	// Recorder writes. The Bid controller has the same one.
	Recorder *Recorder
	// Clock defaults to the real one. It must be the Recorder's, and that of Controller.NewQueue if that is set.
	Clock clock.PassiveClock
	// Controller is passed on to controller-runtime. Leader election is never needed.
	Controller controller.Options
}

// New returns a Reconciler.
func New(o Options) *Reconciler {
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	return &Reconciler{Options: o}
}

// Setup registers the controller with the manager.
func (r *Reconciler) Setup(ctx context.Context, mgr ctrl.Manager) error {
	err := mgr.GetFieldIndexer().IndexField(ctx, &onebidv1.Posting{}, indexMarketplace, marketplaceOf)
	if err != nil {
		return err
	}
	options := r.Controller
	options.NeedLeaderElection = new(false)
	return ctrl.NewControllerManagedBy(mgr).
		Named("posting").
		For(&onebidv1.Posting{}).
		Watches(&onebidv1.Bid{}, bidHandler()).
		Watches(&onebidv1.Marketplace{}, handler.EnqueueRequestsFromMapFunc(r.ofMarketplace), builder.WithPredicates(ttlChanged())).
		WatchesRawSource(source.Channel(wake.On(r.Members.Subscribe), handler.EnqueueRequestsFromMapFunc(r.all))).
		WithOptions(options).
		Complete(r)
}

// bidHandler enqueues the Posting of a Bid: after a while when the Bid became active or ended, since the Bid controller is
// writing to it just then, and at once when the Bid is gone.
func bidHandler() handler.EventHandler {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) {
			if bid, ok := e.Object.(*onebidv1.Bid); ok && active(bid) && !e.IsInInitialList {
				q.AddAfter(requestFor(bid), recheckAfter)
			}
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) {
			before, ok := e.ObjectOld.(*onebidv1.Bid)
			bid, ok2 := e.ObjectNew.(*onebidv1.Bid)
			if ok && ok2 && (active(before) != active(bid) || before.UID != bid.UID) {
				q.AddAfter(requestFor(bid), recheckAfter)
			}
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) { q.Add(requestFor(e.Object)) },
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

func (r *Reconciler) ofMarketplace(ctx context.Context, marketplace client.Object) []reconcile.Request {
	return r.list(ctx, client.InNamespace(marketplace.GetNamespace()), client.MatchingFields{indexMarketplace: marketplace.GetName()})
}

func (r *Reconciler) all(ctx context.Context, _ client.Object) []reconcile.Request {
	return r.list(ctx)
}

func (r *Reconciler) list(ctx context.Context, opts ...client.ListOption) []reconcile.Request {
	var postings onebidv1.PostingList
	if err := r.Client.List(ctx, &postings, append(opts, client.UnsafeDisableDeepCopy)...); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Could not list Postings; their status may be late")
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
