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
)

// Each arrow of the diagram in the design, once.

func TestPendingToActiveToGone(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey)
	x.manager()
	bid := x.bid("1")
	active := x.state(bid, onebidv1.StateActive)
	x.g.Expect(active.Status.Remote.BidID).NotTo(BeEmpty())
	x.g.Expect(active.Status.ObservedGeneration).To(Equal(active.Generation))
	x.g.Expect(x.row("1").Live).To(Equal(1))
	x.delete(bid)
	x.gone(bid)
	row := x.row("1")
	x.g.Expect(row.Live).To(BeZero())
	x.g.Expect(row.PlaceCalls).To(Equal(1))
	x.g.Expect(row.Withdrawn).To(Equal(1))
}

func TestActiveToWithdrawnToRejected(t *testing.T) {
	x := newTenant(t, onebidv1.ClassUniquePerPosting)
	x.manager()
	bid := x.bid("Ж/1 ?&#")
	active := x.state(bid, onebidv1.StateActive)
	x.withdraw(bid, "found a better one")
	withdrawn := x.state(bid, onebidv1.StateWithdrawn)
	x.g.Expect(withdrawn.Status.WithdrawnReason).To(Equal("found a better one"))
	x.g.Expect(withdrawn.Status.WithdrawalTimestamp).NotTo(BeNil())
	x.g.Expect(x.row("Ж/1 ?&#").Live).To(BeZero())
	x.g.Expect(sim.SetState(t.Context(), x.market, active.Status.Remote.BidID, marketsim.State("rejected"))).To(Succeed())
	x.annotate(bid, onebidv1.AnnotationRequestedAt, "look")
	x.state(bid, onebidv1.StateRejected)
	x.delete(bid)
	x.gone(bid)
}

func TestPendingToDuplicate(t *testing.T) {
	x := newTenant(t, onebidv1.ClassUniquePerPosting)
	x.placeByHand("7")
	x.manager()
	bid := x.bid("7")
	duplicate := x.state(bid, onebidv1.StateDuplicate)
	x.g.Expect(messageOf(duplicate, onebidv1.ConditionDuplicate)).To(ContainSubstring("it is left alone"))
	x.delete(bid)
	x.gone(bid)
	x.g.Expect(x.row("7").Live).To(Equal(1), "somebody else's bid is never touched")
}

func TestPendingToExpired(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey)
	x.manager()
	t.Run("the posting was read too long ago", func(t *testing.T) {
		bid := x.bid("old", func(b *onebidv1.Bid) {
			b.Spec.PostingCachedAt = ptr.To(metav1.NewTime(time.Now().Add(-25 * time.Hour)))
		})
		x.reason(bid, onebidv1.ConditionAccepted, onebidv1.ReasonPostingStale)
		x.state(bid, onebidv1.StateExpired)
	})
	t.Run("the posting is closed", func(t *testing.T) {
		x.create(build.Posting(x.ns, "rest", "shut", func(p *onebidv1.Posting) { p.Spec.Closed = ptr.To(true) }))
		bid := x.bid("shut")
		x.reason(bid, onebidv1.ConditionAccepted, onebidv1.ReasonPostingClosed)
		x.state(bid, onebidv1.StateExpired)
		x.g.Expect(x.row("shut").PlaceCalls).To(BeZero())
	})
	t.Run("the marketplace says that it is closed", func(t *testing.T) {
		x.g.Expect(sim.ClosePosting(t.Context(), x.market, "gone")).To(Succeed())
		x.state(x.bid("gone"), onebidv1.StateExpired)
	})
}

func TestPendingToRejected(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, func(m *onebidv1.Marketplace) { m.Spec.Approval = onebidv1.ApprovalManual })
	x.manager()
	t.Run("by an approver", func(t *testing.T) {
		bid := x.reason(x.bid("a"), onebidv1.ConditionAccepted, onebidv1.ReasonAwaitingApproval)
		bid.Spec.Approval = &onebidv1.BidApproval{BidUID: string(bid.UID), Decision: onebidv1.ApprovalRefused, Reason: "too cheap"}
		x.g.Expect(env.Client.Update(t.Context(), bid)).To(Succeed())
		x.state(bid, onebidv1.StateRejected)
	})
	t.Run("by the marketplace, for good", func(t *testing.T) {
		x.fault(marketsim.Fault{Verb: "place", Posting: "b", Status: 403, Code: "RESTRICTED"})
		bid := x.reason(x.bid("b"), onebidv1.ConditionAccepted, onebidv1.ReasonAwaitingApproval)
		x.g.Expect(x.row("b").PlaceCalls).To(BeZero(), "not before it was approved")
		bid.Spec.Approval = &onebidv1.BidApproval{BidUID: string(bid.UID), Decision: onebidv1.ApprovalApproved}
		x.g.Expect(env.Client.Update(t.Context(), bid)).To(Succeed())
		x.state(bid, onebidv1.StateRejected)
	})
}

