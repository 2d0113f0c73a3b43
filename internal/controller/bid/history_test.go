package bid_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/ownership"
)

// An abandoned Bid whose outcome was unknown may have an open bid: the next Bid waits for the cooldown and looks up first.
func TestABidAfterAnAbandonedOneLooksUpFirst(t *testing.T) {
	w := newWorld(t, onebidv1.ClassIdempotencyKey, newBid("one"))
	w.errors["place"] = []error{refused(onebidv1.ErrorUnknownOutcome)}
	w.process("a").step()
	w.edit(func(b *onebidv1.Bid) { b.Annotations = map[string]string{onebidv1.AnnotationAbandon: "closed"} })
	w.delete()
	b := w.process("b")
	b.takeOver()
	w.Expect(w.stored()).To(BeNil())
	stone, _, err := ownership.ParseTombstone(w.lease().Annotations)
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(stone.CooldownUntil).To(BeTemporally("==", w.clock.Now().Add(cooldown)))

	w.Expect(w.api.Create(t.Context(), newBid("two"))).To(Succeed())
	w.clock.Step(cooldown)
	_, requests := w.process("c").step()
	w.Expect(requests).To(ContainElements("look", "place"))
}

// What a Bid that went away leaves to be found is its claim.
func TestTheClaimOfABidThatIsGoneStaysWhereACallMayBeOpen(t *testing.T) {
	t.Run("a call of somebody who died", func(t *testing.T) {
		w := newWorld(t, onebidv1.ClassUniquePerPosting, newBid("one"))
		w.dies(true)
		w.cache = w.stored()
		w.strip()
		w.process("b").takeOver()
		w.Expect(w.lease().Annotations).NotTo(HaveKey(onebidv1.AnnotationEndedAt))
	})
	t.Run("a bid that only the cache does not show yet", func(t *testing.T) {
		w := newWorld(t, onebidv1.ClassIdempotencyKey, newBid("one"))
		a := w.process("a")
		w.cache = w.stored()
		a.step()
		w.Expect(w.placed()).To(Equal("True/Placed"))
		w.strip()
		a.step()
		w.Expect(w.lease().Annotations).NotTo(HaveKey(onebidv1.AnnotationEndedAt))
	})
	t.Run("but not where nothing was ever sent", func(t *testing.T) {
		w := newWorld(t, onebidv1.ClassIdempotencyKey, newBid("one"))
		w.cache = w.stored()
		w.strip()
		w.process("a").step()
		w.Expect(w.lease().Annotations).To(HaveKey(onebidv1.AnnotationEndedAt))
	})
}

// The settle time covers calls for earlier Bids on the posting too.
func TestTheSettleWaitCoversCallsForEarlierBids(t *testing.T) {
	w := newWorld(t, onebidv1.ClassIdempotencyKey, newBid("one"))
	w.errors["place"] = []error{refused(onebidv1.ErrorUnknownOutcome)}
	a := w.process("a")
	w.before["place"] = func() {
		w.clock.Step(10 * time.Second)
		w.strip()
		w.Expect(w.api.Create(w.Context(), newBid("two"))).To(Succeed())
	}
	a.step()
	wait, requests := a.step()
	w.Expect(wait).To(BeNumerically("~", settle, time.Second))
	w.Expect(requests).NotTo(ContainElement("look"))
}

func TestNothingIsWithdrawnOnceTheLeaseExpired(t *testing.T) {
	w, a := placedBid(t, onebidv1.ClassIdempotencyKey)
	w.strip()
	w.Expect(w.api.Create(t.Context(), newBid("two"))).To(Succeed())
	w.before["look"] = func() { w.clock.Step(ttl) }
	_, requests := a.step()
	w.Expect(requests).To(ContainElement("look"))
	w.Expect(count(requests, "withdraw")).To(BeZero())
}

// Only the present answer of a person is carried out.
func TestAnAnswerThatWasRemovedIsNone(t *testing.T) {
	w := newWorld(t, onebidv1.ClassNone, newBid("one", func(b *onebidv1.Bid) { bidding.Undecidable("nothing is shown").Apply(b, start) }))
	w.edit(func(b *onebidv1.Bid) {
		b.Annotations = map[string]string{onebidv1.AnnotationResolve: onebidv1.ResolveNotPlaced}
	})
	w.cache = w.stored()
	w.edit(func(b *onebidv1.Bid) { b.Annotations = nil })
	w.process("a").step()
	w.Expect(w.placed()).To(Equal("Unknown/Indeterminate"))
}

// A cache that lags shows an open bid that was withdrawn long ago; the marketplace may have reused its ID.
func TestABidThatEndedIsNotWithdrawn(t *testing.T) {
	w, a := placedBid(t, onebidv1.ClassUniquePerPosting)
	w.edit(func(b *onebidv1.Bid) { b.Spec.Withdraw = &onebidv1.BidWithdraw{Reason: "no more"} })
	w.cache = w.stored()
	w.edit(func(b *onebidv1.Bid) { bidding.Withdrawn().Apply(b, start) })
	_, requests := a.step()
	w.Expect(count(requests, "withdraw")).To(BeZero())
}

