package lifecycle_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketsim"
	"github.com/onebid-dev/onebid/internal/testenv/build"
)

// Bids that are created at once stay within the limit although no cache shows what was just placed, and who waits goes
// on when there is room.
func TestALimitHoldsAndLetsGo(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, func(m *onebidv1.Marketplace) {
		m.Spec.Limits = &onebidv1.MarketplaceLimits{MaxActiveBids: 1}
	})
	x.manager()
	const bids = 8
	x.each(bids, func(i int) error {
		return env.Client.Create(t.Context(), build.Bid(x.ns, "rest", fmt.Sprintf("p-%d", i)))
	})
	for left := bids; left > 0; left-- {
		x.g.Eventually(x.inState(onebidv1.StateActive)).Should(Equal(1), x.others)
		x.g.Eventually(func() (waiting int) {
			for _, bid := range x.bids() {
				if reasonOf(&bid, onebidv1.ConditionAccepted) == onebidv1.ReasonTooManyActiveBids {
					waiting++
				}
			}
			return waiting
		}).Should(Equal(left-1), x.others)
		x.g.Expect(x.totals().Live).To(Equal(1))
		active := x.bids(client.MatchingFields{"status.state": string(onebidv1.StateActive)})
		x.delete(&active[0])
		x.gone(&active[0])
	}
	x.g.Expect(x.totals().PlaceCalls).To(Equal(bids))
}

// A replica that stood still in the middle of a call comes back when another one has resolved that call, and goes on
// from there.
func TestAReplicaWhoseCallAnotherOneResolved(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey)
	x.fault(marketsim.Fault{Verb: "place", DelayMillis: 60000, Status: 503, Times: 1})
	first := x.manager()
	bid := x.bid("1")
	x.g.Eventually(func() int { return x.row("1").PlaceCalls }).Should(Equal(1))
	x.g.Expect(first.cmd.Process.Signal(syscall.SIGSTOP)).To(Succeed())
	x.fault(marketsim.Fault{Verb: "place", Status: 429, RetryAfter: "3"})
	second := x.manager()
	x.reason(bid, onebidv1.ConditionPlaced, onebidv1.ReasonRateLimited)
	second.kill()
	x.g.Expect(sim.ClearFaults(t.Context())).To(Succeed())
	x.g.Expect(first.cmd.Process.Signal(syscall.SIGCONT)).To(Succeed())
	x.state(bid, onebidv1.StateActive)
	x.g.Expect(x.row("1").Live).To(Equal(1))
}

// Bids whose finalizer was taken off by hand leave live bids behind, under Leases that a replica still holds. The next
// Bids on these postings belong to all replicas; what was left is withdrawn before they are placed.
func TestBidsCreatedAgainOverWhatWasLeft(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey)
	x.manager()
	const bids = 8
	ids := make([]string, bids)
	for i := range ids {
		ids[i] = fmt.Sprintf("p-%d", i)
		x.state(x.bid(ids[i]), onebidv1.StateActive)
	}
	x.fault(marketsim.Fault{Verb: "withdraw", Status: 503})
	for _, id := range ids {
		bid := build.Bid(x.ns, "rest", id)
		x.delete(bid)
		x.reason(bid, onebidv1.ConditionWithdrawn, onebidv1.ReasonMarketplaceError)
		strip := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))
		x.g.Expect(env.Client.Patch(t.Context(), bid, strip)).To(Succeed())
		x.gone(bid)
	}
	x.manager()
	for _, id := range ids {
		hindered := x.reason(x.bid(id), onebidv1.ConditionPlaced, onebidv1.ReasonMarketplaceError)
		x.g.Expect(messageOf(hindered, onebidv1.ConditionReady)).To(ContainSubstring("an earlier Bid on this posting left"))
	}
	x.g.Expect(sim.ClearFaults(t.Context())).To(Succeed())
	for _, id := range ids {
		x.state(build.Bid(x.ns, "rest", id), onebidv1.StateActive)
		x.g.Expect(x.row(id).Live).To(Equal(1))
	}
}

