package lifecycle_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketsim"
	"github.com/onebid-dev/onebid/internal/testenv/build"
	"github.com/onebid-dev/onebid/test/harness"
)

// Each arrow of the diagram in the design, once.

func TestPendingToActiveToGone(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey)
	x.Manager()
	bid := x.Bid("1")
	active := x.State(bid, onebidv1.StateActive)
	x.G.Expect(active.Status.Remote.BidID).NotTo(BeEmpty())
	x.G.Expect(active.Status.ObservedGeneration).To(Equal(active.Generation))
	x.G.Expect(x.Row("1").Live).To(Equal(1))
	x.Delete(bid)
	x.Gone(bid)
	row := x.Row("1")
	x.G.Expect(row.Live).To(BeZero())
	x.G.Expect(row.PlaceCalls).To(Equal(1))
	x.G.Expect(row.Withdrawn).To(Equal(1))
}

func TestActiveToWithdrawnToRejected(t *testing.T) {
	x := newTenant(t, onebidv1.ClassUniquePerPosting)
	x.Manager()
	bid := x.Bid("Ж/1 ?&#")
	active := x.State(bid, onebidv1.StateActive)
	x.Withdraw(bid, "found a better one")
	withdrawn := x.State(bid, onebidv1.StateWithdrawn)
	x.G.Expect(withdrawn.Status.WithdrawnReason).To(Equal("found a better one"))
	x.G.Expect(withdrawn.Status.WithdrawalTimestamp).NotTo(BeNil())
	x.G.Expect(x.Row("Ж/1 ?&#").Live).To(BeZero())
	x.G.Expect(world.Sim.SetState(t.Context(), x.Market, active.Status.Remote.BidID, marketsim.State("rejected"))).To(Succeed())
	x.Annotate(bid, onebidv1.AnnotationReconcileRequestedAt, "look")
	x.State(bid, onebidv1.StateRejected)
	x.Delete(bid)
	x.Gone(bid)
}

func TestPendingToDuplicate(t *testing.T) {
	x := newTenant(t, onebidv1.ClassUniquePerPosting)
	x.PlaceByHand("7")
	x.Manager()
	bid := x.Bid("7")
	duplicate := x.State(bid, onebidv1.StateDuplicate)
	x.G.Expect(harness.MessageOf(duplicate, onebidv1.ConditionDuplicate)).To(ContainSubstring("it is left alone"))
	x.Delete(bid)
	x.Gone(bid)
	x.G.Expect(x.Row("7").Live).To(Equal(1), "somebody else's bid is never touched")
}

func TestPendingToExpired(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey)
	x.Manager()
	t.Run("the posting was read too long ago", func(t *testing.T) {
		bid := x.Bid("old", func(b *onebidv1.Bid) {
			b.Spec.PostingCachedAt = ptr.To(metav1.NewTime(time.Now().Add(-25 * time.Hour)))
		})
		x.Reason(bid, onebidv1.ConditionAccepted, onebidv1.ReasonPostingStale)
		x.State(bid, onebidv1.StateExpired)
	})
	t.Run("the posting is closed", func(t *testing.T) {
		x.Known(build.Posting(x.NS, "rest", "shut", func(p *onebidv1.Posting) { p.Spec.Closed = ptr.To(true) }))
		bid := x.Bid("shut")
		x.Reason(bid, onebidv1.ConditionAccepted, onebidv1.ReasonPostingClosed)
		x.State(bid, onebidv1.StateExpired)
		x.G.Expect(x.Row("shut").PlaceCalls).To(BeZero())
	})
	t.Run("the marketplace says that it is closed", func(t *testing.T) {
		x.G.Expect(world.Sim.ClosePosting(t.Context(), x.Market, "gone")).To(Succeed())
		x.State(x.Bid("gone"), onebidv1.StateExpired)
	})
}

func TestPendingToRejected(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, func(m *onebidv1.Marketplace) { m.Spec.Approval = onebidv1.ApprovalManual })
	x.Manager()
	t.Run("by an approver", func(t *testing.T) {
		bid := x.Reason(x.Bid("a"), onebidv1.ConditionAccepted, onebidv1.ReasonAwaitingApproval)
		bid.Spec.Approval = &onebidv1.BidApproval{BidUID: string(bid.UID), Decision: onebidv1.ApprovalRefused, Reason: "too cheap"}
		x.G.Expect(world.Env.Client.Update(t.Context(), bid)).To(Succeed())
		x.State(bid, onebidv1.StateRejected)
	})
	t.Run("by the marketplace, for good", func(t *testing.T) {
		x.Fault(marketsim.Fault{Verb: "place", Posting: "b", Status: 403, Code: "RESTRICTED"})
		bid := x.Reason(x.Bid("b"), onebidv1.ConditionAccepted, onebidv1.ReasonAwaitingApproval)
		x.G.Expect(x.Row("b").PlaceCalls).To(BeZero(), "not before it was approved")
		bid.Spec.Approval = &onebidv1.BidApproval{BidUID: string(bid.UID), Decision: onebidv1.ApprovalApproved}
		x.G.Expect(world.Env.Client.Update(t.Context(), bid)).To(Succeed())
		x.State(bid, onebidv1.StateRejected)
	})
}

