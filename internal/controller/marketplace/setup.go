// Package marketplace keeps one driver in memory for each Marketplace, and each Marketplace's status.
package marketplace

import (
	"context"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/controller/wake"
	contract "github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/account"
)

// Members tell which replica writes for a key.
type Members interface {
	// Owns says whether this replica does. It is safe for concurrent use and does not block.
	Owns(key string) bool
	// Subscribe has a function called whenever Owns may answer differently than before.
	Subscribe(changed func())
}

// Secrets tell when a Marketplace's Secret changes. See secretwatch.Watcher.
type Secrets interface {
	source.Source
	Watch(owner, secret types.NamespacedName) error
	Release(owner types.NamespacedName)
	Version(secret types.NamespacedName) (resourceVersion string, known bool)
}

// Connections are the accounts that can be used. See account.Registry.
type Connections interface {
	// Open makes an account of a driver that was just built.
	Open(m *onebidv1.Marketplace, driver contract.Driver, settle time.Duration) *account.Account
	// Health is how this process gets on with the account, false when it knows none.
	Health(marketplace types.NamespacedName) (account.Health, bool)
	// SubscribeHealth has a function called when that changed.
	SubscribeHealth(changed func(types.NamespacedName))
	// Set puts an account in place of the one before.
	Set(a *account.Account) *account.Account
	// Delete takes the account away; it may be called when there is none.
	Delete(marketplace types.NamespacedName)
	// Forget is Delete for a Marketplace that is gone for good.
	Forget(marketplace types.NamespacedName)
}

// Options are what Setup needs beside the manager.
type Options struct {
	// Members decide which replica writes. Required.
	Members Members
	// Secrets belong to this controller alone. Required.
	Secrets Secrets
	// Factory builds drivers. Required.
	Factory contract.Factory
	// Connections are where others find the drivers. Required.
	Connections Connections
	// Settle is how long an unknown outcome must settle before it is looked up. Required.
	Settle func(spec *onebidv1.MarketplaceSpec) time.Duration
	// Metrics show what limits have room for. Default: nobody asks.
	Metrics *Metrics
	// Clock defaults to the real one. It must be that of Controller.NewQueue, if that is set.
	Clock clock.PassiveClock
	// Controller is passed on to controller-runtime. Leader election is never needed. The default of
	// MaxConcurrentReconciles lets slow marketplaces be asked for the account without keeping the others waiting.
	Controller controller.Options
}

// defaultConcurrency is how many marketplaces may be slow to answer at once.
const defaultConcurrency = 16

// Setup adds the controller to the manager. The manager's cache must have an index of Bids named "spec.marketplace".
func Setup(mgr ctrl.Manager, opts Options) error {
	if opts.Members == nil || opts.Secrets == nil || opts.Factory == nil || opts.Connections == nil || opts.Settle == nil {
		return errors.New("marketplace controller: an option that is required is not set")
	}
	if opts.Metrics == nil {
		opts.Metrics = NewMetrics()
	}
	if opts.Clock == nil {
		opts.Clock = clock.RealClock{}
	}
	if opts.Controller.MaxConcurrentReconciles == 0 {
		opts.Controller.MaxConcurrentReconciles = defaultConcurrency
	}
	if opts.Controller.RateLimiter == nil {
		opts.Controller.RateLimiter = workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](
			50*time.Millisecond, time.Minute)
	}
	opts.Controller.NeedLeaderElection = new(false)
	reconciler := &Reconciler{
		Options: opts, client: mgr.GetClient(), live: mgr.GetAPIReader(), tracker: newTracker(opts.Clock),
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("marketplace").
		For(&onebidv1.Marketplace{}).
		Watches(&onebidv1.Bid{}, reconciler.tracker.bidHandler()).
		WatchesRawSource(opts.Secrets).
		WatchesRawSource(reconciler.healthChanges()).
		WatchesRawSource(source.Channel(wake.On(opts.Members.Subscribe), handler.EnqueueRequestsFromMapFunc(all(mgr.GetClient())))).
		WithOptions(opts.Controller).
		Complete(reconciler)
}

func all(reader client.Reader) handler.MapFunc {
	return func(ctx context.Context, _ client.Object) []reconcile.Request {
		var marketplaces onebidv1.MarketplaceList
		if err := reader.List(ctx, &marketplaces, client.UnsafeDisableDeepCopy); err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "Marketplaces not listed; their status may be late")
			return nil
		}
		requests := make([]reconcile.Request, len(marketplaces.Items))
		for i := range marketplaces.Items {
			requests[i].NamespacedName = client.ObjectKeyFromObject(&marketplaces.Items[i])
		}
		return requests
	}
}

// bidHandler enqueues the Marketplace of a Bid that became live or ended: not at once but when its Bids may be counted
// again, so that a thousand Bids cost a write every few seconds and not a thousand.
func (t *tracker) bidHandler() handler.EventHandler {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	enqueue := func(bid *onebidv1.Bid, onlyForDeletion bool, q queue) {
		name := types.NamespacedName{Namespace: bid.Namespace, Name: bid.Spec.Marketplace}
		if wait, needed := t.touch(name, onlyForDeletion); needed {
			q.AddAfter(reconcile.Request{NamespacedName: name}, wait)
		}
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) {
			if bid, ok := e.Object.(*onebidv1.Bid); ok {
				enqueue(bid, !live(bid), q)
			}
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) {
			before, ok := e.ObjectOld.(*onebidv1.Bid)
			after, ok2 := e.ObjectNew.(*onebidv1.Bid)
			if !ok || !ok2 {
				return
			}
			liveChanged := live(before) != live(after) || (live(after) && before.UID != after.UID)
			if liveChanged || unsettled(before) != unsettled(after) {
				enqueue(after, !liveChanged, q)
			}
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) {
			if bid, ok := e.Object.(*onebidv1.Bid); ok {
				enqueue(bid, !live(bid) && !e.DeleteStateUnknown, q)
			}
		},
	}
}