// The key of a deleted Bid is burnt by a call that the marketplace answers for good: a refusal that may pass says
// nothing about the call before it.
func TestAKeyIsBurntByAnAnswerForGood(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey)
	x.fault(marketsim.Fault{Verb: "place", Commit: "late", CommitDelayMillis: 12000, Times: 1})
	x.fault(marketsim.Fault{Verb: "place", Status: 429, RetryAfter: "1", Times: 1})
	x.manager()
	bid := x.bid("1")
	x.reason(bid, onebidv1.ConditionPlaced, onebidv1.ReasonOutcomeUnknown)
	x.delete(bid)
	x.gone(bid)
	x.g.Consistently(func() int { return x.row("1").Live }).WithTimeout(12 * time.Second).WithPolling(100 * time.Millisecond).Should(BeZero())
}

func TestABidThatIsNotShownYetIsNotTakenForWithdrawn(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, func(m *onebidv1.Marketplace) {
		m.Spec.AuditIntervalSeconds, m.Spec.VisibilitySeconds = 5, ptr.To[int32](10)
	})
	x.fault(marketsim.Fault{Verb: "place", HideMillis: 8000, Times: 1})
	x.manager()
	bid := x.state(x.bid("1"), onebidv1.StateActive)
	x.annotate(bid, onebidv1.AnnotationRequestedAt, "look")
	looked := x.eventually(bid, "an answer", func(b *onebidv1.Bid) bool { return b.Status.LastHandledReconcileAt == "look" })
	x.g.Expect(looked.Status.State).To(Equal(onebidv1.StateActive))
	x.g.Expect(x.row("1").Live).To(Equal(1))
}

// Without keys only the order of events tells whose a bid is: one that appears after ours was refused is not ours.
func TestAPersonsBidAfterARefusalIsNotOurs(t *testing.T) {
	x := newTenant(t, onebidv1.ClassNone)
	x.fault(marketsim.Fault{Verb: "place", Status: 429, RetryAfter: "3", Times: 1})
	x.manager()
	bid := x.bid("1", build.Price("99", "USD"))
	x.reason(bid, onebidv1.ConditionPlaced, onebidv1.ReasonRateLimited)
	x.placeByHand("1")
	x.state(bid, onebidv1.StateDuplicate)
	x.delete(bid)
	x.gone(bid)
	x.g.Expect(x.row("1").Live).To(Equal(1))
}

func TestAPersonIsCalledWhenLookingUpKeepsFailing(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey)
	x.fault(marketsim.Fault{Verb: "place", Commit: "none", Status: 500, Times: 1})
	x.fault(marketsim.Fault{Verb: "lookup", Status: 500})
	x.manager()
	bid := x.reason(x.bid("1"), onebidv1.ConditionStalled, onebidv1.ReasonManualReview)
	x.g.Expect(reasonOf(bid, onebidv1.ConditionPlaced)).To(Equal(onebidv1.ReasonOutcomeUnknown))
	x.g.Expect(sim.ClearFaults(t.Context())).To(Succeed())
	x.state(bid, onebidv1.StateActive)
}

// What a person lets go without knowing its outcome may be live for a while yet: the cooldown counts for it too.
func TestAnAbandonedUnknownCoolsDown(t *testing.T) {
	x := newTenant(t, onebidv1.ClassNone, func(m *onebidv1.Marketplace) { m.Spec.RebidCooldownSeconds = ptr.To[int32](4) })
	x.fault(marketsim.Fault{Verb: "place", Commit: "none", Status: 500, Times: 1})
	x.manager()
	bid := x.state(x.bid("1"), onebidv1.StateIndeterminate)
	x.annotate(bid, onebidv1.AnnotationAbandon, "looked: nothing is there")
	x.delete(bid)
	x.gone(bid)
	again := x.bid("1")
	x.reason(again, onebidv1.ConditionAccepted, onebidv1.ReasonCooldown)
	x.state(again, onebidv1.StateActive)
}

// Whoever is left when a replica dies also asks what became of withdrawn bids.
func TestAnotherReplicaWatchesWithdrawnBids(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, func(m *onebidv1.Marketplace) { m.Spec.AuditIntervalSeconds = 5 })
	first := x.manager()
	x.manager()
	const bids = 6
	for i := range bids {
		bid := x.state(x.bid(fmt.Sprint(i)), onebidv1.StateActive)
		x.withdraw(bid, "test")
	}
	x.g.Eventually(x.inState(onebidv1.StateWithdrawn)).Should(Equal(bids), x.others)
	first.kill()
	for _, bid := range x.bids() {
		x.g.Expect(sim.SetState(t.Context(), x.market, bid.Status.Remote.BidID, "rejected")).To(Succeed())
	}
	x.g.Eventually(x.inState(onebidv1.StateRejected)).Should(Equal(bids), x.others)
}