// Refused credentials are of the account: nothing of it is asked again at once.
func TestRefusedCredentialsPauseTheAccount(t *testing.T) {
	w := newWorld(t, onebidv1.ClassIdempotencyKey, newBid("one"))
	a := w.process("a")
	w.errors["place"] = []error{refused(onebidv1.ErrorAuth)}
	a.step()
	w.clock.Step(10 * time.Second)
	wait, requests := a.step()
	w.Expect(requests).To(BeEmpty())
	w.Expect(wait).To(Equal(20 * time.Second))
	w.clock.Step(wait)
	a.step()
	w.Expect(w.placed()).To(Equal("True/Placed"))
}

// What is under way counts, although no cache shows it.
func TestLimitsCountWhatIsBeingPlaced(t *testing.T) {
	for why, fault := range map[string]func(w *world, other func()){
		"it was let through": func(w *world, other func()) {
			w.before["create lease"] = func() { w.before["create lease"] = other } // the room's, and then the posting's
		},
		"it is being placed": func(w *world, other func()) { w.before["place"] = other },
		"it could not be recorded": func(w *world, _ func()) {
			forbidden := apierrors.NewForbidden(onebidv1.GroupVersion.WithResource("bids").GroupResource(), "rest.1", nil)
			w.errors["update status"] = []error{forbidden}
		},
	} {
		t.Run(why, func(t *testing.T) {
			second := newBid("other", func(b *onebidv1.Bid) { b.Name, b.Spec.PostingID = "rest.2", "2" })
			w := newWorld(t, onebidv1.ClassIdempotencyKey, newBid("one"), second)
			mkt := newMarketplace(onebidv1.ClassIdempotencyKey)
			w.Expect(w.api.Get(t.Context(), keyOf(mkt), mkt)).To(Succeed())
			mkt.Spec.Limits = &onebidv1.MarketplaceLimits{MaxActiveBids: 1}
			w.Expect(w.api.Update(t.Context(), mkt)).To(Succeed())
			a := w.process("a")
			other := func() {
				_, err := a.reconciler.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(second)})
				w.Expect(err).NotTo(HaveOccurred())
			}
			fault(w, other)
			_, _ = a.try(t.Context()) // one of them cannot be recorded, and says so
			other()
			held := &onebidv1.Bid{}
			w.Expect(w.api.Get(t.Context(), types.NamespacedName{Namespace: bidName.Namespace, Name: "rest.2"}, held)).To(Succeed())
			w.Expect(held.Status.Conditions).To(ContainElement(HaveField("Reason", onebidv1.ReasonTooManyActiveBids)))
			w.Expect(w.market.keys).To(HaveLen(1))
		})
	}
}

// Without a Lease nothing but a fresh read of the Bid stands between a late process and the marketplace.
func TestWithoutALeaseOnlyAFreshReadAuthorises(t *testing.T) {
	w, _ := placedBid(t, onebidv1.ClassIdempotencyKey)
	w.terminating()
	w.delete()
	b := w.process("b")
	w.before["read bid"] = func() { // that before the claim; the one after it authorises
		w.before["read bid"] = func() { w.clock.Step(2 * time.Second) }
	}
	_, requests := b.step()
	w.Expect(count(requests, "withdraw")).To(BeZero())
	b.step()
	w.Expect(w.stored()).To(BeNil())
}

// Without stored keys, a person's bid at our price is not ours when it was there before our first call.
func TestWithoutKeysExistingBidsAreLookedUpFirst(t *testing.T) {
	w := newWorld(t, onebidv1.ClassUniquePerPosting, newBid("one"))
	w.market.storesKey = false
	w.market.byHand("250")
	_, requests := w.process("a").step()
	w.Expect(requests).NotTo(ContainElement("place"))
	w.Expect(w.stored().Status.Outcome).To(Equal(onebidv1.StateDuplicate))
}

// A shutdown in the middle of a withdrawal neither abandons the call nor forgets that it failed.
func TestAShutdownFinishesTheWithdrawal(t *testing.T) {
	w, a := placedBid(t, onebidv1.ClassIdempotencyKey)
	w.delete()
	ctx, cancel := context.WithCancel(t.Context())
	w.before["withdraw b-1"] = cancel
	_, _ = a.try(ctx) // what comes after the call is for the next process, or done
	w.Expect(w.market.live()).To(BeZero())

	w, a = placedBid(t, onebidv1.ClassIdempotencyKey)
	w.delete()
	ctx, cancel = context.WithCancel(t.Context())
	w.before["withdraw b-1"] = cancel
	w.errors["withdraw b-1"] = []error{refused(onebidv1.ErrorTransient)}
	_, err := a.try(ctx)
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(w.stored().Status.Attempts.Operation).To(Equal(onebidv1.OperationWithdraw))
}
