package audit

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/account"
	"github.com/onebid-dev/onebid/internal/ownership"
)

const (
	settle = 12 * time.Second
	slack  = 2 * time.Second
)

var (
	start     = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	mktName   = types.NamespacedName{Namespace: "ns", Name: "rest"}
	leaseName = types.NamespacedName{Namespace: "ns", Name: "bid-lock.rest.1"}
)

// world is one audited Marketplace, with the API server and the marketplace in memory and a journal of what was asked of
// the marketplace.
type world struct {
	*testing.T
	*GomegaWithT
	api        client.WithWatch
	clock      *clocktesting.FakeClock
	market     *market
	leases     *ownership.Client
	reasons    []string
	reconciler *Reconciler
	// conn makes another connection.
	conn func()
	// between is called between the two looks.
	between func()
	// follows is true for a replica other than the one that audits the whole Marketplace.
	follows bool
}

func newWorld(t *testing.T, orphans onebidv1.OrphanPolicy, objects ...client.Object) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	g := NewWithT(t)
	g.Expect(onebidv1.AddToScheme(scheme)).To(Succeed())
	g.Expect(coordinationv1.AddToScheme(scheme)).To(Succeed())
	mkt := &onebidv1.Marketplace{
		ObjectMeta: metav1.ObjectMeta{Namespace: mktName.Namespace, Name: mktName.Name, UID: "mkt"},
		Spec: onebidv1.MarketplaceSpec{
			Class: onebidv1.ClassIdempotencyKey, Orphans: orphans, TimeoutSeconds: 10, AuditIntervalSeconds: 600,
			Lock: onebidv1.MarketplaceLock{TTLSeconds: 300}, RebidCooldownSeconds: ptr.To[int32](300),
		},
	}
	w := &world{T: t, GomegaWithT: g, clock: clocktesting.NewFakeClock(start)}
	w.api = fake.NewClientBuilder().WithScheme(scheme).WithObjects(append(objects, mkt)...).WithStatusSubresource(&onebidv1.Bid{}).
		WithIndex(&onebidv1.Bid{}, "spec.marketplace", func(o client.Object) []string { return []string{o.(*onebidv1.Bid).Spec.Marketplace} }).
		Build()
	w.market = &market{clock: w.clock, calls: map[string]time.Time{}}
	w.identity("a")
	return w
}

// restart makes a process that remembers nothing. It still holds the Leases, unless it gets another identity.
func (w *world) restart() {
	w.Helper()
	connections := account.NewRegistry(account.Options{Clock: w.clock})
	w.conn = func() {
		mkt := &onebidv1.Marketplace{}
		w.Expect(w.api.Get(w.Context(), mktName, mkt)).To(Succeed())
		connections.Connect(mkt, w.market, settle)
	}
	w.conn()
	w.Cleanup(func() { connections.Forget(mktName) })
	w.reconciler = New(Options{
		Client: w.api, Live: w.api, ListLeases: w.listLeases, Members: w, Connections: connections, Events: w,
		Leases: w.leases, Metrics: NewMetrics(), Slack: slack, Clock: w.clock, Wall: w.clock, Jitter: func() float64 { return 0 },
	})
}

// pause is what the marketplace asks for.
func (w *world) pause(d time.Duration) {
	conn, _ := w.reconciler.Connections.Get(mktName)
	conn.Limiter().Pause(w.clock.Now().Add(d), onebidv1.ReasonRateLimited)
}

func (w *world) identity(host string) {
	w.leases = ownership.NewClient(leases{w.api}, ownership.NewIdentity(ownership.RoleController, host), nil, w.clock, logr.Discard())
}

// reconcile takes one step, which waits for nothing: the clock stands still meanwhile.
func (w *world) reconcile() time.Duration {
	w.Helper()
	result, err := w.reconciler.Reconcile(w.Context(), reconcile.Request{NamespacedName: mktName})
	w.Expect(err).NotTo(HaveOccurred())
	return result.RequeueAfter
}

