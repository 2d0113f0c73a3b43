// Package marketplace keeps one driver in memory for each Marketplace, and each Marketplace's status.
package marketplace

import (
	"context"
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

// Members say which replica writes for a key.
type Members interface {
	// Owns says whether this replica does. It is safe for concurrent use and does not block.
	Owns(key string) bool
	// Subscribe has a function called whenever the result of Owns may have changed.
	Subscribe(changed func())
}

// Secrets report changes of a Marketplace's Secret. See secretwatch.Watcher.
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
	// Health is what this process knows of the account's pauses and circuit breaker, false when it knows nothing.
	Health(marketplace types.NamespacedName) (account.Health, bool)
	// SubscribeHealth has a function called when that changed.
	SubscribeHealth(changed func(types.NamespacedName))
	// Set puts an account in place of the one before.
	Set(a *account.Account) *account.Account
	// Delete removes the driver; it may be called when there is none.
	Delete(marketplace types.NamespacedName)
	// Forget is Delete for a Marketplace that is gone for good.
	Forget(marketplace types.NamespacedName)
}

// Options of a Reconciler. All but Clock and Controller are required.
type Options struct {
	// Client reads the cache, which must have an index of Bids named "spec.marketplace".
	Client client.Client
	// APIReader reads from the API server.
	APIReader client.Reader
	// Members decide which replica writes.
	Members Members
	// Secrets belong to this controller alone.
	Secrets Secrets
	// Factory builds drivers.
	Factory contract.Factory
	// Connections are where others find the drivers.
	Connections Connections
	// SettleTime is the wait before an unknown outcome is looked up.
	SettleTime func(spec *onebidv1.MarketplaceSpec) time.Duration
	// Metrics show what the limits have room for.
	Metrics *Metrics
	// Clock defaults to the real one. It must be that of Controller.NewQueue, if that is set.
	Clock clock.PassiveClock
	// Controller is passed on to controller-runtime. Leader election is never needed.
	Controller controller.Options
}

// defaultConcurrency is how many marketplaces may be slow to answer at once.
const defaultConcurrency = 16

// New returns a Reconciler without any drivers.
func New(o Options) *Reconciler {
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	return &Reconciler{Options: o, tracker: newTracker(o.Clock)}
}

// Setup registers the controller with the manager.
func (r *Reconciler) Setup(mgr ctrl.Manager) error {
	options := r.Controller
	options.NeedLeaderElection = new(false)
	options.MaxConcurrentReconciles = defaultConcurrency
	options.RateLimiter = workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](50*time.Millisecond, time.Minute)
	return ctrl.NewControllerManagedBy(mgr).
		Named("marketplace").
		For(&onebidv1.Marketplace{}).
		Watches(&onebidv1.Bid{}, bidHandler(r.tracker.countDelay)).
		WatchesRawSource(r.Secrets).
		WatchesRawSource(r.healthChanges()).
		WatchesRawSource(source.Channel(wake.On(r.Members.Subscribe), handler.EnqueueRequestsFromMapFunc(r.all))).
		WithOptions(options).
		Complete(r)
}

func (r *Reconciler) all(ctx context.Context, _ client.Object) []reconcile.Request {
	var marketplaces onebidv1.MarketplaceList
	if err := r.Client.List(ctx, &marketplaces, client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Could not list Marketplaces; their status may be late")
		return nil
	}
	requests := make([]reconcile.Request, len(marketplaces.Items))
	for i := range marketplaces.Items {
		requests[i].NamespacedName = client.ObjectKeyFromObject(&marketplaces.Items[i])
	}
	return requests
}

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// healthChanges enqueues a Marketplace when the health of its account changed, at most every healthInterval.
func (r *Reconciler) healthChanges() source.Source {
	return source.Func(func(ctx context.Context, q queue) error {
		keys := wake.NewKeys()
		r.Connections.SubscribeHealth(keys.Report)
		go keys.Run(ctx, func(key types.NamespacedName) {
			q.AddAfter(reconcile.Request{NamespacedName: key}, r.tracker.healthDelay(key))
		})
		return nil
	})
}

// bidHandler enqueues the Marketplace of a Bid that became active or ended: not at once but when its Bids may be counted
// again, so that a thousand Bids cost a write every few seconds and not a thousand.
func bidHandler(countDelay func(types.NamespacedName, bool) (time.Duration, bool)) handler.EventHandler {
	enqueue := func(bid *onebidv1.Bid, onlyUnfinished bool, q queue) {
		name := types.NamespacedName{Namespace: bid.Namespace, Name: bid.Spec.Marketplace}
		if wait, needed := countDelay(name, onlyUnfinished); needed {
			q.AddAfter(reconcile.Request{NamespacedName: name}, wait)
		}
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) {
			if bid, ok := e.Object.(*onebidv1.Bid); ok {
				enqueue(bid, !active(bid), q)
			}
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) {
			before, ok := e.ObjectOld.(*onebidv1.Bid)
			after, ok2 := e.ObjectNew.(*onebidv1.Bid)
			if !ok || !ok2 {
				return
			}
			activeChanged := active(before) != active(after) || (active(after) && before.UID != after.UID)
			if activeChanged || unfinished(before) != unfinished(after) {
				enqueue(after, !activeChanged, q)
			}
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) {
			if bid, ok := e.Object.(*onebidv1.Bid); ok {
				enqueue(bid, !active(bid) && !e.DeleteStateUnknown, q)
			}
		},
	}
}