func TestActiveToWonLostExpired(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, func(m *onebidv1.Marketplace) { m.Spec.AuditIntervalSeconds = 5 })
	x.manager()
	for posting, outcome := range map[string]struct {
		there marketsim.State
		here  onebidv1.BidState
	}{
		"w": {"won", onebidv1.StateWon}, "l": {"lost", onebidv1.StateLost}, "e": {"expired", onebidv1.StateExpired},
	} {
		bid := x.state(x.bid(posting), onebidv1.StateActive)
		x.g.Expect(sim.SetState(t.Context(), x.market, bid.Status.Remote.BidID, outcome.there)).To(Succeed())
		x.state(bid, outcome.here)
		x.delete(bid)
		x.gone(bid)
		x.g.Expect(x.row(posting).Withdrawn).To(BeZero(), "what ended there needs no withdrawal")
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey)
	x.fault(marketsim.Fault{Verb: "place", Posting: "1", Status: 429, RetryAfter: "3", Times: 1})
	x.manager()
	bid := x.bid("1")
	limited := x.reason(bid, onebidv1.ConditionPlaced, onebidv1.ReasonRateLimited)
	x.g.Expect(limited.Status.Attempts.NextTime.Time).To(BeTemporally(">=", time.Now().Add(time.Second)))
	x.state(bid, onebidv1.StateActive)
	records := x.calls("place", "1")
	x.g.Expect(records).To(HaveLen(2))
	x.g.Expect(records[1].Time.Sub(records[0].Time)).To(BeNumerically(">=", 3*time.Second))
}

func TestUnknownOutcomeIsAdopted(t *testing.T) {
	for _, class := range []onebidv1.MarketplaceClass{onebidv1.ClassIdempotencyKey, onebidv1.ClassUniquePerPosting, onebidv1.ClassNone} {
		t.Run(string(class), func(t *testing.T) {
			x := newTenant(t, class)
			x.fault(marketsim.Fault{Verb: "place", Posting: "1", Commit: "before", Reply: "drop", Times: 1})
			x.manager()
			bid := x.bid("1")
			adopted := x.reason(bid, onebidv1.ConditionPlaced, onebidv1.ReasonAdopted)
			x.g.Expect(*adopted.Status.Remote.Adopted).To(BeTrue())
			x.g.Expect(x.row("1").PlaceCalls).To(Equal(1), "no blind resend")
		})
	}
}

func TestUnknownOutcomeThatHadNoEffect(t *testing.T) {
	for class, want := range map[onebidv1.MarketplaceClass]onebidv1.BidState{
		onebidv1.ClassIdempotencyKey: onebidv1.StateActive, onebidv1.ClassUniquePerPosting: onebidv1.StateActive,
		onebidv1.ClassNone: onebidv1.StateIndeterminate,
	} {
		t.Run(string(class), func(t *testing.T) {
			x := newTenant(t, class)
			x.fault(marketsim.Fault{Verb: "place", Posting: "1", Commit: "none", Status: 500, Times: 1})
			x.manager()
			bid := x.state(x.bid("1"), want)
			if want == onebidv1.StateIndeterminate {
				x.g.Expect(messageOf(bid, onebidv1.ConditionStalled)).To(ContainSubstring("Look at the marketplace"))
				x.g.Expect(x.row("1").PlaceCalls).To(Equal(1))
				x.annotate(bid, onebidv1.AnnotationAbandon, "looked: nothing is there")
				x.delete(bid)
				x.gone(bid)
			}
		})
	}
}

func TestDeletedWhileTheOutcomeIsUnknown(t *testing.T) {
	for _, class := range []onebidv1.MarketplaceClass{onebidv1.ClassIdempotencyKey, onebidv1.ClassUniquePerPosting} {
		t.Run(string(class), func(t *testing.T) {
			x := newTenant(t, class)
			x.fault(marketsim.Fault{Verb: "place", Posting: "1", Commit: "before", Reply: "drop", Times: 1})
			x.manager()
			bid := x.bid("1")
			x.reason(bid, onebidv1.ConditionPlaced, onebidv1.ReasonOutcomeUnknown)
			x.delete(bid)
			x.gone(bid)
			x.g.Expect(x.row("1").Live).To(BeZero())
		})
	}
}

func TestWithdrawingGoesOnUntilItIsDone(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey)
	x.manager()
	bid := x.state(x.bid("1"), onebidv1.StateActive)
	x.fault(marketsim.Fault{Verb: "withdraw", Status: 503})
	x.delete(bid)
	failing := x.reason(bid, onebidv1.ConditionStalled, onebidv1.ReasonManualReview)
	x.g.Expect(failing.Status.State).To(Equal(onebidv1.StateWithdrawing))
	x.g.Expect(failing.Status.Attempts.Count).To(BeNumerically(">=", 3))
	x.g.Expect(x.row("1").Live).To(Equal(1))
	x.g.Expect(sim.ClearFaults(t.Context())).To(Succeed())
	x.gone(bid)
	x.g.Expect(x.row("1").Live).To(BeZero())
}

