package lifecycle_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketsim"
	"github.com/onebid-dev/onebid/internal/testenv/build"
	"github.com/onebid-dev/onebid/test/harness"
)

// Bids that are created at once stay within the limit although no cache shows what was just placed, and who waits goes
// on when there is room.
func TestALimitHoldsAndLetsGo(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, func(m *onebidv1.Marketplace) {
		m.Spec.Limits = &onebidv1.MarketplaceLimits{MaxActiveBids: 1}
	})
	x.Manager()
	const bids = 8
	x.each(bids, func(i int) error {
		return world.Env.Client.Create(t.Context(), build.Bid(x.NS, "rest", fmt.Sprintf("p-%d", i)))
	})
	for left := bids; left > 0; left-- {
		x.G.Eventually(x.inState(onebidv1.StateActive)).Should(Equal(1), x.others)
		x.G.Eventually(func() (waiting int) {
			for _, bid := range x.bids() {
				if harness.ReasonOf(&bid, onebidv1.ConditionAccepted) == onebidv1.ReasonTooManyActiveBids {
					waiting++
				}
			}
			return waiting
		}).Should(Equal(left-1), x.others)
		x.G.Expect(x.totals().Live).To(Equal(1))
		active := x.bids(client.MatchingFields{"status.state": string(onebidv1.StateActive)})
		x.Delete(&active[0])
		x.Gone(&active[0])
	}
	x.G.Expect(x.totals().PlaceCalls).To(Equal(bids))
}

// A replica that stood still in the middle of a call comes back when another one has resolved that call, and goes on
// from there.
func TestAReplicaWhoseCallAnotherOneResolved(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey)
	x.Fault(marketsim.Fault{Verb: "place", DelayMillis: 60000, Status: 503, Times: 1})
	first := x.Manager()
	bid := x.Bid("1")
	x.G.Eventually(func() int { return x.Row("1").PlaceCalls }).Should(Equal(1))
	first.Pause()
	x.Fault(marketsim.Fault{Verb: "place", Status: 429, RetryAfter: "3"})
	second := x.Manager()
	x.Reason(bid, onebidv1.ConditionPlaced, onebidv1.ReasonRateLimited)
	second.Kill()
	x.NoFaults()
	first.Resume()
	x.State(bid, onebidv1.StateActive)
	x.G.Expect(x.Row("1").Live).To(Equal(1))
}

// Bids whose finalizer was taken off by hand leave live bids behind, under Leases that a replica still holds. The next
// Bids on these postings belong to all replicas; what was left is withdrawn before they are placed.
func TestBidsCreatedAgainOverWhatWasLeft(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey)
	x.Manager()
	const bids = 8
	ids := make([]string, bids)
	for i := range ids {
		ids[i] = fmt.Sprintf("p-%d", i)
		x.State(x.Bid(ids[i]), onebidv1.StateActive)
	}
	x.Fault(marketsim.Fault{Verb: "withdraw", Status: 503})
	for _, id := range ids {
		bid := build.Bid(x.NS, "rest", id)
		x.Delete(bid)
		x.Reason(bid, onebidv1.ConditionWithdrawn, onebidv1.ReasonMarketplaceError)
		strip := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))
		x.G.Expect(world.Env.Client.Patch(t.Context(), bid, strip)).To(Succeed())
		x.Gone(bid)
	}
	x.Manager()
	for _, id := range ids {
		x.Eventually(x.Bid(id), "what is in the way", func(b *onebidv1.Bid) bool {
			return harness.ReasonOf(b, onebidv1.ConditionPlaced) == onebidv1.ReasonMarketplaceError &&
				strings.Contains(harness.MessageOf(b, onebidv1.ConditionReady), "an earlier Bid on this posting left")
		})
	}
	x.NoFaults()
	for _, id := range ids {
		x.State(build.Bid(x.NS, "rest", id), onebidv1.StateActive)
		x.G.Expect(x.Row(id).Live).To(Equal(1))
	}
}

// The key of a deleted Bid is burnt by a call that the marketplace answers for good: a refusal that may pass says
// nothing about the call before it.
func TestAKeyIsBurntByAnAnswerForGood(t *testing.T) {
	// The longer a call may take, the longer its outcome settles: time enough to delete the Bid meanwhile.
	x := newTenant(t, onebidv1.ClassIdempotencyKey, func(m *onebidv1.Marketplace) { m.Spec.TimeoutSeconds = 6 })
	x.Fault(marketsim.Fault{Verb: "place", Commit: "late", CommitDelayMillis: 25000, Times: 1})
	x.Fault(marketsim.Fault{Verb: "place", Status: 429, RetryAfter: "1", Times: 1})
	x.Manager()
	bid := x.Bid("1")
	x.Reason(bid, onebidv1.ConditionPlaced, onebidv1.ReasonOutcomeUnknown)
	x.Delete(bid)
	x.Gone(bid)
	x.G.Consistently(func() int { return x.Row("1").Live }).WithTimeout(25 * time.Second).WithPolling(100 * time.Millisecond).Should(BeZero())
}

