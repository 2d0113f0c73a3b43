package bid_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace/account"
)

// closing is a Posting that closes so long after the start.
func closing(after time.Duration) *onebidv1.Posting {
	return &onebidv1.Posting{
		ObjectMeta: metav1.ObjectMeta{Namespace: bidName.Namespace, Name: bidName.Name, CreationTimestamp: metav1.NewTime(start)},
		Spec: onebidv1.PostingSpec{
			Marketplace: "rest", PostingID: "1", CachedAt: ptr.To(metav1.NewTime(start)), ClosesAt: ptr.To(metav1.NewTime(start.Add(after))),
		},
	}
}

func (w *world) mode(mode onebidv1.MarketplaceMode) {
	w.Helper()
	mkt := &onebidv1.Marketplace{}
	w.Expect(w.api.Get(context.Background(), types.NamespacedName{Namespace: bidName.Namespace, Name: "rest"}, mkt)).To(Succeed())
	mkt.Spec.Mode = mode
	w.Expect(w.api.Update(context.Background(), mkt)).To(Succeed())
}

func (w *world) accepted() metav1.Condition {
	w.Helper()
	return *meta.FindStatusCondition(w.stored().Status.Conditions, onebidv1.ConditionAccepted)
}

func TestAWaitIsReportedOnce(t *testing.T) {
	w := newWorld(t, onebidv1.ClassUniquePerPosting, newBid("a"))
	p := w.process("one")
	p.limiter.Pause(start.Add(2*time.Second), onebidv1.ReasonRateLimited)
	wait, requests := p.step()
	w.Expect(wait).To(Equal(2 * time.Second))
	w.Expect(requests).To(BeEmpty(), "a moment is not worth a write")

	p.limiter.Pause(start.Add(time.Hour), onebidv1.ReasonRateLimited)
	wait, requests = p.step()
	w.Expect(wait).To(Equal(time.Hour))
	w.Expect(count(requests, "update status")).To(Equal(1))
	w.Expect(w.placed()).To(Equal("False/AccountPaused"))
	for _, longer := range []time.Duration{2 * time.Hour, 3 * time.Hour} {
		p.limiter.Pause(start.Add(longer), onebidv1.ReasonAuthenticationFailed)
		_, requests = p.step()
		w.Expect(requests).To(BeEmpty(), "it is said already, and its times are the Marketplace's")
	}
	p.clock.Step(3 * time.Hour)
	p.step()
	w.Expect(w.stored().Status.State).To(Equal(onebidv1.StateActive))
}

func TestAWaitForTheRateLimitIsReportedInTheEnd(t *testing.T) {
	w := newWorld(t, onebidv1.ClassUniquePerPosting, newBid("a"))
	w.rate(1)
	p := w.process("one")
	w.Expect(p.limiter.Wait(t.Context(), account.Priority{})).To(Succeed())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range 5 { // who ask first, and are as urgent
		go func() { _ = p.limiter.Wait(ctx, account.Priority{}) }()
	}
	w.Eventually(p.limiter.Waiting).Should(Equal(5))
	_, requests := p.step()
	w.Expect(requests).To(BeEmpty())
	p.clock.SetTime(start.Add(time.Millisecond)) // nobody's turn comes
	w.edit(func(b *onebidv1.Bid) { b.CreationTimestamp = metav1.NewTime(start.Add(-time.Minute)) })
	_, requests = p.step()
	w.Expect(count(requests, "update status")).To(Equal(1))
	w.Expect(w.placed()).To(Equal("False/RateLimited"))
	_, requests = p.step()
	w.Expect(requests).To(BeEmpty())
}

func (w *world) rate(perSecond int32) {
	w.Helper()
	mkt := &onebidv1.Marketplace{}
	w.Expect(w.api.Get(context.Background(), types.NamespacedName{Namespace: bidName.Namespace, Name: "rest"}, mkt)).To(Succeed())
	mkt.Spec.RateLimit = &onebidv1.RateLimit{RequestsPerSecond: perSecond, Burst: 1}
	w.Expect(w.api.Update(context.Background(), mkt)).To(Succeed())
}