func TestAwardedCannotBeWithdrawn(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey)
	x.manager()
	bid := x.state(x.bid("1"), onebidv1.StateActive)
	x.g.Expect(sim.SetState(t.Context(), x.market, bid.Status.Remote.BidID, marketsim.State("award_pending"))).To(Succeed())
	x.delete(bid)
	x.reason(bid, onebidv1.ConditionStalled, onebidv1.ReasonNotWithdrawable)
	x.g.Expect(sim.SetState(t.Context(), x.market, bid.Status.Remote.BidID, marketsim.State("won"))).To(Succeed())
	x.gone(bid)
}

func TestCooldownHoldsASecondBid(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, func(m *onebidv1.Marketplace) { m.Spec.RebidCooldownSeconds = ptr.To[int32](4) })
	x.manager()
	bid := x.state(x.bid("1"), onebidv1.StateActive)
	x.delete(bid)
	x.gone(bid)
	again := x.bid("1")
	held := x.reason(again, onebidv1.ConditionAccepted, onebidv1.ReasonCooldown)
	x.g.Expect(x.row("1").PlaceCalls).To(Equal(1))
	x.g.Expect(held.Status.Attempts.NextTime).NotTo(BeNil())
	x.state(again, onebidv1.StateActive)
	records := x.calls("withdraw", "1")
	placed := x.calls("place", "1")
	x.g.Expect(placed[1].Time.Sub(records[0].Time)).To(BeNumerically(">=", 3*time.Second), "cooldowns have whole seconds")
}

func TestSuspendedAndDryRun(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, func(m *onebidv1.Marketplace) { m.Spec.Mode = onebidv1.ModeSuspended })
	x.manager()
	bid := x.bid("1")
	x.reason(bid, onebidv1.ConditionAccepted, onebidv1.ReasonMarketplaceSuspended)
	x.mode(onebidv1.ModeDryRun)
	x.reason(bid, onebidv1.ConditionPlaced, onebidv1.ReasonDryRun)
	x.g.Expect(x.row("1").PlaceCalls).To(BeZero())
	x.mode(onebidv1.ModeLive)
	x.state(bid, onebidv1.StateActive)
}

func TestDeletedBeforeItWasPlaced(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, func(m *onebidv1.Marketplace) { m.Spec.Mode = onebidv1.ModeSuspended })
	x.manager()
	bid := x.reason(x.bid("1"), onebidv1.ConditionAccepted, onebidv1.ReasonMarketplaceSuspended)
	x.delete(bid)
	x.gone(bid)
	other := x.reason(x.bid("2"), onebidv1.ConditionAccepted, onebidv1.ReasonMarketplaceSuspended)
	x.withdraw(other, "never mind")
	x.reason(other, onebidv1.ConditionWithdrawn, onebidv1.ReasonNeverPlaced)
}

func (x *tenant) mode(mode onebidv1.MarketplaceMode) {
	x.t.Helper()
	x.g.Eventually(func() error {
		mkt := &onebidv1.Marketplace{}
		if err := env.Client.Get(x.t.Context(), keyOf(x.ns, "rest"), mkt); err != nil {
			return err
		}
		mkt.Spec.Mode = mode
		return env.Client.Update(x.t.Context(), mkt)
	}).Should(Succeed())
}

// The marketplace may carry a call out after we gave up on it: nothing is sent again before that time is over.
func TestALateCommitIsWaitedFor(t *testing.T) {
	x := newTenant(t, onebidv1.ClassUniquePerPosting, func(m *onebidv1.Marketplace) { m.Spec.LateCommitSeconds = ptr.To[int32](3) })
	x.fault(marketsim.Fault{Verb: "place", Posting: "1", Commit: "late", CommitDelayMillis: 3000, Reply: "drop", Times: 1})
	x.manager()
	x.reason(x.bid("1"), onebidv1.ConditionPlaced, onebidv1.ReasonAdopted)
	x.g.Expect(x.row("1").PlaceCalls).To(Equal(1))
	x.g.Expect(x.row("1").Live).To(Equal(1))
}

// A withdrawal that was accepted and had no effect is no withdrawal: only what is read back counts.
func TestAnAcceptedWithdrawalIsReadBack(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey)
	x.manager()
	bid := x.state(x.bid("1"), onebidv1.StateActive)
	x.fault(marketsim.Fault{Verb: "withdraw", Status: 200, Body: `{}`, Commit: "none", Times: 2})
	x.delete(bid)
	x.eventually(bid, "a withdrawal that goes on", func(b *onebidv1.Bid) bool {
		return b.Status.Attempts.Operation == onebidv1.OperationWithdraw && b.Status.Attempts.Count == 2
	})
	x.g.Expect(x.row("1").Live).To(Equal(1))
	x.gone(bid)
	x.g.Expect(x.row("1").Live).To(BeZero())
}
