package bid_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/controller/bid"
	"github.com/onebid-dev/onebid/internal/marketplace/account"
	"github.com/onebid-dev/onebid/internal/ownership"
)

// The tests of this package are about the order of steps: one Bid, everything in memory, one step after the other, and
// a journal of every request. That the steps hold in races and crashes is shown by the tests under test.

const (
	leaseName = "bid-lock.rest.1"
	ttl       = 300 * time.Second
	settle    = 12 * time.Second
	cooldown  = 300 * time.Second
)

var (
	start   = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	bidName = types.NamespacedName{Namespace: "tenant", Name: "rest.1"}
)

// world is an API server and a marketplace.
type world struct {
	*testing.T
	*GomegaWithT
	api     client.WithWatch
	clock   *skippingClock
	market  *market
	journal []string
	// before is called once, before the request of this name.
	before map[string]func()
	// errors that the next requests of this name get instead of taking effect.
	errors map[string][]error
	// cache is what caches show of the Bid; nil means the latest.
	cache *onebidv1.Bid
	uids  int
	// events by reason, with their notes.
	events map[string]string
}

// skippingClock waits for nothing: time passes at once.
type skippingClock struct{ *clocktesting.FakeClock }

func (c *skippingClock) After(d time.Duration) <-chan time.Time {
	fired := c.FakeClock.After(d)
	c.Step(d)
	return fired
}

func newWorld(t *testing.T, class onebidv1.MarketplaceClass, objects ...client.Object) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{onebidv1.AddToScheme, coordinationv1.AddToScheme, corev1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	objects = append(objects, newMarketplace(class), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: bidName.Namespace}})
	w := &world{
		T: t, GomegaWithT: NewWithT(t), clock: &skippingClock{clocktesting.NewFakeClock(start)},
		before: map[string]func(){}, errors: map[string][]error{}, events: map[string]string{},
	}
	w.SetDefaultEventuallyTimeout(20 * time.Second)
	w.api = fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(&onebidv1.Bid{}).
		WithIndex(&onebidv1.Bid{}, bid.IndexMarketplace, func(o client.Object) []string { return []string{o.(*onebidv1.Bid).Spec.Marketplace} }).
		Build()
	w.market = &market{world: w, storesKey: class != onebidv1.ClassNone}
	return w
}

func newMarketplace(class onebidv1.MarketplaceClass) *onebidv1.Marketplace {
	return &onebidv1.Marketplace{
		ObjectMeta: metav1.ObjectMeta{Namespace: bidName.Namespace, Name: "rest", UID: "mkt", Generation: 1},
		Spec: onebidv1.MarketplaceSpec{
			Mode: onebidv1.ModeLive, Class: class, Approval: onebidv1.ApprovalAutomatic, TimeoutSeconds: 10,
			Lock: onebidv1.MarketplaceLock{TTLSeconds: int32(ttl / time.Second)}, PostingTTLSeconds: 86400,
			RebidCooldownSeconds: ptr.To(int32(cooldown / time.Second)), AuditIntervalSeconds: 600,
			Retry: onebidv1.RetryPolicy{InitialSeconds: 1, MaxSeconds: 600, ManualReviewAfter: 10},
		},
	}
}

func newBid(uid types.UID, edit ...func(*onebidv1.Bid)) *onebidv1.Bid {
	out := &onebidv1.Bid{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: bidName.Namespace, Name: bidName.Name, UID: uid, Generation: 1,
			CreationTimestamp: metav1.NewTime(start), Finalizers: []string{onebidv1.FinalizerWithdraw},
		},
		Spec: onebidv1.BidSpec{Marketplace: "rest", PostingID: "1", Price: onebidv1.Money{Amount: "250", Currency: "USD"}},
	}
	for _, e := range edit {
		e(out)
	}
	return out
}

// process is one replica: what it holds and remembers, and nothing that another one has.
type process struct {
	*world
	reconciler *bid.Reconciler
	leases     *ownership.Client
	postings   *postings
	limiter    *account.Limiter
	// connections to the marketplaces.
	connections *account.Registry
	// idle is true when the members agree on another one to act.
	idle bool
}

func (w *world) process(host string) *process {
	w.Helper()
	p := &process{world: w, postings: &postings{}}
	connections := account.NewRegistry(account.Options{Clock: w.clock})
	mkt := &onebidv1.Marketplace{}
	w.Expect(w.api.Get(w.Context(), types.NamespacedName{Namespace: bidName.Namespace, Name: "rest"}, mkt)).To(Succeed())
	p.connections = connections
	p.limiter = connections.Connect(mkt, w.market, settle).Limiter()
	w.Cleanup(func() { connections.Forget(client.ObjectKeyFromObject(mkt)) })
	p.leases = ownership.NewClient(leases{w: w}, ownership.NewIdentity(ownership.RoleController, host), nil, w.clock, logr.Discard())
	p.reconciler = bid.New(bid.Options{
		Client: w.cached(), Live: w.live(), Leases: p.leases, Members: p, Connections: connections, Postings: p.postings,
		Events: w, Clock: w.clock, Wall: w.clock, Jitter: func() float64 { return 0 },
	})
	return p
}

// Owns and Subscribe are those of the fleet.
func (p *process) Owns(string) bool { return !p.idle }

func (*process) Subscribe(func()) {}

// step does one reconcile and returns what it asked for.
func (p *process) step() (time.Duration, []string) {
	p.Helper()
	result, err := p.try(p.Context())
	p.Expect(err).NotTo(HaveOccurred())
	return result.RequeueAfter, p.requests()
}

func (p *process) try(ctx context.Context) (reconcile.Result, error) {
	return p.reconciler.Reconcile(ctx, reconcile.Request{NamespacedName: bidName})
}

