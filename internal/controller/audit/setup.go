package audit

import (
	"context"
	"time"

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
	"github.com/onebid-dev/onebid/internal/controller/wake"
)

// concurrency is how many Marketplaces are audited at once. Its calls take their time.
const concurrency = 8

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// Setup registers the controller with the manager.
func (r *Reconciler) Setup(mgr ctrl.Manager) error {
	changed := predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{})
	return ctrl.NewControllerManagedBy(mgr).
		Named("audit").
		For(&onebidv1.Marketplace{}, builder.WithPredicates(changed)).
		Watches(&onebidv1.Bid{}, r.goneHandler()).
		WatchesRawSource(source.Channel(wake.On(r.Members.Subscribe), handler.EnqueueRequestsFromMapFunc(r.all))).
		WatchesRawSource(r.connected()).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: concurrency,
			NeedLeaderElection:      ptr.To(false),
			RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](
				100*time.Millisecond, 30*time.Second),
		}).
		Complete(r)
}

// goneHandler notes Bids that are gone and left a Lease.
func (r *Reconciler) goneHandler() handler.EventHandler {
	return handler.Funcs{
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) {
			bid, ok := e.Object.(*onebidv1.Bid)
			if !ok {
				return
			}
			if wait := r.bidGone(bid); wait > 0 {
				mkt := types.NamespacedName{Namespace: bid.Namespace, Name: bid.Spec.Marketplace}
				q.AddAfter(reconcile.Request{NamespacedName: mkt}, wait)
			}
		},
	}
}

// connected brings a Marketplace when its connection changed.
func (r *Reconciler) connected() source.Source {
	return source.Func(func(ctx context.Context, q queue) error {
		keys := wake.NewKeys()
		r.Connections.Subscribe(keys.Report)
		go keys.Run(ctx, func(key types.NamespacedName) { q.Add(reconcile.Request{NamespacedName: key}) })
		return nil
	})
}

func (r *Reconciler) all(ctx context.Context, _ client.Object) []reconcile.Request {
	list := &onebidv1.MarketplaceList{}
	if err := r.Client.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		// The cache fails only while it is not started or is stopping; both bring every Marketplace again.
		ctrl.LoggerFrom(ctx).Error(err, "Listing Marketplaces from the cache")
		return nil
	}
	requests := make([]reconcile.Request, len(list.Items))
	for i := range list.Items {
		requests[i].NamespacedName = client.ObjectKeyFromObject(&list.Items[i])
	}
	return requests
}