func TestAnUnresponsiveMarketplaceIsProbedBeforeABidIsPlaced(t *testing.T) {
	old := func(b *onebidv1.Bid) { b.CreationTimestamp = metav1.NewTime(start.Add(-time.Minute)) }
	w := newWorld(t, onebidv1.ClassUniquePerPosting, newBid("a", old))
	p := w.process("one")
	for range 5 {
		w.errors["place"] = []error{refused(onebidv1.ErrorTransient)}
		p.step()
		p.clock.SetTime(w.stored().Status.Attempts.NextTime.Time)
	}
	w.Expect(p.limiter.Answering()).To(BeFalse())
	w.errors["look"] = []error{refused(onebidv1.ErrorTransient)}
	p.clock.Step(time.Second)
	w.requests()
	_, requests := p.step()
	w.Expect(requests).To(Equal([]string{"look"}), "a look-up tries, and no place")
	_, requests = p.step()
	w.Expect(requests).To(BeEmpty(), "not again so soon")
	w.Expect(w.placed()).To(Equal("False/MarketplaceError"), "what it says already stays")
	p.clock.Step(2 * time.Second)
	_, requests = p.step()
	w.Expect(requests).To(ContainElements("look", "place"))
	w.Expect(w.stored().Status.State).To(Equal(onebidv1.StateActive))
}

// TestOneBidProbesAUsedUpQuotaForAll has another Bid of the account find out that there are none.
func TestOneBidProbesAUsedUpQuotaForAll(t *testing.T) {
	w := newWorld(t, onebidv1.ClassUniquePerPosting, newBid("a"))
	p := w.process("one")
	p.limiter.SpendQuota(start.Add(time.Hour))
	wait, requests := p.step()
	w.Expect(wait).To(Equal(time.Hour))
	w.Expect(count(requests, "update status")).To(Equal(1))
	w.Expect(w.placed()).To(Equal("False/QuotaExhausted"))
	w.Expect(w.market.keys).To(BeEmpty())

	p.clock.Step(time.Hour)
	w.Expect(p.limiter.AdmitQuota()).To(BeZero(), "another one asks first")
	wait, requests = p.step()
	w.Expect(wait).To(Equal(30*time.Second), "until that one should know")
	w.Expect(requests).To(BeEmpty(), "its status says it already")
	p.clock.Step(wait)
	p.step()
	w.Expect(w.stored().Status.State).To(Equal(onebidv1.StateActive))
	w.Expect(p.limiter.AdmitQuota()).To(BeZero())

	p.limiter.SpendQuota(p.clock.Now().Add(time.Hour))
	w.delete()
	p.step()
	w.Expect(w.market.live()).To(BeZero(), "withdrawals go on")
}

// What was placed and could not be recorded is no bid that is still to be placed, also where its status says already why an
// earlier attempt failed.
func TestASentBidDoesNotWaitForTheQuota(t *testing.T) {
	w := newWorld(t, onebidv1.ClassIdempotencyKey, newBid("a"))
	p := w.process("one")
	w.errors["place"] = []error{refused(onebidv1.ErrorRateLimited)}
	p.step()
	p.clock.SetTime(w.stored().Status.Attempts.NextTime.Time)
	w.errors["update status"] = []error{apierrors.NewForbidden(schema.GroupResource{}, "a", nil)}
	_, err := p.try(t.Context())
	w.Expect(err).To(HaveOccurred())
	w.Expect(w.market.live()).To(Equal(1))
	p.limiter.SpendQuota(start.Add(time.Hour))
	p.step()
	w.Expect(w.placed()).To(Equal("True/Placed"))
}

