package bid_test

import (
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

// dies is a process that ends in the middle of its place call: it recorded nothing.
func (w *world) dies(took bool) {
	w.Helper()
	p := w.process("dead")
	w.before["place"] = func() { panic("killed") }
	w.Expect(func() { p.step() }).To(Panic())
	if took {
		w.market.bids = append(w.market.bids, marketplace.Bid{
			ID: "late", PostingID: "1", State: onebidv1.RemoteLive, Amount: "250", Currency: "USD",
		})
		if w.market.storesKey {
			w.market.bids[0].IdempotencyKey = w.market.keys[0]
		}
	}
	w.requests()
}

// What is not documented as a refusal is unknown, and is followed by a lookup, not by a second place.
func TestAnUnknownOutcomeIsLookedUpAndNotSentAgain(t *testing.T) {
	for _, class := range []onebidv1.ErrorClass{
		onebidv1.ErrorUnknownOutcome, onebidv1.ErrorAlreadyWithdrawn, onebidv1.ErrorNotWithdrawable,
	} {
		t.Run(string(class), func(t *testing.T) {
			w := newWorld(t, onebidv1.ClassIdempotencyKey, newBid("one"))
			a := w.process("a")
			w.errors["place"] = []error{refused(class)}
			a.step()
			w.Expect(w.placed()).To(Equal("Unknown/OutcomeUnknown"))
			wait, requests := a.step()
			w.Expect(wait).To(Equal(settle), "calls that are under way take effect first")
			w.Expect(requests).NotTo(ContainElements("look"))
			w.Expect(requests).NotTo(ContainElements("place"))
			w.clock.Step(settle)
			_, requests = a.step()
			w.Expect(requests).To(ContainElement("look"))
			w.Expect(requests).NotTo(ContainElement("place"), "one step at a time")
			w.Expect(w.placed()).To(Equal("False/NotPlaced"))
			_, requests = a.step()
			w.Expect(requests).To(ContainElement("place"))
			w.Expect(w.market.keys[0]).To(Equal(w.market.keys[1]))
		})
	}
}

func TestACallThatTookEffectIsAdopted(t *testing.T) {
	for _, class := range []onebidv1.MarketplaceClass{onebidv1.ClassIdempotencyKey, onebidv1.ClassUniquePerPosting, onebidv1.ClassNone} {
		t.Run(string(class), func(t *testing.T) {
			w := newWorld(t, class, newBid("one"))
			w.market.dropped = true
			a := w.process("a")
			a.step()
			w.clock.Step(settle)
			a.step()
			w.Expect(w.placed()).To(Equal("True/Adopted"))
			w.Expect(w.market.keys).To(HaveLen(1))
		})
	}
}

// Where absence proves nothing only a person can say what became of it.
func TestAbsenceProvesNothingWithoutKeys(t *testing.T) {
	w := newWorld(t, onebidv1.ClassNone, newBid("one"))
	w.errors["place"] = []error{refused(onebidv1.ErrorUnknownOutcome)}
	a := w.process("a")
	a.step()
	for range 3 {
		w.clock.Step(settle)
		a.step()
	}
	w.Expect(w.placed()).To(Equal("Unknown/Indeterminate"))
	w.Expect(w.market.keys).To(HaveLen(1))
	w.delete()
	a.step()
	w.Expect(w.stored()).NotTo(BeNil(), "a deletion is no answer either")

	w.edit(func(b *onebidv1.Bid) {
		b.Annotations = map[string]string{onebidv1.AnnotationResolve: onebidv1.ResolveNotPlaced}
	})
	a.step()
	a.step()
	w.Expect(w.stored()).To(BeNil())
	w.Expect(w.market.keys).To(HaveLen(1))
}

// The next holder finds the intent: it fences, waits for the settle time, looks up, and only then goes on.
func TestATakeOverFencesAndWaitsBeforeItLooksUp(t *testing.T) {
	for _, took := range []bool{true, false} {
		w := newWorld(t, onebidv1.ClassUniquePerPosting, newBid("one"))
		w.dies(took)
		b := w.process("b")
		w.before["update status"] = func() {
			w.Expect(w.journal).NotTo(ContainElement("look"), "the fence comes first")
		}
		wait, requests := b.takeOver()
		w.Expect(requests).NotTo(ContainElement("place"))
		w.Expect(requests).NotTo(ContainElement("look"))
		w.Expect(w.placed()).To(Equal("Unknown/OutcomeUnknown"))
		w.Expect(wait).To(Equal(settle), "counted from the take-over")
		w.clock.Step(settle)
		_, requests = b.step()
		w.Expect(requests).To(ContainElement("look"))
		if took {
			w.Expect(w.placed()).To(Equal("True/Adopted"))
			continue
		}
		w.Expect(w.placed()).To(Equal("False/NotPlaced"))
		b.step()
		w.Expect(w.placed()).To(Equal("True/Placed"))
		w.Expect(w.market.live()).To(Equal(1))
	}
}

// A call that this process made for long may have ended later than the claim began.
func TestTheSettleWaitCoversOnesOwnCall(t *testing.T) {
	w := newWorld(t, onebidv1.ClassIdempotencyKey, newBid("one"))
	w.errors["place"] = []error{refused(onebidv1.ErrorUnknownOutcome)}
	a := w.process("a")
	w.before["place"] = func() { w.clock.Step(10 * time.Second) }
	a.step()
	wait, _ := a.step()
	w.Expect(wait).To(Equal(settle))
}

// A bid that is recorded late is added to the present status; a refusal that is recorded late is not.
func TestOnlyALearnedBidIsAddedToAnotherVersion(t *testing.T) {
	fence := func(w *world) func() {
		return func() {
			w.edit(func(b *onebidv1.Bid) { bidding.OutcomeUnknown(1, "somebody took over").Apply(b, start) })
		}
	}
	w := newWorld(t, onebidv1.ClassIdempotencyKey, newBid("one"))
	w.before["place"] = fence(w)
	w.process("a").step()
	w.Expect(w.placed()).To(Equal("True/Placed"))

	for _, class := range []onebidv1.ErrorClass{onebidv1.ErrorInvalid, onebidv1.ErrorRateLimited} {
		w = newWorld(t, onebidv1.ClassIdempotencyKey, newBid("one"))
		w.before["place"] = fence(w)
		w.errors["place"] = []error{refused(class)}
		w.process("a").step()
		w.Expect(w.placed()).To(Equal("Unknown/OutcomeUnknown"))
		w.Expect(w.stored().Status.Outcome).To(BeEmpty())
	}
}

// When the Bid is gone, or another one has its name, the bid that was placed for it is withdrawn.
func TestABidThatWentDuringTheCallLeavesNothingLive(t *testing.T) {
	for why, gone := range map[string]func(*world){
		"it is gone": func(w *world) { w.strip() },
		"another one has its name": func(w *world) {
			w.strip()
			w.Expect(w.api.Create(w.Context(), newBid("two"))).To(Succeed())
		},
	} {
		t.Run(why, func(t *testing.T) {
			w := newWorld(t, onebidv1.ClassIdempotencyKey, newBid("one"))
			w.before["place"] = func() { gone(w) }
			w.process("a").step()
			w.Expect(w.market.keys).To(HaveLen(1))
			w.Expect(w.market.live()).To(BeZero())
			w.Expect(w.lease().Annotations).To(HaveKey(onebidv1.AnnotationEndedAt))
		})
	}
}

// A sender that comes later than every wait, at a marketplace that accepts a second bid, takes back what it placed.
func TestASecondBidIsWithdrawnByItsSender(t *testing.T) {
	w := newWorld(t, onebidv1.ClassNone, newBid("one"))
	w.before["place"] = func() {
		w.market.byHand("250") // by the one that took over
		w.edit(func(b *onebidv1.Bid) {
			bidding.Placed(bidding.Remote{ID: "b-1", State: onebidv1.RemoteLive}, 2, onebidv1.ClassIdempotencyKey).Apply(b, start)
		})
	}
	_, requests := w.process("a").step()
	w.Expect(w.market.live()).To(Equal(1))
	w.Expect(requests).To(ContainElement("withdraw b-2"))
	w.Expect(w.stored().Status.Remote.BidID).To(Equal("b-1"))
}

// A process that took the posting during the call has met the intent: the ID may be another Bid's by now.
func TestALearnedBidIsNotWithdrawnUnderAnothersLease(t *testing.T) {
	w := newWorld(t, onebidv1.ClassUniquePerPosting, newBid("one"))
	a := w.process("a")
	w.before["place"] = func() {
		w.strip()
		w.clock.Step(ttl)
		lease := w.lease()
		lease.Spec.HolderIdentity = new("controller/b_2")
		*lease.Spec.LeaseTransitions++
		w.Expect(w.api.Update(w.Context(), lease)).To(Succeed())
	}
	_, err := a.try(t.Context())
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(count(w.requests(), "withdraw")).To(BeZero())
}

// The account must be the one that placed: an empty list of another account proves nothing.
func TestALookupOfAnotherAccountProvesNothing(t *testing.T) {
	w := newWorld(t, onebidv1.ClassIdempotencyKey, newBid("one"))
	mkt := newMarketplace(onebidv1.ClassIdempotencyKey)
	w.Expect(w.api.Get(t.Context(), keyOf(mkt), mkt)).To(Succeed())
	mkt.Status.AccountID = "ours"
	w.Expect(w.api.Update(t.Context(), mkt)).To(Succeed())
	w.market.account = "theirs"
	w.errors["place"] = []error{refused(onebidv1.ErrorUnknownOutcome)}
	a := w.process("a")
	a.step()
	w.clock.Step(settle)
	_, requests := a.step()
	w.Expect(requests).NotTo(ContainElement("place"))
	w.Expect(w.placed()).To(Equal("Unknown/OutcomeUnknown"))
}

// "There is one already" is no refusal: it may be ours.
func TestAnExistingBidIsLookedUp(t *testing.T) {
	for why, tc := range map[string]struct {
		there func(*world)
		want  string
	}{
		"ours, by its key": {func(w *world) {
			w.market.byHand("250")
			w.market.bids[0].IdempotencyKey = bidding.IdempotencyKey(bidName.Namespace, bidding.KeyOf(newBid("one")), "one")
		}, "True/Adopted"},
		"somebody else's":    {func(w *world) { w.market.byHand("250") }, "False/AlreadyExists"},
		"not shown yet":      {func(w *world) {}, "Unknown/OutcomeUnknown"},
		"the look-up failed": {func(w *world) { w.errors["look"] = []error{refused(onebidv1.ErrorTransient)} }, "Unknown/OutcomeUnknown"},
		"one that is over": {func(w *world) {
			w.market.byHand("250")
			w.market.bids[0].State = onebidv1.RemoteLost
		}, "Unknown/OutcomeUnknown"},
	} {
		t.Run(why, func(t *testing.T) {
			w := newWorld(t, onebidv1.ClassUniquePerPosting, newBid("one"))
			tc.there(w)
			w.errors["place"] = []error{refused(onebidv1.ErrorAlreadyExists)}
			w.process("a").step()
			w.Expect(w.placed()).To(Equal(tc.want))
		})
	}
}

// A later attempt of a Bid goes on from what an earlier one left, in the intent as well.
func TestAnUnusedIntentIsCleared(t *testing.T) {
	w := newWorld(t, onebidv1.ClassIdempotencyKey, newBid("one"))
	a := w.process("a")
	w.cache = w.stored()
	w.edit(func(b *onebidv1.Bid) { b.Spec.Withdraw = &onebidv1.BidWithdraw{Reason: "no more"} })
	a.step()
	w.Expect(w.intents()).To(BeEmpty(), "nobody has to resolve it")

	used := newWorld(t, onebidv1.ClassIdempotencyKey, newBid("one"))
	b := used.process("b")
	used.cache = used.stored()
	b.step()
	used.Expect(used.placed()).To(Equal("True/Placed"))
	b.step()
	used.Expect(used.intents()).NotTo(BeEmpty(), "the cache only did not show yet that it was used")
	used.Expect(used.market.keys).To(HaveLen(1))
	used.Expect(slices.Contains(used.requests(), "place")).To(BeFalse())
}
