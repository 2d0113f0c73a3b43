package bid

import (
	"context"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
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
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/controller/wake"
	"github.com/onebid-dev/onebid/internal/marketplace/account"
)

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// IndexMarketplace finds Bids in the cache by spec.marketplace.
const IndexMarketplace = "spec.marketplace"

// Setup registers the controller with the manager, with this many concurrent reconciles.
func (r *Reconciler) Setup(ctx context.Context, mgr ctrl.Manager, concurrency int) error {
	r.Connections.SetWorkers(concurrency)
	err := mgr.GetFieldIndexer().IndexField(ctx, &onebidv1.Bid{}, IndexMarketplace, func(o client.Object) []string {
		bid, ok := o.(*onebidv1.Bid)
		if !ok {
			return nil
		}
		return []string{bid.Spec.Marketplace}
	})
	if err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("bid").
		Watches(&onebidv1.Bid{}, r.bidHandler()).
		Watches(&onebidv1.Marketplace{}, handler.EnqueueRequestsFromMapFunc(r.bidsOf), builder.WithPredicates(marketplaceMatters())).
		Watches(&onebidv1.Posting{}, &handler.EnqueueRequestForObject{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(r.wakeups()).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: concurrency,
			NeedLeaderElection:      ptr.To(false),
			RateLimiter:             retryLimiter(),
		}).
		Complete(r)
}

// retryLimiter spaces retries after API-server errors. What failed at a marketplace is spaced by status.attempts.
func retryLimiter() workqueue.TypedRateLimiter[reconcile.Request] {
	return workqueue.NewTypedMaxOfRateLimiter(
		workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](100*time.Millisecond, 30*time.Second),
		&workqueue.TypedBucketRateLimiter[reconcile.Request]{Limiter: rate.NewLimiter(100, 1000)},
	)
}

// marketplaceMatters passes changes of whether bids can be placed, and not every new count.
func marketplaceMatters() predicate.Predicate {
	return predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool {
			was, ok := e.ObjectOld.(*onebidv1.Marketplace)
			is, ok2 := e.ObjectNew.(*onebidv1.Marketplace)
			return ok && ok2 && (was.Generation != is.Generation ||
				meta.IsStatusConditionTrue(was.Status.Conditions, onebidv1.ConditionReady) !=
					meta.IsStatusConditionTrue(is.Status.Conditions, onebidv1.ConditionReady))
		},
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}

// bidsOf lists the Marketplace's unfinished Bids.
func (r *Reconciler) bidsOf(ctx context.Context, mkt client.Object) []reconcile.Request {
	var requests []reconcile.Request
	for _, bid := range r.unfinished(ctx, client.InNamespace(mkt.GetNamespace()), client.MatchingFields{IndexMarketplace: mkt.GetName()}) {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&bid)})
	}
	return requests
}

func (r *Reconciler) unfinished(ctx context.Context, opts ...client.ListOption) []onebidv1.Bid {
	bids := &onebidv1.BidList{}
	if err := r.Client.List(ctx, bids, append(opts, client.UnsafeDisableDeepCopy)...); err != nil {
		// The cache fails only while it is not started or is stopping; both bring every Bid again.
		ctrl.LoggerFrom(ctx).Error(err, "Listing Bids from the cache")
		return nil
	}
	var out []onebidv1.Bid
	for i := range bids.Items {
		if bid := &bids.Items[i]; !bidding.Terminal(bid) || !bid.DeletionTimestamp.IsZero() || polled(bid) {
			out = append(out, *bid)
		}
	}
	return out
}

// wakeups enqueues Bids when no object changed: the replicas changed, a connection changed, a marketplace answers again, or
// capacity was freed.
func (r *Reconciler) wakeups() source.Source {
	return source.Func(func(ctx context.Context, q queue) error {
		changed, health := wake.NewKeys(), wake.NewKeys()
		r.Members.Subscribe(func() { changed.Report(types.NamespacedName{}) })
		r.Connections.Subscribe(changed.Report)
		r.Connections.SubscribeHealth(health.Report)
		go r.capacity.Run(ctx, func(marketplace types.NamespacedName) { r.enqueueWaiting(ctx, q, marketplace) })
		go changed.Run(ctx, func(marketplace types.NamespacedName) {
			r.capacity.HandOverAll(ctx)
			r.enqueueAll(ctx, q, marketplace)
		})
		go health.Run(ctx, func(marketplace types.NamespacedName) {
			// While the account makes no calls, reconciling its Bids would find nothing to do.
			if a, ok := r.Connections.Get(marketplace); !ok || !a.Denied(account.Priority{}).Denied() {
				r.enqueueAll(ctx, q, marketplace)
			}
		})
		return nil
	})
}

// enqueueAll enqueues the Bids of a Marketplace, without a name those of all.
func (r *Reconciler) enqueueAll(ctx context.Context, q queue, marketplace types.NamespacedName) {
	var opts []client.ListOption
	if marketplace.Name != "" {
		opts = []client.ListOption{client.InNamespace(marketplace.Namespace), client.MatchingFields{IndexMarketplace: marketplace.Name}}
	}
	for _, bid := range r.unfinished(ctx, opts...) {
		r.enqueue(ctx, q, &bid, false)
	}
}

// enqueueWaiting enqueues the Bids that wait for capacity and for which there is some.
func (r *Reconciler) enqueueWaiting(ctx context.Context, q queue, marketplace types.NamespacedName) {
	mkt := &onebidv1.Marketplace{}
	if r.Client.Get(ctx, marketplace, mkt) != nil || !bidding.Limited(mkt) {
		return
	}
	for _, name := range r.capacity.Next(mkt) {
		q.Add(reconcile.Request{NamespacedName: types.NamespacedName{Namespace: marketplace.Namespace, Name: name}})
	}
}