// audit is a whole one by a process that remembers nothing. What happens between the looks is for between to say.
func (w *world) audit() {
	w.Helper()
	w.restart()
	wait := w.reconcile()
	if len(w.reconciler.memories.get(mktName).cases) == 0 {
		return
	}
	w.Expect(wait).To(Equal(settle + slack))
	if w.between != nil {
		w.between()
	}
	w.clock.Step(wait)
	w.reconcile()
	w.Expect(w.reconciler.memories.get(mktName).cases).To(BeEmpty())
}

func (w *world) listLeases(ctx context.Context, namespace string) ([]*coordinationv1.Lease, error) {
	list := &coordinationv1.LeaseList{}
	err := w.api.List(ctx, list, client.InNamespace(namespace))
	var out []*coordinationv1.Lease
	for i := range list.Items {
		out = append(out, &list.Items[i])
	}
	return out, err
}

// Owns, Subscribe and Eventf are the fleet's and the people's.
func (w *world) Owns(string) bool { return !w.follows }

func (*world) Subscribe(func()) {}

func (w *world) Eventf(_, _ runtime.Object, _, reason, _, _ string, _ ...any) {
	w.reasons = append(w.reasons, reason)
}

func (w *world) lease() *coordinationv1.Lease {
	w.Helper()
	out := &coordinationv1.Lease{}
	w.Expect(w.api.Get(w.Context(), leaseName, out)).To(Succeed())
	return out
}

// market lists its bids, and takes them back unless it is stubborn.
type market struct {
	marketplace.Driver
	clock    *clocktesting.FakeClock
	bids     []marketplace.Bid
	calls    map[string]time.Time
	account  string
	stubborn bool
	// after is called once, after the call of this name.
	after map[string]func()
}

func (m *market) note(call string) { m.calls[call] = m.clock.Now() }

func (*market) Capabilities() marketplace.Capabilities {
	return marketplace.Capabilities{StoresKey: true, SendsKey: true, CanList: true, CanWithdraw: true}
}

func (m *market) happen(call string) {
	if f := m.after[call]; f != nil {
		delete(m.after, call)
		f()
	}
}

func (m *market) Account(context.Context, marketplace.Pacer) (string, error) {
	m.happen("account")
	return m.account, nil
}

func (m *market) List(context.Context, marketplace.Pacer) ([]marketplace.Bid, error) {
	return slices.Clone(m.bids), nil
}

func (m *market) Lookup(context.Context, marketplace.Pacer, string) ([]marketplace.Bid, error) {
	m.note("look")
	m.happen("look")
	return slices.Clone(m.bids), nil
}

func (m *market) Get(_ context.Context, _ marketplace.Pacer, ref marketplace.Ref) (marketplace.Bid, error) {
	m.note("get " + ref.BidID)
	return m.bids[slices.IndexFunc(m.bids, func(b marketplace.Bid) bool { return b.ID == ref.BidID })], nil
}

func (m *market) Withdraw(_ context.Context, _ marketplace.Pacer, ref marketplace.Ref, _ string) error {
	m.note("withdraw " + ref.BidID)
	if !m.stubborn {
		m.bids[slices.IndexFunc(m.bids, func(b marketplace.Bid) bool { return b.ID == ref.BidID })].State = onebidv1.RemoteWithdrawn
	}
	return nil
}

// leases are the API server's, as client-go offers them.
type leases struct{ api client.Client }

func (l leases) Leases(namespace string) coordinationv1client.LeaseInterface {
	return leaseClient{api: l.api, namespace: namespace}
}

type leaseClient struct {
	coordinationv1client.LeaseInterface
	api       client.Client
	namespace string
}

func (c leaseClient) Create(ctx context.Context, lease *coordinationv1.Lease, _ metav1.CreateOptions) (*coordinationv1.Lease, error) {
	out := lease.DeepCopy()
	return out, c.api.Create(ctx, out)
}

func (c leaseClient) Update(ctx context.Context, lease *coordinationv1.Lease, _ metav1.UpdateOptions) (*coordinationv1.Lease, error) {
	out := lease.DeepCopy()
	return out, c.api.Update(ctx, out)
}

func (c leaseClient) Get(ctx context.Context, name string, _ metav1.GetOptions) (*coordinationv1.Lease, error) {
	out := &coordinationv1.Lease{}
	return out, c.api.Get(ctx, types.NamespacedName{Namespace: c.namespace, Name: name}, out)
}
