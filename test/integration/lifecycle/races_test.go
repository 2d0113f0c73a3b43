package lifecycle_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketsim"
	"github.com/onebid-dev/onebid/internal/testenv/build"
	"github.com/onebid-dev/onebid/test/harness"
)

// 500 bids at a marketplace that refuses, stalls, loses replies and closes connections, two replicas, one of which is
// killed: no posting has two, none is lost, nothing is left over when all are withdrawn.
func TestManyBidsWithRetries(t *testing.T) {
	const bids = 500
	x := newTenant(t, onebidv1.ClassIdempotencyKey, func(m *onebidv1.Marketplace) {
		m.Spec.RebidCooldownSeconds = ptr.To[int32](0)
		m.Spec.Retry.ManualReviewAfter = 1000
	})
	for _, f := range []marketsim.Fault{
		{Verb: "place", Status: 503, Times: 40},
		{Verb: "place", Status: 429, RetryAfter: "1", Times: 10},
		{Verb: "place", Commit: "before", Reply: "drop", Times: 40},
		{Verb: "place", Commit: "before", Reply: "truncate", Times: 20},
		{Verb: "place", Commit: "before", Status: 500, Times: 20},
		{Verb: "withdraw", Status: 503, Times: 40},
		{Verb: "withdraw", Commit: "before", Reply: "drop", Times: 40},
		{Verb: "lookup", Status: 500, Times: 20},
	} {
		x.Fault(f)
	}
	victim := x.Manager()
	survivor := x.Manager()
	x.each(100, func(i int) error {
		return world.Env.Client.Create(t.Context(), build.Bid(x.NS, "rest", fmt.Sprintf("warm-%d", i)))
	})
	x.G.Eventually(x.inState(onebidv1.StateActive)).WithTimeout(time.Minute).Should(Equal(100), x.others)
	goroutines := survivor.Goroutines(x.Tenant)
	x.G.Expect(world.Env.Client.DeleteAllOf(t.Context(), &onebidv1.Bid{}, client.InNamespace(x.NS))).To(Succeed())
	x.G.Eventually(x.count).WithTimeout(time.Minute).Should(BeZero(), x.others)

	made := make([]*onebidv1.Bid, bids)
	x.each(bids, func(i int) error {
		made[i] = build.Bid(x.NS, "rest", fmt.Sprintf("p-%d", i))
		return world.Env.Client.Create(t.Context(), made[i])
	})
	x.G.Eventually(func() int { return x.totals().PlaceCalls }).Should(BeNumerically(">", bids/4))
	victim.Kill()
	x.G.Eventually(x.inState(onebidv1.StateActive)).WithTimeout(4*time.Minute).WithPolling(time.Second).Should(Equal(bids), x.others)
	x.G.Expect(x.totals().LivePostings).To(Equal(bids))

	x.each(bids, func(i int) error {
		if i%2 == 0 {
			return world.Env.Client.Delete(t.Context(), made[i])
		}
		patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"withdraw":{"reason":"test"}}}`))
		return world.Env.Client.Patch(t.Context(), made[i].DeepCopy(), patch)
	})
	x.G.Eventually(x.inState(onebidv1.StateWithdrawn)).WithTimeout(4*time.Minute).WithPolling(time.Second).Should(Equal(bids/2), x.others)
	x.G.Eventually(x.count).WithTimeout(time.Minute).Should(Equal(bids/2), x.others)
	x.G.Expect(x.totals().Live).To(BeZero())
	x.G.Expect(x.totals().PlacedTwice).To(BeZero())

	// A Bid says that it is withdrawn before its Lease does.
	x.G.Eventually(func() (leaked []string) {
		for _, lease := range x.PostingLeases() {
			if ptr.Deref(lease.Spec.HolderIdentity, "") != "" || lease.Annotations[onebidv1.AnnotationEndedAt] == "" {
				leaked = append(leaked, lease.Name)
			}
		}
		return leaked
	}).WithPolling(time.Second).Should(BeEmpty())
	x.G.Eventually(func() float64 { return survivor.Goroutines(x.Tenant) }).Should(BeNumerically("<", goroutines+30), "goroutines leaked")
}

func (x *tenant) totals() marketsim.Totals {
	x.T.Helper()
	summary, err := world.Sim.Summary(x.T.Context(), x.Market)
	x.G.Expect(err).NotTo(HaveOccurred())
	return summary.Totals
}

// each does something for every index, 32 at a time.
func (x *tenant) each(n int, do func(i int) error) {
	x.T.Helper()
	indexes := make(chan int)
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for i := range indexes {
				if err := do(i); err != nil {
					x.T.Errorf("%d: %v", i, err)
				}
			}
		})
	}
	for i := range n {
		indexes <- i
	}
	close(indexes)
	wg.Wait()
}

func (x *tenant) bids(opts ...client.ListOption) []onebidv1.Bid {
	x.T.Helper()
	list := &onebidv1.BidList{}
	x.G.Expect(world.Env.Client.List(x.T.Context(), list, append(opts, client.InNamespace(x.NS))...)).To(Succeed())
	return list.Items
}

func (x *tenant) inState(state onebidv1.BidState) func() int {
	return func() int { return len(x.bids(client.MatchingFields{"status.state": string(state)})) }
}

func (x *tenant) count() int { return len(x.bids()) }

// others shows some Bids that are where they should not stay.
func (x *tenant) others() string {
	out := ""
	bids := slices.DeleteFunc(x.bids(), func(b onebidv1.Bid) bool {
		live := b.Status.State == onebidv1.StateActive && b.DeletionTimestamp.IsZero() && b.Spec.Withdraw == nil
		return live || b.Status.State == onebidv1.StateWithdrawn
	})
	for i := range min(len(bids), 5) {
		out += harness.Describe(&bids[i])
	}
	return fmt.Sprintf("%d are elsewhere, such as\n%s", len(bids), out)
}

// A manager is killed and replaced in whatever state its Bids happen to be.
func TestRestartInEveryState(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fault marketsim.Fault
		until func(x *tenant, bid *onebidv1.Bid)
		then  func(x *tenant, bid *onebidv1.Bid)
	}{
		{
			name:  "while the call is under way and never takes effect",
			fault: marketsim.Fault{Verb: "place", DelayMillis: 60000, Status: 503, Times: 1},
			until: func(x *tenant, _ *onebidv1.Bid) {
				x.G.Eventually(func() int { return x.Row("1").PlaceCalls }).Should(Equal(1))
			},
			then: func(x *tenant, bid *onebidv1.Bid) { x.State(bid, onebidv1.StateActive) },
		},
		{
			name: "while it waits for the next attempt", fault: marketsim.Fault{Verb: "place", Status: 429, RetryAfter: "8", Times: 1},
			until: func(x *tenant, bid *onebidv1.Bid) {
				x.Reason(bid, onebidv1.ConditionPlaced, onebidv1.ReasonRateLimited)
			},
			then: func(x *tenant, bid *onebidv1.Bid) {
				x.State(bid, onebidv1.StateActive)
				calls := x.Calls("place", "1")
				x.G.Expect(calls[1].Time.Sub(calls[0].Time)).To(BeNumerically(">=", 8*time.Second), "a restart does not shorten a backoff")
			},
		},
		{
			name: "while it is live", fault: marketsim.Fault{Verb: "me", Posting: "no such", Times: 1},
			until: func(x *tenant, bid *onebidv1.Bid) { x.State(bid, onebidv1.StateActive) },
			then: func(x *tenant, bid *onebidv1.Bid) {
				x.Delete(bid)
				x.Gone(bid)
				x.G.Expect(x.Row("1").PlaceCalls).To(Equal(1))
			},
		},
		{
			name: "while the withdrawal is under way", fault: marketsim.Fault{Verb: "withdraw", DelayMillis: 60000, Commit: "before", Times: 1},
			until: func(x *tenant, bid *onebidv1.Bid) {
				x.State(bid, onebidv1.StateActive)
				x.Delete(bid)
				x.G.Eventually(func() int { return x.Row("1").Live }).Should(BeZero())
			},
			then: func(x *tenant, bid *onebidv1.Bid) { x.Gone(bid) },
		},
		{
			name: "while the withdrawal fails", fault: marketsim.Fault{Verb: "withdraw", Status: 503},
			until: func(x *tenant, bid *onebidv1.Bid) {
				x.State(bid, onebidv1.StateActive)
				x.Delete(bid)
				x.Reason(bid, onebidv1.ConditionWithdrawn, onebidv1.ReasonMarketplaceError)
			},
			then: func(x *tenant, bid *onebidv1.Bid) {
				x.NoFaults()
				x.Gone(bid)
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			x := newTenant(t, onebidv1.ClassIdempotencyKey)
			x.Fault(tc.fault)
			first := x.Manager()
			bid := x.Bid("1")
			tc.until(x, bid)
			first.Kill()
			x.Manager()
			tc.then(x, bid)
		})
	}
}

// Replicas come and go at random while bids come and go: whoever is left finishes everything.
func TestReplicasThatComeAndGo(t *testing.T) {
	const bids = 120
	x := newTenant(t, onebidv1.ClassUniquePerPosting)
	dice := rand.New(rand.NewPCG(1, 2))
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; i < bids && ctx.Err() == nil; i++ {
			if err := world.Env.Client.Create(ctx, build.Bid(x.NS, "rest", fmt.Sprintf("p-%d", i))); err != nil {
				t.Errorf("create: %v", err)
			}
		}
	})
	for range 3 {
		m := x.Manager()
		x.G.Eventually(func() bool { return dice.IntN(4) == 0 || x.totals().LivePostings >= bids }).Should(BeTrue())
		m.Kill()
	}
	wg.Wait()
	stop()
	x.Manager()
	x.G.Eventually(x.inState(onebidv1.StateActive)).WithTimeout(2*time.Minute).Should(Equal(bids), x.others)
	x.G.Expect(x.totals().PlacedTwice).To(BeZero())
	x.G.Expect(x.totals().LivePostings).To(Equal(bids))
}

// A scanner that holds the posting's Lease does not hold up a Bid that exists.
func TestALeaseThatAScannerHolds(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey)
	name, err := onebidv1.Key{Marketplace: "rest", PostingID: "1"}.LeaseName()
	x.G.Expect(err).NotTo(HaveOccurred())
	x.Create(&coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: x.NS, Name: name},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity: ptr.To("scanner/host_6f9619ff-8b86-d011-b42d-00c04fc964ff"), LeaseDurationSeconds: ptr.To[int32](300),
		},
	})
	x.Manager()
	x.State(x.Bid("1"), onebidv1.StateActive)
}
