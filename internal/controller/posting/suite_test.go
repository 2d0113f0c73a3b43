package posting_test

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"go.uber.org/goleak"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/controller/posting"
	"github.com/onebid-dev/onebid/internal/testenv"
)

var env *testenv.Environment

func TestMain(m *testing.M) { os.Exit(testenv.Main(m, testenv.Options{WithoutPolicies: true}, &env)) }

// members is a fleet of which this replica is all or nothing.
type members struct {
	mu      sync.Mutex
	idle    bool
	changed func()
}

func (m *members) Owns(string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.idle
}

func (m *members) Subscribe(changed func()) { m.changed = changed }

func (m *members) set(idle bool) {
	m.mu.Lock()
	m.idle = idle
	m.mu.Unlock()
	m.changed()
}

// fixture is one test's manager in its own namespace, with a clock that the work queue obeys too.
type fixture struct {
	*WithT
	t        *testing.T
	ns       string
	members  *members
	clock    *clocktesting.FakeClock
	recorder *posting.Recorder
	cached   client.Client
}

func start(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{
		WithT: NewWithT(t), t: t, ns: env.Namespace(t), members: &members{},
		clock: clocktesting.NewFakeClock(time.Now().Truncate(time.Second)),
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
	f.recorder = posting.NewRecorder(mgr.GetClient(), mgr.GetAPIReader(), f.clock)
	f.Expect(posting.New(posting.Options{
		Client: mgr.GetClient(), APIReader: mgr.GetAPIReader(),
		Members: f.members, Recorder: f.recorder, Clock: f.clock,
		Controller: controller.Options{
			SkipNameValidation: new(true),
			NewQueue: func(
				_ string, limiter workqueue.TypedRateLimiter[reconcile.Request],
			) workqueue.TypedRateLimitingInterface[reconcile.Request] {
				return workqueue.NewTypedRateLimitingQueueWithConfig(limiter,
					workqueue.TypedRateLimitingQueueConfig[reconcile.Request]{Clock: f.clock})
			},
		},
	}).Setup(t.Context(), mgr)).To(Succeed())
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	f.Expect(mgr.GetCache().WaitForCacheSync(ctx)).To(BeTrue())
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

// activate makes a Bid active, as its controller would, but does not record that on the Posting.
func (f *fixture) activate(bid *onebidv1.Bid) {
	f.t.Helper()
	bid.Status = onebidv1.BidStatus{
		ObservedGeneration: bid.Generation, State: onebidv1.StateActive,
		Remote: &onebidv1.RemoteBid{BidID: "r1", PlacedAt: new(metav1.Unix(1000, 0))},
		Conditions: []metav1.Condition{{
			Type: "Placed", Status: "True", Reason: "Placed", Message: "x", LastTransitionTime: metav1.Now(),
		}},
	}
	f.Expect(env.Client.Status().Update(f.t.Context(), bid)).To(Succeed())
}

func (f *fixture) get(of client.Object) *onebidv1.Posting {
	f.t.Helper()
	p := &onebidv1.Posting{}
	f.Expect(env.Client.Get(f.t.Context(), client.ObjectKeyFromObject(of), p)).To(Succeed())
	return p
}

// condition is "<status> <reason>: <message>" of a Posting's condition that speaks of the present generation.
func (f *fixture) condition(of client.Object, kind string) func() string {
	return func() string {
		p := f.get(of)
		c := meta.FindStatusCondition(p.Status.Conditions, kind)
		if c == nil || c.ObservedGeneration != p.Generation || p.Status.ObservedGeneration != p.Generation {
			return "not observed"
		}
		return string(c.Status) + " " + c.Reason + ": " + c.Message
	}
}

// active is the UID in status.activeBid.
func (f *fixture) active(of client.Object) func() string {
	return func() string {
		if a := f.get(of).Status.ActiveBid; a != nil {
			return a.UID
		}
		return ""
	}
}

// writes are the API server's counts of what was written to Postings.
func (f *fixture) writes() testenv.Requests {
	f.t.Helper()
	requests, err := env.Requests(f.t.Context())
	f.Expect(err).NotTo(HaveOccurred())
	return requests.Writes("postings")
}
