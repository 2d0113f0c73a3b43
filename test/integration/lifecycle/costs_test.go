package lifecycle_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/testenv"
	"github.com/onebid-dev/onebid/internal/testenv/build"
	"github.com/onebid-dev/onebid/test/harness"
)

// writes counts what is written while do runs, by the API server's own metrics. The API server renews a Lease of its own
// every few seconds; a watch tells when, and those renewals are taken off.
func (x *tenant) writes(do func()) testenv.Requests {
	x.T.Helper()
	own, err := world.Env.Client.Watch(x.T.Context(), &coordinationv1.LeaseList{}, client.InNamespace(metav1.NamespaceSystem))
	x.G.Expect(err).NotTo(HaveOccurred())
	before, since := x.reading()
	do()
	after, until := x.reading()
	writes := after.Since(before).Writes("bids", "leases", "postings", "events")
	writes[updateLease] -= x.renewals(own, since, until)
	if writes[updateLease] == 0 {
		delete(writes, updateLease)
	}
	return writes
}

// reading is the count of requests at a moment at which the API server's own Lease was last renewed at the given time.
func (x *tenant) reading() (testenv.Requests, time.Time) {
	x.T.Helper()
	for {
		renewed := x.renewed()
		requests, err := world.Env.Requests(x.T.Context())
		x.G.Expect(err).NotTo(HaveOccurred())
		if x.renewed().Equal(renewed) {
			return requests, renewed
		}
	}
}

func (x *tenant) renewed() time.Time {
	x.T.Helper()
	var newest time.Time
	leases := &coordinationv1.LeaseList{}
	x.G.Expect(world.Env.Client.List(x.T.Context(), leases, client.InNamespace(metav1.NamespaceSystem))).To(Succeed())
	for _, lease := range leases.Items {
		if at := lease.Spec.RenewTime; at != nil && at.After(newest) {
			newest = at.Time
		}
	}
	return newest
}

// renewals counts the renewals in an interval that a watch of kube-system's Leases has seen, up to a Lease that is created
// now.
func (x *tenant) renewals(leases watch.Interface, since, until time.Time) int {
	x.T.Helper()
	defer leases.Stop()
	end := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, GenerateName: "end-"}}
	x.Create(end)
	count := 0
	for event := range leases.ResultChan() {
		lease, ok := event.Object.(*coordinationv1.Lease)
		if ok && lease.Name == end.Name {
			break
		}
		if ok && event.Type == watch.Modified && lease.Spec.RenewTime.After(since) && !lease.Spec.RenewTime.After(until) {
			count++
		}
	}
	return count
}

var (
	createBid    = testenv.Request{Verb: "POST", Group: "onebid.dev", Resource: "bids"}
	deleteBid    = testenv.Request{Verb: "DELETE", Group: "onebid.dev", Resource: "bids"}
	patchBid     = testenv.Request{Verb: "PATCH", Group: "onebid.dev", Resource: "bids"}
	bidStatus    = testenv.Request{Verb: "PUT", Group: "onebid.dev", Resource: "bids", Subresource: "status"}
	createLease  = testenv.Request{Verb: "POST", Group: "coordination.k8s.io", Resource: "leases"}
	updateLease  = testenv.Request{Verb: "PUT", Group: "coordination.k8s.io", Resource: "leases"}
	updatePostng = testenv.Request{Verb: "PUT", Group: "onebid.dev", Resource: "postings", Subresource: "status"}
)

// rareHeartbeats are flags for the one replica of a test, so that no update of a Lease in its counts is a heartbeat.
var rareHeartbeats = []string{"--heartbeat-duration", "1200s", "--heartbeat-renew-interval", "500s", "--heartbeat-margin", "30s"}

// manager writes from creation to Active: the Lease and the status. From deletion to gone: the Lease and the finalizer.
// One more each way with a Posting.
func TestABidCostsTwoWritesEachWay(t *testing.T) {
	const bids = 20
	// A call that takes long on a busy machine is no unknown outcome, which would be written down.
	x := alone(t, onebidv1.ClassIdempotencyKey, func(m *onebidv1.Marketplace) { m.Spec.TimeoutSeconds = 30 })
	x.Manager(rareHeartbeats...)
	warm := x.State(x.Bid("warm"), onebidv1.StateActive)
	x.Delete(warm)
	x.Gone(warm)
	for _, tc := range []struct {
		name    string
		posting bool
	}{{"alone", false}, {"with-posting", true}} {
		t.Run(tc.name, func(t *testing.T) {
			g := NewWithT(t)
			var made []*onebidv1.Bid
			for i := range bids {
				id := fmt.Sprintf("%s-%d", tc.name, i)
				if tc.posting {
					posting := build.Posting(x.NS, "rest", id)
					x.Create(posting)
					x.G.Eventually(func() bool {
						_ = world.Env.Client.Get(t.Context(), client.ObjectKeyFromObject(posting), posting)
						return meta.IsStatusConditionTrue(posting.Status.Conditions, onebidv1.ConditionFresh)
					}).Should(BeTrue())
				}
				made = append(made, build.Bid(x.NS, "rest", id))
			}
			up := x.writes(func() {
				for _, bid := range made {
					x.Create(bid)
				}
				for _, bid := range made {
					x.State(bid, onebidv1.StateActive)
				}
				x.postings(made, tc.posting, true)
			})
			expected := testenv.Requests{createBid: bids, createLease: bids, bidStatus: bids}
			if tc.posting {
				expected[updatePostng] = bids
			}
			g.Expect(up).To(Equal(expected), "from creation to Active:\n%s", up)
			down := x.writes(func() {
				for _, bid := range made {
					x.Delete(bid)
				}
				for _, bid := range made {
					x.Gone(bid)
				}
			})
			expected = testenv.Requests{deleteBid: bids, updateLease: bids, patchBid: bids}
			if tc.posting {
				expected[updatePostng] = bids
			}
			g.Expect(down).To(Equal(expected), "from deletion to gone:\n%s", down)
		})
	}
}

