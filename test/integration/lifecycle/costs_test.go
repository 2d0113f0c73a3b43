package lifecycle_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/testenv"
	"github.com/onebid-dev/onebid/internal/testenv/build"
	"github.com/onebid-dev/onebid/test/harness"
)

// counted starts managers whose writes are counted. A heartbeat that lasts a minute has no lapse on a busy machine: after a lapse
// each Lease would be asserted again.
func (x *tenant) counted(replicas int, flags ...string) *harness.Proxy {
	x.T.Helper()
	flags = append([]string{"--heartbeat-duration=60s", "--heartbeat-margin=5s"}, flags...)
	api := x.Proxy()
	for range replicas {
		x.Manager(append([]string{"--kubeconfig", api.Kubeconfig}, flags...)...)
	}
	return api
}

// writes counts what the managers write in the tenant's namespace while do runs.
func (x *tenant) writes(api *harness.Proxy, do func()) testenv.Requests {
	x.T.Helper()
	before := api.Writes(x.NS)
	do()
	return api.Writes(x.NS).Since(before)
}

// ofABid are the resources that are written for a Bid.
var ofABid = []string{"bids", "leases", "postings", "events"}

var (
	patchBid     = testenv.Request{Verb: "PATCH", Group: "onebid.dev", Resource: "bids"}
	bidStatus    = testenv.Request{Verb: "PUT", Group: "onebid.dev", Resource: "bids", Subresource: "status"}
	createLease  = testenv.Request{Verb: "POST", Group: "coordination.k8s.io", Resource: "leases"}
	updateLease  = testenv.Request{Verb: "PUT", Group: "coordination.k8s.io", Resource: "leases"}
	updatePostng = testenv.Request{Verb: "PUT", Group: "onebid.dev", Resource: "postings", Subresource: "status"}
)

// Amanager writes from creation to Active: the Lease and the status. From deletion to gone: the Lease and the finalizer.
// One more each way with a Posting.
func TestABidCostsTwoWritesEachWay(t *testing.T) {
	const bids = 20
	// A call that takes long on a busy machine is no unknown outcome, which would be written down.
	x := newTenant(t, onebidv1.ClassIdempotencyKey, func(m *onebidv1.Marketplace) { m.Spec.TimeoutSeconds = 30 })
	api := x.counted(1)
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
			up := x.writes(api, func() {
				for _, bid := range made {
					x.Create(bid)
				}
				for _, bid := range made {
					x.State(bid, onebidv1.StateActive)
				}
				x.postings(made, tc.posting, true)
			}).Writes(ofABid...)
			expected := testenv.Requests{createLease: bids, bidStatus: bids}
			if tc.posting {
				expected[updatePostng] = bids
			}
			g.Expect(up).To(Equal(expected), "from creation to Active:\n%s", up)
			down := x.writes(api, func() {
				for _, bid := range made {
					x.Delete(bid)
				}
				for _, bid := range made {
					x.Gone(bid)
				}
			}).Writes(ofABid...)
			expected = testenv.Requests{updateLease: bids, patchBid: bids}
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
	x := newTenant(t, onebidv1.ClassIdempotencyKey, func(m *onebidv1.Marketplace) { m.Spec.AuditIntervalSeconds = 86400 })
	// A replica that stands still for a moment is not to be taken for dead: whoever takes over asks for the account.
	api := x.counted(2)
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
	// Events, and the finalizer on the Secret, come a moment after the status that they are about.
	x.G.Eventually(func() testenv.Requests {
		return x.writes(api, func() { idle(t.Context(), 2*time.Second) })
	}).Should(BeEmpty())
	calls, heartbeats := len(x.Ledger()), api.Writes(x.System).Total()
	writes := x.writes(api, func() { idle(t.Context(), time.Minute) })
	x.G.Expect(api.Writes(x.System).Total()-heartbeats).To(BeNumerically(">", 100), "two replicas' heartbeats, so the count counts")
	for _, leases := range x.PostingLeases() {
		x.G.Expect(leases.CreationTimestamp.Time).To(BeTemporally("<", time.Now().Add(-time.Minute)))
		x.G.Expect(leases.Spec.RenewTime.Time).To(BeTemporally("<", time.Now().Add(-time.Minute)), "a posting's Lease is not renewed")
	}
	x.G.Expect(writes).To(BeEmpty(), "in a quiet minute:\n%s", writes)
	x.G.Expect(x.Ledger()).To(HaveLen(calls), "nothing was sent")
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
