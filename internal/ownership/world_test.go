package ownership

import (
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/testenv/fakeapi"
)

var (
	leaseResource = coordinationv1.Resource("leases")
	epochStart    = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	key           = onebidv1.Key{Marketplace: "freelancer", PostingID: "39211345"}
)

const (
	leaseName = "bid-lock.freelancer.39211345"
	namespace = "tenant"
)

// leaseAPI is the API server with its Leases; every process reaches it by the same connection.
type leaseAPI struct {
	*fakeapi.Client
	*fakeapi.Faults

	server *fakeapi.Server
}

func newLeaseAPI(clk clock.PassiveClock) *leaseAPI {
	server, faults := fakeapi.New(clk.Now), &fakeapi.Faults{}
	return &leaseAPI{Client: server.Client(faults.Do), Faults: faults, server: server}
}

// Requests returns the verbs since the last call.
func (a *leaseAPI) Requests() (verbs []string) {
	for _, r := range a.Faults.Requests() {
		verbs = append(verbs, r.Verb)
	}
	return verbs
}

// Lease is the Lease as it is, or nil.
func (a *leaseAPI) Lease(ref string) *coordinationv1.Lease {
	namespace, name, _ := strings.Cut(ref, "/")
	return fakeapi.Stored[*coordinationv1.Lease](a.server, namespace, name)
}

// Edit changes a Lease past all clients, making it when there is none.
func (a *leaseAPI) Edit(ref string, edit func(*coordinationv1.Lease)) *coordinationv1.Lease {
	namespace, name, _ := strings.Cut(ref, "/")
	return fakeapi.Edit(a.server, namespace, name, edit)
}

// Remove deletes a Lease past all clients.
func (a *leaseAPI) Remove(ref string) {
	namespace, name, _ := strings.Cut(ref, "/")
	fakeapi.Remove[*coordinationv1.Lease](a.server, namespace, name)
}

// world is one API and one fake clock that all processes share.
type world struct {
	*testing.T
	*GomegaWithT
	api   *leaseAPI
	clock *clocktesting.FakeClock
}

func newWorld(t *testing.T) *world {
	t.Helper()
	clk := clocktesting.NewFakeClock(epochStart)
	return &world{T: t, GomegaWithT: NewWithT(t), api: newLeaseAPI(clk), clock: clk}
}

// replica is a controller whose heartbeat a test renews by hand.
type replica struct {
	*Client
	members *Members
}

func (w *world) replica(host string) *replica {
	w.Helper()
	me := NewIdentity(RoleController, host)
	members := NewMembers(w.api, "onebid-system", me, DefaultTiming(), w.clock, logr.Discard())
	members.setSynced()
	w.Expect(members.own.renew(w.Context())).To(Succeed())
	members.refresh()
	w.api.Requests()
	return &replica{Client: NewClient(w.api, me, members, w.clock, logr.Discard()), members: members}
}

// sees makes the replica know of the other's heartbeat as its watch would.
func (w *world) sees(r, other *replica) {
	w.Helper()
	r.members.onHeartbeat(w.api.Lease(other.members.own.ref()))
}

func (w *world) scanner(host string) *Client {
	return NewClient(w.api, NewIdentity(RoleScanner, host), nil, w.clock, logr.Discard())
}

// renew renews the heartbeats of the replicas.
func (w *world) renew(replicas ...*replica) {
	w.Helper()
	for _, r := range replicas {
		w.Expect(r.members.own.renew(w.Context())).To(Succeed())
	}
	w.api.Requests()
}

// lease is the posting's Lease as it is.
func (w *world) lease() *coordinationv1.Lease { return w.api.Lease(namespace + "/" + leaseName) }

// until blocks until the condition is true; the condition becomes true by goroutines that need no clock step.
func (w *world) until(condition func() bool) {
	w.Helper()
	w.Eventually(condition, "10s", "1ms").Should(BeTrue())
}

func request(uid types.UID, intent *Intent) Request {
	return Request{Namespace: namespace, Key: key, BidUID: uid, Intent: intent}
}

func placing(uid types.UID, attempt int32) *Intent {
	return &Intent{
		Operation: onebidv1.OperationPlace, BidUID: uid, Attempt: attempt, Key: "key-" + string(uid), Time: epochStart,
	}
}