// takeOver waits until the Lease of a dead process expires, and does one step then.
func (p *process) takeOver() (time.Duration, []string) {
	p.Helper()
	p.step()
	p.clock.Step(ttl)
	return p.step()
}

// requests since the last call.
func (w *world) requests() []string {
	out := w.journal
	w.journal = nil
	return out
}

// request is what every request begins with.
func (w *world) request(name string) error {
	if hook := w.before[name]; hook != nil {
		delete(w.before, name)
		hook()
	}
	w.journal = append(w.journal, name)
	return w.fails(name)
}

// fails returns the next error of this name.
func (w *world) fails(name string) error {
	if failing := w.errors[name]; len(failing) > 0 {
		w.errors[name] = failing[1:]
		return failing[0]
	}
	return nil
}

// stored is the Bid as the API server has it; nil when it is gone.
func (w *world) stored() *onebidv1.Bid {
	w.Helper()
	out := &onebidv1.Bid{}
	err := w.api.Get(w.Context(), bidName, out)
	if client.IgnoreNotFound(err) == nil && err != nil {
		return nil
	}
	w.Expect(err).NotTo(HaveOccurred())
	return out
}

// edit changes the Bid past all clients, its status too.
func (w *world) edit(change func(*onebidv1.Bid)) {
	w.Helper()
	out := w.stored()
	change(out)
	status := out.Status.DeepCopy()
	w.Expect(w.api.Update(context.Background(), out)).To(Succeed())
	out.Status = *status
	w.Expect(w.api.Status().Update(context.Background(), out)).To(Succeed())
}

// delete asks for the Bid's deletion; its finalizer keeps it.
func (w *world) delete() {
	w.Helper()
	w.Expect(w.api.Delete(context.Background(), w.stored())).To(Succeed())
}

// strip takes the finalizer off by hand, so that the Bid vanishes.
func (w *world) strip() {
	w.Helper()
	out := w.stored()
	out.Finalizers = nil
	w.Expect(w.api.Update(context.Background(), out)).To(Succeed())
	w.Expect(client.IgnoreNotFound(w.api.Delete(context.Background(), out))).To(Succeed())
}

// lease is the posting's Lease, nil when there is none.
func (w *world) lease() *coordinationv1.Lease {
	w.Helper()
	out := &coordinationv1.Lease{}
	if err := w.api.Get(context.Background(), types.NamespacedName{Namespace: bidName.Namespace, Name: leaseName}, out); err != nil {
		w.Expect(client.IgnoreNotFound(err)).To(Succeed())
		return nil
	}
	return out
}

// intents on the posting's Lease.
func (w *world) intents() ownership.Intents {
	w.Helper()
	intents, err := ownership.ParseIntents(w.lease().Annotations[onebidv1.AnnotationIntent])
	w.Expect(err).NotTo(HaveOccurred())
	return intents
}

// placed is what the Bid's condition Placed says.
func (w *world) placed() string {
	w.Helper()
	c := meta.FindStatusCondition(w.stored().Status.Conditions, onebidv1.ConditionPlaced)
	if c == nil {
		return ""
	}
	return string(c.Status) + "/" + c.Reason
}

// cached reads what the caches show, and writes.
func (w *world) cached() client.Client {
	return interceptor.NewClient(w.api, interceptor.Funcs{
		Get: func(ctx context.Context, api client.WithWatch, key client.ObjectKey, into client.Object, opts ...client.GetOption) error {
			if out, ok := into.(*onebidv1.Bid); ok && w.cache != nil {
				w.cache.DeepCopyInto(out)
				return nil
			}
			return api.Get(ctx, key, into, opts...)
		},
		Patch: func(ctx context.Context, api client.WithWatch, o client.Object, patch client.Patch, opts ...client.PatchOption) error {
			if err := w.request("patch bid"); err != nil {
				return err
			}
			return api.Patch(ctx, o, patch, opts...)
		},
		SubResourceUpdate: func(ctx context.Context, api client.Client, _ string, o client.Object, opts ...client.SubResourceUpdateOption) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := w.request("update status"); err != nil {
				return err
			}
			return api.Status().Update(ctx, o, opts...)
		},
	})
}

// live reads past the cache.
func (w *world) live() client.Reader {
	return interceptor.NewClient(w.api, interceptor.Funcs{
		Get: func(ctx context.Context, api client.WithWatch, key client.ObjectKey, into client.Object, opts ...client.GetOption) error {
			name := "read bid"
			if _, ok := into.(*onebidv1.Bid); !ok {
				name = "read namespace"
			}
			if err := w.request(name); err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			return api.Get(ctx, key, into, opts...)
		},
		List: func(ctx context.Context, api client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			if err := w.fails("list"); err != nil {
				return err
			}
			return api.List(ctx, list, opts...)
		},
	})
}

// postings records its calls.
type postings struct{ active, ended []string }

func (p *postings) BidActive(_ context.Context, b *onebidv1.Bid) error {
	p.active = append(p.active, string(b.UID))
	return nil
}

func (p *postings) BidEnded(_ context.Context, _ *onebidv1.Bid, record onebidv1.BidRecord) error {
	p.ended = append(p.ended, record.UID+" "+string(record.Outcome))
	return nil
}

// Eventf is the recorder's.
func (w *world) Eventf(_, _ runtime.Object, _, reason, _, note string, args ...any) {
	w.events[reason] = fmt.Sprintf(note, args...)
}

// count of requests that begin so.
func count(requests []string, prefix string) int {
	return len(slices.DeleteFunc(slices.Clone(requests), func(r string) bool { return !strings.HasPrefix(r, prefix) }))
}

// nextUID is one that nothing has yet.
func (w *world) nextUID() types.UID {
	w.uids++
	return types.UID(fmt.Sprintf("lease-%d", w.uids))
}
