// Package integration_test proves on a real API server what an imitation cannot: that the compare-and-swap, the
// preconditions and the watches of Leases are what package ownership takes them for.
package integration_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	"go.uber.org/goleak"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/ownership"
	"github.com/onebid-dev/onebid/internal/testenv"
)

var env *testenv.Environment

func TestMain(m *testing.M) { os.Exit(testenv.Main(m, testenv.Options{Bare: true}, &env)) }

var errLost = errors.New("the connection broke")

// faults are what is wrong with one process's network.
type faults struct {
	next http.RoundTripper
	// down fails requests before they are sent.
	down atomic.Bool
	// losing is the number of writes that take effect and whose replies get lost.
	losing atomic.Int32
	// before is called before each write is sent, if set.
	before atomic.Pointer[func()]
}

func (f *faults) RoundTrip(request *http.Request) (*http.Response, error) {
	if f.down.Load() {
		return nil, errLost
	}
	if request.Method == http.MethodGet {
		return f.next.RoundTrip(request)
	}
	if before := f.before.Swap(nil); before != nil {
		(*before)()
	}
	response, err := f.next.RoundTrip(request)
	if f.losing.Add(-1) >= 0 && err == nil {
		_ = response.Body.Close()
		return nil, errLost
	}
	return response, err
}

// process is one scanner or one replica of the controller: its own identity, clock, memory and network.
type process struct {
	*ownership.Client
	me      ownership.Identity
	members *ownership.Members
	leases  coordinationv1client.CoordinationV1Interface
	net     *faults
}

func newProcess(t *testing.T, me ownership.Identity) *process {
	t.Helper()
	p := &process{me: me, net: &faults{}}
	config := rest.CopyConfig(env.Config)
	config.QPS = -1
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		p.net.next = next
		return p.net
	})
	clientset, err := kubernetes.NewForConfig(config)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	p.leases = clientset.CoordinationV1()
	return p
}

func scanner(t *testing.T, clk clock.Clock, options ...ownership.Option) *process {
	t.Helper()
	p := newProcess(t, ownership.NewIdentity(ownership.RoleScanner, "scanner"))
	p.Client = ownership.NewClient(p.leases, p.me, nil, clk, logr.Discard(), options...)
	return p
}

// replica runs its heartbeat until the test ends, or until kill is called: then it stops without a word.
func replica(t *testing.T, system string, clk clock.Clock) *process {
	t.Helper()
	g := NewWithT(t)
	p := newProcess(t, ownership.NewIdentity(ownership.RoleController, "manager"))
	p.members = ownership.NewMembers(p.leases, system, p.me, ownership.DefaultTiming(), clk, logr.Discard())
	p.Client = ownership.NewClient(p.leases, p.me, p.members, clk, logr.Discard())
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- p.members.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		g.Expect(<-ended).To(Succeed())
	})
	g.Eventually(p.members.Ready, "10s", "5ms").Should(Succeed())
	g.Eventually(p.members.Live, "10s", "5ms").ShouldNot(BeEmpty())
	return p
}

// knows waits until the replica has seen the other's heartbeat.
func (p *process) knows(t *testing.T, other *process) {
	t.Helper()
	NewWithT(t).Eventually(p.members.Live, "10s", "5ms").Should(ContainElement(other.me.String()))
}

// pass lets time go by for a process with a fake clock, whose heartbeat goes on meanwhile.
func (p *process) pass(t *testing.T, clk *clocktesting.FakeClock, d time.Duration) {
	t.Helper()
	g := NewWithT(t)
	for step := time.Second; d > 0; d -= step {
		step = min(step, d)
		g.Eventually(clk.Waiters, "10s", "1ms").Should(Equal(2), "the loops of Members wait for the clock")
		clk.Step(step)
		g.Eventually(p.members.Ready, "10s", "1ms").Should(Succeed())
	}
}

// noLeaks fails the test when it leaves goroutines behind. Idle connections are the transport's to keep.
func noLeaks(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		goleak.VerifyNone(t, before,
			goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
			goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"),
			goleak.IgnoreAnyFunction("net/http.(*http2ClientConn).readLoop"),
			goleak.IgnoreAnyFunction("golang.org/x/net/http2.(*ClientConn).readLoop"))
	})
}

func posting(namespace, id string) ownership.Request {
	return ownership.Request{Namespace: namespace, Key: onebidv1.Key{Marketplace: "freelancer", PostingID: id}}
}

func bid(namespace, id string, uid types.UID, attempt int32) ownership.Request {
	req := posting(namespace, id)
	req.BidUID = uid
	req.Intent = &ownership.Intent{
		Operation: onebidv1.OperationPlace, BidUID: uid, Attempt: attempt, Key: "key-" + string(uid), Time: time.Now(),
	}
	return req
}

func lease(t *testing.T, p *process, namespace, id string) *coordinationv1.Lease {
	t.Helper()
	lease, err := p.Get(t.Context(), namespace, "bid-lock.freelancer."+id)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return lease
}

func edit(t *testing.T, p *process, namespace, id string, change func(*coordinationv1.Lease)) {
	t.Helper()
	changed := lease(t, p, namespace, id)
	change(changed)
	_, err := p.leases.Leases(namespace).Update(t.Context(), changed, metav1.UpdateOptions{})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
}

func isHeld(err error) bool {
	_, held := errors.AsType[*ownership.HeldError](err)
	return held
}