// postings waits until every Posting says whether its Bid is live.
func (x *tenant) postings(bids []*onebidv1.Bid, have, active bool) {
	x.T.Helper()
	if !have {
		return
	}
	for _, bid := range bids {
		posting := &onebidv1.Posting{}
		x.G.Eventually(func() bool {
			_ = world.Env.Client.Get(x.T.Context(), client.ObjectKeyFromObject(bid), posting)
			return (posting.Status.ActiveBid != nil) == active
		}).Should(BeTrue())
	}
}

// I4: when nothing changes, nothing is written but heartbeats, and nothing is sent.
func TestASettledSystemIsQuiet(t *testing.T) {
	// The first audit comes at a random point of its interval, and would be seen in the ledger.
	x := alone(t, onebidv1.ClassIdempotencyKey, func(m *onebidv1.Marketplace) { m.Spec.AuditIntervalSeconds = 86400 })
	// A replica that stands still for a moment is not to be taken for dead: whoever takes over asks for the account.
	patient := []string{"--heartbeat-duration", "30s", "--heartbeat-margin", "5s"}
	x.Manager(patient...)
	x.Manager(patient...)
	x.Create(build.Posting(x.NS, "rest", "p"))
	active := x.State(x.Bid("p"), onebidv1.StateActive)
	x.postings([]*onebidv1.Bid{active}, true, true)
	withdrawn := x.State(x.Bid("w"), onebidv1.StateActive)
	x.Withdraw(withdrawn, "no")
	x.State(withdrawn, onebidv1.StateWithdrawn)
	x.G.Eventually(func() int32 {
		mkt := &onebidv1.Marketplace{}
		_ = world.Env.Client.Get(t.Context(), harness.KeyOf(x.NS, "rest"), mkt)
		if mkt.Status.ActiveBids == nil {
			return -1
		}
		return *mkt.Status.ActiveBids
	}).Should(BeEquivalentTo(1))
	x.G.Eventually(func() testenv.Requests {
		writes := x.written(2 * time.Second)
		delete(writes, updateLease)
		return writes
	}).Should(BeEmpty(), "events, and the finalizer on the Secret, come a moment after the status that they are about")
	calls := len(x.Ledger())
	writes := x.written(time.Minute)
	x.G.Expect(writes[updateLease]).To(BeNumerically(">", 100), "two replicas' heartbeats, so the count counts")
	delete(writes, updateLease)
	for _, leases := range x.PostingLeases() {
		x.G.Expect(leases.CreationTimestamp.Time).To(BeTemporally("<", time.Now().Add(-time.Minute)))
		x.G.Expect(leases.Spec.RenewTime.Time).To(BeTemporally("<", time.Now().Add(-time.Minute)), "a posting's Lease is not renewed")
	}
	x.G.Expect(writes).To(BeEmpty(), "in a quiet minute:\n%s", writes)
	x.G.Expect(x.Ledger()).To(HaveLen(calls), "nothing was sent")
}

// written is what is written in so long a time.
func (x *tenant) written(d time.Duration) testenv.Requests {
	x.T.Helper()
	before, err := world.Env.Requests(x.T.Context())
	x.G.Expect(err).NotTo(HaveOccurred())
	idle(x.T.Context(), d)
	after, err := world.Env.Requests(x.T.Context())
	x.G.Expect(err).NotTo(HaveOccurred())
	return after.Since(before).Writes()
}

// idle lets time pass: what is tested is that nothing happens in it.
func idle(ctx context.Context, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-ctx.Done()
}

// With nothing else to do and a marketplace that answers at once a bid is live in a moment. The figures are printed; what
// fails the test is only an order of magnitude, since machines that run tests are shared.
func TestTimeToActive(t *testing.T) {
	const bids = 100
	x := alone(t, onebidv1.ClassIdempotencyKey)
	x.Binary = world.Binary
	x.Manager()
	x.State(x.Bid("warm"), onebidv1.StateActive)
	watching, err := world.Env.Admin().Client.Watch(t.Context(), &onebidv1.BidList{}, client.InNamespace(x.NS))
	x.G.Expect(err).NotTo(HaveOccurred())
	defer watching.Stop()
	var took []time.Duration
	for i := range bids {
		bid := build.Bid(x.NS, "rest", fmt.Sprintf("t-%d", i))
		x.Create(bid)
		start := time.Now()
		for event := range watching.ResultChan() {
			seen, ok := event.Object.(*onebidv1.Bid)
			if event.Type == watch.Modified && ok && seen.UID == bid.UID && seen.Status.State == onebidv1.StateActive {
				break
			}
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	p50, p99 := took[bids/2], took[bids*99/100]
	t.Logf("time to Active over %d bids, one after another: p50 %s, p99 %s, max %s", bids, p50, p99, took[bids-1])
	x.G.Expect(p50).To(BeNumerically("<", time.Second))
}
