package marketplace_test

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/util/workqueue"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/controller/marketplace"
	contract "github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/account"
	httpdriver "github.com/onebid-dev/onebid/internal/marketplace/http"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
	"github.com/onebid-dev/onebid/internal/secretwatch"
	"github.com/onebid-dev/onebid/internal/testenv"
)

var env *testenv.Environment

func TestMain(m *testing.M) { os.Exit(testenv.Main(m, testenv.Options{WithoutPolicies: true}, &env)) }

// members is a fleet of which this replica is all or nothing.
type members struct {
	mu        sync.Mutex
	idle      bool
	listeners []func()
}

func (m *members) Owns(key string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.idle && strings.HasPrefix(key, "marketplace/")
}

func (m *members) Subscribe(changed func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.listeners = append(m.listeners, changed)
}

func (m *members) set(idle bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.idle = idle
	for _, changed := range m.listeners {
		changed()
	}
}

// site stands for the marketplaces: it builds drivers and answers for the accounts.
type site struct {
	contract.Driver

	mu        sync.Mutex
	built     int
	asked     int
	tokens    map[string]string // account by accepted token
	down      bool
	connected map[types.NamespacedName]*driver
	health    account.Health
	changed   func(types.NamespacedName)
	opened    map[*account.Account]*driver
	registry  *account.Registry // that accounts are opened in, if it matters
}

type driver struct {
	contract.Driver
	site  *site
	token string
	of    types.NamespacedName
}

// factory compiles what is described, as the real one does, but what it builds calls nobody.
func (s *site) factory(
	ctx context.Context, spec *onebidv1.MarketplaceSpec, credentials map[string][]byte,
) (contract.Driver, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.built++
	described, err := httpdriver.Factory(wire.Options{})(ctx, spec, credentials)
	if err != nil {
		return nil, err
	}
	return &driver{Driver: described, site: s, token: string(credentials["token"])}, nil
}

func (d *driver) Account(context.Context, contract.Pacer) (string, error) {
	d.site.mu.Lock()
	defer d.site.mu.Unlock()
	d.site.asked++
	id, known := d.site.tokens[d.token]
	switch {
	case d.site.down:
		return "", &contract.Error{Class: onebidv1.ErrorTransient, Operation: "account", Message: "503"}
	case !known:
		return "", &contract.Error{Class: onebidv1.ErrorAuth, Operation: "account", Message: "401"}
	}
	return id, nil
}

// connections are the drivers that others may use.
type connections struct{ *site }

func (s connections) Open(m *onebidv1.Marketplace, d contract.Driver, settle time.Duration) *account.Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	registry := s.registry
	if registry == nil {
		registry = account.NewRegistry(account.Options{})
	}
	a := registry.Open(m, d, settle)
	built, _ := d.(*driver)
	built.of = client.ObjectKeyFromObject(m)
	s.opened[a] = built
	return a
}

func (s connections) Set(a *account.Account) *account.Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.opened[a]
	s.connected[d.of] = d
	return a
}

func (s connections) Health(types.NamespacedName) (account.Health, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.health, s.health.Breaker != ""
}

// SubscribeHealth remembers the function.
func (s *site) SubscribeHealth(changed func(types.NamespacedName)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed = changed
}

func (s connections) Delete(name types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.connected, name)
}

func (s connections) Forget(name types.NamespacedName) { s.Delete(name) }

func (s *site) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// fixture is one test's manager in its own namespace, with a clock that the work queue obeys too.
type fixture struct {
	*WithT
	t       *testing.T
	ns      string
	site    *site
	members *members
	clock   *clocktesting.FakeClock
	cached  client.Client
}