func TestAWithdrawalThatRepeatsItsKeyDoesNotWaitForTheQuota(t *testing.T) {
	w := newWorld(t, onebidv1.ClassIdempotencyKey, newBid("a"))
	p := w.process("one")
	w.errors["place"] = []error{refused(onebidv1.ErrorUnknownOutcome)}
	p.step()
	w.Expect(w.placed()).To(HavePrefix("Unknown/"))
	p.limiter.SpendQuota(start.Add(time.Hour))
	w.edit(func(b *onebidv1.Bid) { b.Spec.Withdraw = &onebidv1.BidWithdraw{Reason: "no more"} })
	wait, _ := p.step()
	for i := 0; i < 10 && w.stored().Status.Outcome == ""; i++ {
		p.clock.Step(wait)
		wait, _ = p.step()
	}
	w.Expect(w.stored().Status.Outcome).To(Equal(onebidv1.StateWithdrawn))
	w.Expect(w.market.live()).To(BeZero())
	w.Expect(p.clock.Now()).To(BeTemporally("<", start.Add(time.Hour)))
}

func TestAMissedPostingNamesTheWait(t *testing.T) {
	const closes = 20 * time.Minute
	for _, c := range []struct {
		why     string
		hinder  func(*world, *process)
		awaited string
	}{
		{
			"a pause", func(_ *world, p *process) { p.limiter.Pause(start.Add(2*time.Hour), onebidv1.ReasonRateLimited) },
			"the end of the account's pause",
		},
		{"a mode", func(w *world, _ *process) { w.mode(onebidv1.ModeSuspended) }, "spec.mode to be Live"},
		{"a dry run", func(w *world, _ *process) { w.mode(onebidv1.ModeDryRun) }, "spec.mode to be Live"},
		{
			"a spent quota", func(_ *world, p *process) { p.limiter.SpendQuota(start.Add(2 * time.Hour)) },
			"the account to have bids left",
		},
		{
			"failed attempts", func(w *world, _ *process) { w.errors["place"] = []error{refused(onebidv1.ErrorQuotaExhausted)} },
			"the account to have bids left",
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			w := newWorld(t, onebidv1.ClassUniquePerPosting, newBid("a"), closing(closes))
			p := w.process("one")
			c.hinder(w, p)
			wait, _ := p.step()
			if wait == 0 || wait > closes {
				wait, _ = p.step() // the write of its status brings it back
			}
			w.Expect(wait).To(Equal(closes), "it comes back when the posting closes, whatever else it waits for")
			p.clock.Step(wait)
			p.step()
			w.Expect(w.stored().Status.Outcome).To(Equal(onebidv1.StateExpired))
			w.Expect(w.accepted().Reason).To(Equal(onebidv1.ReasonMissedDeadline))
			w.Expect(w.accepted().Message).To(ContainSubstring(c.awaited))
			w.Expect(w.events).To(HaveKeyWithValue(onebidv1.ReasonMissedDeadline, ContainSubstring(c.awaited)))
			w.Expect(p.postings.ended).To(Equal([]string{"a Expired"}))
			w.Expect(w.market.live()).To(BeZero())
		})
	}
}

func TestTheModeStopsBidsBeforeTheCall(t *testing.T) {
	for _, mode := range []onebidv1.MarketplaceMode{onebidv1.ModeSuspended, onebidv1.ModeDryRun} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t, onebidv1.ClassUniquePerPosting, newBid("a"))
			p := w.process("one")
			w.before["read bid"] = func() { w.mode(mode) } // past the guards, its turn and the claim
			_, requests := p.step()
			w.Expect(requests).To(ContainElement("read bid"))
			w.Expect(requests).NotTo(ContainElement("place"))
			w.Expect(w.intents()).To(BeEmpty(), "nothing was sent, so there is nothing to be resolved")
			p.step()
			w.Expect(w.market.keys).To(BeEmpty())
			w.mode(onebidv1.ModeLive)
			p.step()
			w.Expect(w.market.live()).To(Equal(1))

			w.mode(mode)
			w.delete()
			p.step()
			w.Expect(w.market.live()).To(BeZero(), "withdrawals go on")
		})
	}
}