func TestABidThatIsNotShownYetIsNotTakenForWithdrawn(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, func(m *onebidv1.Marketplace) {
		m.Spec.AuditIntervalSeconds, m.Spec.VisibilitySeconds = 5, ptr.To[int32](10)
	})
	x.Fault(marketsim.Fault{Verb: "place", HideMillis: 8000, Times: 1})
	x.Manager()
	bid := x.State(x.Bid("1"), onebidv1.StateActive)
	x.Annotate(bid, onebidv1.AnnotationReconcileRequestedAt, "look")
	looked := x.Eventually(bid, "an answer", func(b *onebidv1.Bid) bool { return b.Status.LastHandledReconcileAt == "look" })
	x.G.Expect(looked.Status.State).To(Equal(onebidv1.StateActive))
	x.G.Expect(x.Row("1").Live).To(Equal(1))
}

// Without keys only the order of events tells whose a bid is: one that appears after ours was refused is not ours.
func TestAPersonsBidAfterARefusalIsNotOurs(t *testing.T) {
	x := newTenant(t, onebidv1.ClassNone)
	x.Fault(marketsim.Fault{Verb: "place", Status: 429, RetryAfter: "12", Times: 1})
	x.Manager()
	bid := x.Bid("1", build.Price("99", "USD"))
	x.Reason(bid, onebidv1.ConditionPlaced, onebidv1.ReasonRateLimited)
	x.PlaceByHand("1")
	x.State(bid, onebidv1.StateDuplicate)
	x.Delete(bid)
	x.Gone(bid)
	x.G.Expect(x.Row("1").Live).To(Equal(1))
}

func TestAPersonIsCalledWhenLookingUpKeepsFailing(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey)
	x.Fault(marketsim.Fault{Verb: "place", Commit: "none", Status: 500, Times: 1})
	x.Fault(marketsim.Fault{Verb: "lookup", Status: 500})
	x.Manager()
	bid := x.Reason(x.Bid("1"), onebidv1.ConditionStalled, onebidv1.ReasonManualReview)
	x.G.Expect(harness.ReasonOf(bid, onebidv1.ConditionPlaced)).To(Equal(onebidv1.ReasonOutcomeUnknown))
	x.NoFaults()
	x.State(bid, onebidv1.StateActive)
}

// What a person lets go without knowing its outcome may be live for a while yet: the cooldown counts for it too.
func TestAnAbandonedUnknownCoolsDown(t *testing.T) {
	x := newTenant(t, onebidv1.ClassNone, func(m *onebidv1.Marketplace) { m.Spec.RebidCooldownSeconds = ptr.To[int32](15) })
	x.Fault(marketsim.Fault{Verb: "place", Commit: "none", Status: 500, Times: 1})
	x.Manager()
	bid := x.State(x.Bid("1"), onebidv1.StateIndeterminate)
	x.Annotate(bid, onebidv1.AnnotationAbandon, "looked: nothing is there")
	x.Delete(bid)
	x.Gone(bid)
	again := x.Bid("1")
	x.Reason(again, onebidv1.ConditionAccepted, onebidv1.ReasonCooldown)
	x.State(again, onebidv1.StateActive)
}

// Whoever is left when a replica dies also asks what became of withdrawn bids.
func TestAnotherReplicaWatchesWithdrawnBids(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, func(m *onebidv1.Marketplace) { m.Spec.AuditIntervalSeconds = 5 })
	first := x.Manager()
	x.Manager()
	const bids = 6
	for i := range bids {
		bid := x.State(x.Bid(fmt.Sprint(i)), onebidv1.StateActive)
		x.Withdraw(bid, "test")
	}
	x.G.Eventually(x.inState(onebidv1.StateWithdrawn)).Should(Equal(bids), x.others)
	first.Kill()
	for _, bid := range x.bids() {
		x.G.Expect(world.Sim.SetState(t.Context(), x.Market, bid.Status.Remote.BidID, "rejected")).To(Succeed())
	}
	x.G.Eventually(x.inState(onebidv1.StateRejected)).WithTimeout(2*harness.Patience).Should(Equal(bids), x.others)
}