func start(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{
		WithT: NewWithT(t), t: t, ns: env.Namespace(t), members: &members{},
		site: &site{
			tokens: map[string]string{"": "anybody", "good": "me"}, connected: map[types.NamespacedName]*driver{},
			opened: map[*account.Account]*driver{},
		},
		clock: clocktesting.NewFakeClock(time.Now()),
	}
	f.SetDefaultEventuallyTimeout(40 * time.Second)
	f.SetDefaultEventuallyPollingInterval(10 * time.Millisecond)
	leaks := goleak.IgnoreCurrent()
	mgr, err := ctrl.NewManager(env.Config, ctrl.Options{
		Scheme:  env.Scheme,
		Metrics: server.Options{BindAddress: "0"},
		Cache:   cache.Options{DefaultNamespaces: map[string]cache.Config{f.ns: {}}},
	})
	f.Expect(err).NotTo(HaveOccurred())
	f.cached = mgr.GetClient()
	f.Expect(mgr.GetFieldIndexer().IndexField(t.Context(), &onebidv1.Bid{}, "spec.marketplace",
		func(o client.Object) []string { return []string{o.(*onebidv1.Bid).Spec.Marketplace} })).To(Succeed())
	secrets, err := metadata.NewForConfig(env.Config)
	f.Expect(err).NotTo(HaveOccurred())
	f.Expect(marketplace.New(marketplace.Options{
		Client: mgr.GetClient(), APIReader: mgr.GetAPIReader(), Metrics: marketplace.NewMetrics(),
		Members: f.members, Secrets: secretwatch.New(secrets), Factory: f.site.factory,
		Connections: connections{f.site}, Clock: f.clock,
		SettleTime: func(spec *onebidv1.MarketplaceSpec) time.Duration {
			return time.Duration(spec.TimeoutSeconds) * time.Second
		},
		Controller: controller.Options{
			SkipNameValidation: new(true),
			NewQueue: func(
				_ string, limiter workqueue.TypedRateLimiter[reconcile.Request],
			) workqueue.TypedRateLimitingInterface[reconcile.Request] {
				return workqueue.NewTypedRateLimitingQueueWithConfig(limiter,
					workqueue.TypedRateLimitingQueueConfig[reconcile.Request]{Clock: f.clock})
			},
		},
	}).Setup(mgr)).To(Succeed())
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("manager: %v", err)
		}
		goleak.VerifyNone(t, leaks,
			goleak.IgnoreTopFunction("internal/poll.runtime_pollWait"), // idle connections to the API server
			goleak.IgnoreAnyFunction("net/http.(*http2ClientConn).readLoop"),
		)
	})
	return f
}

func (f *fixture) create(objects ...client.Object) {
	f.t.Helper()
	for _, object := range objects {
		f.Expect(env.Client.Create(f.t.Context(), object)).To(Succeed())
	}
}

func (f *fixture) secret(name, token string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: f.ns, Name: name}, Data: map[string][]byte{"token": []byte(token)},
	}
}

// get reads the Marketplace "m"; nil when it is gone.
func (f *fixture) get() *onebidv1.Marketplace {
	m := &onebidv1.Marketplace{}
	if err := env.Client.Get(f.t.Context(), types.NamespacedName{Namespace: f.ns, Name: "m"}, m); err != nil {
		return nil
	}
	return m
}

// update changes the Marketplace "m", again when somebody else was faster.
func (f *fixture) update(change func(*onebidv1.Marketplace)) {
	f.t.Helper()
	f.Eventually(func() error {
		m := f.get()
		change(m)
		return env.Client.Update(f.t.Context(), m)
	}).Should(Succeed())
}

// condition is "<status> <reason>: <message>" of a condition of "m" that speaks of the present generation.
func (f *fixture) condition(kind string) func() string {
	return func() string {
		m := f.get()
		if m == nil {
			return "gone"
		}
		c := meta.FindStatusCondition(m.Status.Conditions, kind)
		if c == nil || c.ObservedGeneration != m.Generation || m.Status.ObservedGeneration != m.Generation {
			return "not observed"
		}
		return string(c.Status) + " " + c.Reason + ": " + c.Message
	}
}

// token is the one by which others may call the marketplace now, or "not connected".
func (f *fixture) token() func() string {
	return func() string {
		f.site.mu.Lock()
		defer f.site.mu.Unlock()
		d := f.site.connected[types.NamespacedName{Namespace: f.ns, Name: "m"}]
		if d == nil {
			return "not connected"
		}
		return d.token
	}
}

func (f *fixture) asked() int {
	f.site.mu.Lock()
	defer f.site.mu.Unlock()
	return f.site.asked
}

// writes are the API server's counts of what was written to Marketplaces.
func (f *fixture) writes() testenv.Requests {
	f.t.Helper()
	requests, err := env.Requests(f.t.Context())
	f.Expect(err).NotTo(HaveOccurred())
	return requests.Writes("marketplaces")
}