func TestActiveToWonLostExpired(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, func(m *onebidv1.Marketplace) { m.Spec.AuditIntervalSeconds = 5 })
	x.Manager()
	for posting, outcome := range map[string]struct {
		there marketsim.State
		here  onebidv1.BidState
	}{
		"w": {"won", onebidv1.StateWon}, "l": {"lost", onebidv1.StateLost}, "e": {"expired", onebidv1.StateExpired},
	} {
		bid := x.State(x.Bid(posting), onebidv1.StateActive)
		x.G.Expect(world.Sim.SetState(t.Context(), x.Market, bid.Status.Remote.BidID, outcome.there)).To(Succeed())
		x.State(bid, outcome.here)
		x.Delete(bid)
		x.Gone(bid)
		x.G.Expect(x.Row(posting).Withdrawn).To(BeZero(), "what ended there needs no withdrawal")
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey)
	x.Fault(marketsim.Fault{Verb: "place", Posting: "1", Status: 429, RetryAfter: "8", Times: 1})
	x.Manager()
	bid := x.Bid("1")
	limited := x.Reason(bid, onebidv1.ConditionPlaced, onebidv1.ReasonRateLimited)
	x.State(bid, onebidv1.StateActive)
	records := x.Calls("place", "1")
	x.G.Expect(records).To(HaveLen(2))
	x.G.Expect(limited.Status.Attempts.NextTime.Time).To(BeTemporally(">=", records[0].Time.Add(7*time.Second)))
	x.G.Expect(records[1].Time.Sub(records[0].Time)).To(BeNumerically(">=", 8*time.Second))
}

func TestUnknownOutcomeThatHadNoEffect(t *testing.T) {
	for class, want := range map[onebidv1.MarketplaceClass]onebidv1.BidState{
		onebidv1.ClassIdempotencyKey: onebidv1.StateActive, onebidv1.ClassUniquePerPosting: onebidv1.StateActive,
		onebidv1.ClassNone: onebidv1.StateIndeterminate,
	} {
		t.Run(string(class), func(t *testing.T) {
			x := newTenant(t, class)
			x.Fault(marketsim.Fault{Verb: "place", Posting: "1", Commit: "none", Status: 500, Times: 1})
			x.Manager()
			bid := x.State(x.Bid("1"), want)
			if want == onebidv1.StateIndeterminate {
				x.G.Expect(harness.MessageOf(bid, onebidv1.ConditionStalled)).To(ContainSubstring("Look at the marketplace"))
				x.G.Expect(x.Row("1").PlaceCalls).To(Equal(1))
				x.Annotate(bid, onebidv1.AnnotationAbandon, "looked: nothing is there")
				x.Delete(bid)
				x.Gone(bid)
			}
		})
	}
}

func TestWithdrawingGoesOnUntilItIsDone(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey)
	x.Manager()
	bid := x.State(x.Bid("1"), onebidv1.StateActive)
	x.Fault(marketsim.Fault{Verb: "withdraw", Status: 503})
	x.Delete(bid)
	failing := x.Reason(bid, onebidv1.ConditionStalled, onebidv1.ReasonManualReview)
	x.G.Expect(failing.Status.State).To(Equal(onebidv1.StateWithdrawing))
	x.G.Expect(failing.Status.Attempts.Count).To(BeNumerically(">=", 3))
	x.G.Expect(x.Row("1").Live).To(Equal(1))
	x.NoFaults()
	x.Gone(bid)
	x.G.Expect(x.Row("1").Live).To(BeZero())
}

func TestSuspendedAndDryRun(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, func(m *onebidv1.Marketplace) { m.Spec.Mode = onebidv1.ModeSuspended })
	x.Manager()
	bid := x.Bid("1")
	x.Reason(bid, onebidv1.ConditionAccepted, onebidv1.ReasonMarketplaceSuspended)
	x.mode(onebidv1.ModeDryRun)
	x.Reason(bid, onebidv1.ConditionPlaced, onebidv1.ReasonDryRun)
	x.G.Expect(x.Row("1").PlaceCalls).To(BeZero())
	x.mode(onebidv1.ModeLive)
	x.State(bid, onebidv1.StateActive)
}

func TestDeletedBeforeItWasPlaced(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, func(m *onebidv1.Marketplace) { m.Spec.Mode = onebidv1.ModeSuspended })
	x.Manager()
	bid := x.Reason(x.Bid("1"), onebidv1.ConditionAccepted, onebidv1.ReasonMarketplaceSuspended)
	x.Delete(bid)
	x.Gone(bid)
	other := x.Reason(x.Bid("2"), onebidv1.ConditionAccepted, onebidv1.ReasonMarketplaceSuspended)
	x.Withdraw(other, "never mind")
	x.Reason(other, onebidv1.ConditionWithdrawn, onebidv1.ReasonNeverPlaced)
}

func (x *tenant) mode(mode onebidv1.MarketplaceMode) {
	x.T.Helper()
	x.G.Eventually(func() error {
		mkt := &onebidv1.Marketplace{}
		if err := world.Env.Client.Get(x.T.Context(), harness.KeyOf(x.NS, "rest"), mkt); err != nil {
			return err
		}
		mkt.Spec.Mode = mode
		return world.Env.Client.Update(x.T.Context(), mkt)
	}).Should(Succeed())
}

// A withdrawal that was accepted and had no effect is no withdrawal: only what is read back counts.
func TestAnAcceptedWithdrawalIsReadBack(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey)
	x.Manager()
	bid := x.State(x.Bid("1"), onebidv1.StateActive)
	x.Fault(marketsim.Fault{Verb: "withdraw", Status: 200, Body: `{}`, Commit: "none"})
	x.Delete(bid)
	x.Eventually(bid, "a withdrawal that goes on", func(b *onebidv1.Bid) bool {
		a := b.Status.Attempts
		return a != nil && a.Operation == onebidv1.OperationWithdraw && a.Count >= 2
	})
	x.G.Expect(x.Row("1").Live).To(Equal(1))
	x.NoFaults()
	x.Gone(bid)
	x.G.Expect(x.Row("1").Live).To(BeZero())
}