func TestADryRunShowsWhatItWouldSend(t *testing.T) {
	w := newWorld(t, onebidv1.ClassUniquePerPosting, newBid("a", func(b *onebidv1.Bid) { b.Spec.Proposal = "we are the best" }))
	w.mode(onebidv1.ModeDryRun)
	p := w.process("one")
	p.step()
	bid := w.stored()
	w.Expect(bid.Status.Preview).To(Equal(&onebidv1.BidPreview{
		Method: "POST", URL: "https://rest.example/bids", Body: "[proposal of 15 characters]",
	}))
	w.Expect(w.placed()).To(Equal("False/DryRun"))
	w.Expect(w.events).To(HaveKeyWithValue("DryRun", "Would send POST https://rest.example/bids with a body of 27 bytes: see status.preview"))
	_, requests := p.step()
	w.Expect(requests).To(Equal([]string{"preview"}), "nothing is written twice")

	w.errors["preview"] = []error{refused(onebidv1.ErrorInvalid)}
	p.step()
	w.Expect(w.stored().Status.Preview).To(BeNil())
	w.Expect(meta.FindStatusCondition(w.stored().Status.Conditions, onebidv1.ConditionPlaced).Message).To(ContainSubstring("Invalid"))

	p.step()
	w.Expect(w.stored().Status.Preview).NotTo(BeNil())
	w.mode(onebidv1.ModeLive)
	p.step()
	w.Expect(w.stored().Status.State).To(Equal(onebidv1.StateActive))
	w.Expect(w.stored().Status.Preview).To(BeNil(), "what was really sent is at the marketplace")
}

func TestABidWithdrawnElsewhereIsReportedAndNotPlacedAgain(t *testing.T) {
	w := newWorld(t, onebidv1.ClassUniquePerPosting, newBid("a"))
	p := w.process("one")
	p.step()
	w.market.bids[0].State = onebidv1.RemoteWithdrawn
	wait, _ := p.step()
	p.clock.Step(wait)
	p.step()
	w.Expect(w.stored().Status.Outcome).To(Equal(onebidv1.StateWithdrawn))
	withdrawn := meta.FindStatusCondition(w.stored().Status.Conditions, onebidv1.ConditionWithdrawn)
	w.Expect(withdrawn.Reason).To(Equal(onebidv1.ReasonWithdrawnElsewhere))
	w.Expect(w.events).To(HaveKeyWithValue(onebidv1.ReasonWithdrawnElsewhere, ContainSubstring("withdrawn there")))
	w.Expect(p.postings.ended).To(Equal([]string{"a Withdrawn"}))
	w.requests()
	for range 3 {
		p.clock.Step(24 * time.Hour)
		_, requests := p.step()
		w.Expect(requests).NotTo(ContainElement("place"))
	}
	w.Expect(w.market.keys).To(HaveLen(1))
}

func TestPollsGiveWayToWhatIsUrgent(t *testing.T) {
	w := newWorld(t, onebidv1.ClassUniquePerPosting, newBid("a"))
	w.rate(1)
	p := w.process("one")
	p.step()
	wait, _ := p.step()
	p.clock.Step(wait)
	w.Expect(p.limiter.Wait(t.Context(), account.Priority{})).To(Succeed())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range 90 {
		go func() { _ = p.limiter.Wait(ctx, account.Priority{Class: account.PriorityWithdraw}) }()
	}
	w.Eventually(p.limiter.Waiting).Should(Equal(90))
	w.requests()
	again, requests := p.step()
	w.Expect(requests).To(BeEmpty())
	w.Expect(again).To(BeNumerically("~", 90*time.Second, 2*time.Second), "it asks when its turn may have come, not an interval later")
}
