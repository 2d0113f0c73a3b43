package bid_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
)

func TestPlacingIsClaimReadCallAndRecord(t *testing.T) {
	w := newWorld(t, onebidv1.ClassIdempotencyKey, newBid("one"))
	a := w.process("a")
	w.before["place"] = func() {
		intent, noted := w.intents().Of("one")
		w.Expect(noted).To(BeTrue(), "the intent stands on the Lease before the call")
		w.Expect(intent.Operation).To(Equal(onebidv1.OperationPlace))
		w.Expect(intent.Attempt).To(BeEquivalentTo(1))
	}
	wait, requests := a.step()
	w.Expect(requests).To(Equal([]string{"create lease", "read bid", "place", "update status"}))
	w.Expect(wait).To(BeZero())
	w.Expect(w.placed()).To(Equal("True/Placed"))
	w.Expect(w.stored().Status.Remote.BidID).To(Equal("b-1"))
	w.Expect(w.market.keys).To(Equal([]string{bidding.IdempotencyKey(bidName.Namespace, bidding.KeyOf(newBid("one")), "one")}))
	w.Expect(a.postings.active).To(Equal([]string{"one"}))
	_, held := a.leases.Held(bidName.Namespace, leaseName)
	w.Expect(held).To(BeTrue(), "the Lease is kept for the Bid's life")
	_, requests = a.step()
	w.Expect(requests).To(BeEmpty(), "quiet when nothing changes")
}

// What the cache shows authorises nothing: the Bid may be another one by now.
func TestOnlyTheLiveBidAuthorises(t *testing.T) {
	for why, change := range map[string]func(*world){
		"it is being deleted": func(w *world) { w.delete() },
		"it is gone":          func(w *world) { w.strip() },
		"it is another one of the same name": func(w *world) {
			w.strip()
			w.Expect(w.api.Create(w.Context(), newBid("two"))).To(Succeed())
		},
		"it is to be withdrawn": func(w *world) {
			w.edit(func(b *onebidv1.Bid) { b.Spec.Withdraw = &onebidv1.BidWithdraw{Reason: "no more"} })
		},
		"it was placed": func(w *world) {
			w.edit(func(b *onebidv1.Bid) {
				bidding.Placed(bidding.Remote{ID: "x", State: onebidv1.RemoteLive}, 1, onebidv1.ClassIdempotencyKey).Apply(b, start)
			})
		},
		"its outcome is unknown": func(w *world) {
			w.edit(func(b *onebidv1.Bid) { bidding.OutcomeUnknown(1, "timeout").Apply(b, start) })
		},
		"an attempt was refused meanwhile": func(w *world) {
			w.edit(func(b *onebidv1.Bid) {
				bidding.PlaceFailed(bidding.Failure{Class: onebidv1.ErrorRateLimited, Attempt: 1, ReviewAfter: 9}).Apply(b, start)
			})
		},
		"it ended": func(w *world) {
			w.edit(func(b *onebidv1.Bid) { bidding.ExistingBid("x", 0).Apply(b, start) })
		},
		"its approval was changed": func(w *world) {
			w.edit(func(b *onebidv1.Bid) {
				b.Generation++
				b.Spec.Approval = &onebidv1.BidApproval{BidUID: "one", Decision: onebidv1.ApprovalRefused}
			})
		},
	} {
		t.Run(why, func(t *testing.T) {
			w := newWorld(t, onebidv1.ClassIdempotencyKey, newBid("one"))
			a := w.process("a")
			w.cache = w.stored()
			change(w)
			_, requests := a.step()
			w.Expect(requests).To(ContainElement("read bid"))
			w.Expect(requests).NotTo(ContainElement("place"))
		})
	}
}

// An uncached read authorises for a moment only, however long a lookup takes between it and the call.
func TestAnUncachedReadAuthorisesForAMomentOnly(t *testing.T) {
	w := newWorld(t, onebidv1.ClassNone, newBid("one"))
	a := w.process("a")
	w.before["look"] = func() {
		w.clock.Step(2 * time.Second)
		w.edit(func(b *onebidv1.Bid) { b.Spec.Withdraw = &onebidv1.BidWithdraw{Reason: "no more"} })
	}
	_, requests := a.step()
	w.Expect(requests).To(Equal([]string{"create lease", "read bid", "look", "read bid"}))
	w.before["look"] = func() { w.clock.Step(2 * time.Second) }
	w.edit(func(b *onebidv1.Bid) { b.Spec.Withdraw = nil })
	_, requests = a.step()
	w.Expect(requests).To(ContainElements("read bid", "look", "read bid", "place"))
}

func TestNoCallStartsOnceTheLeaseHasRunOut(t *testing.T) {
	w := newWorld(t, onebidv1.ClassNone, newBid("one"))
	a := w.process("a")
	w.before["look"] = func() { w.clock.Step(ttl) }
	wait, requests := a.step()
	w.Expect(requests).NotTo(ContainElement("place"))
	w.Expect(wait).To(Equal(time.Second))
	_, requests = a.step()
	w.Expect(requests).To(ContainElements("update lease", "place"), "once it was written again")
}

// A shutdown neither abandons an in-flight call nor loses its outcome.
func TestAShutdownFinishesTheCall(t *testing.T) {
	w := newWorld(t, onebidv1.ClassIdempotencyKey, newBid("one"))
	a := w.process("a")
	ctx, cancel := context.WithCancel(t.Context())
	w.before["place"] = cancel
	_, err := a.try(ctx)
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(w.placed()).To(Equal("True/Placed"))
}

// A shutdown leaves no intent behind that was not used: whoever came next would have to find out what became of it, or ask a
// person. What was not begun is left to others.
func TestAShutdownLeavesNoIntentUnused(t *testing.T) {
	w := newWorld(t, onebidv1.ClassNone, newBid("one"))
	a := w.process("a")
	ctx, cancel := context.WithCancel(t.Context())
	w.before["read bid"] = cancel
	_, err := a.try(ctx)
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(w.placed()).To(Equal("True/Placed"))

	w = newWorld(t, onebidv1.ClassNone, newBid("one"))
	_, err = w.process("a").try(ctx)
	w.Expect(err).To(MatchError(context.Canceled))
	w.Expect(w.lease()).To(BeNil())
}

// Where the marketplace neither honours keys nor refuses a second bid, it is looked at before anything is sent.
func TestClassNoneIsLookedUpFirst(t *testing.T) {
	w := newWorld(t, onebidv1.ClassNone, newBid("one"))
	w.market.byHand("251")
	_, requests := w.process("a").step()
	w.Expect(requests).To(ContainElement("look"))
	w.Expect(requests).NotTo(ContainElement("place"))
	w.Expect(w.stored().Status.Outcome).To(Equal(onebidv1.StateDuplicate))
	w.Expect(w.market.live()).To(Equal(1), "it is left alone")
}

// A refusal that is documented had no effect: it is tried again at its time, not before, under the next number.
func TestADocumentedRefusalIsTriedAgainAtItsTime(t *testing.T) {
	w := newWorld(t, onebidv1.ClassIdempotencyKey, newBid("one"))
	a := w.process("a")
	w.errors["place"] = []error{refused(onebidv1.ErrorTransient)}
	a.step()
	w.Expect(w.placed()).To(Equal("False/MarketplaceError"))
	_, requests := a.step()
	w.Expect(requests).To(BeEmpty())
	w.clock.Step(2 * time.Second)
	_, requests = a.step()
	w.Expect(requests).To(Equal([]string{"update lease", "read bid", "place", "update status"}))
	intent, _ := w.intents().Of("one")
	w.Expect(intent.Attempt).To(BeEquivalentTo(2))
	w.Expect(w.market.keys).To(HaveLen(2))
	w.Expect(w.market.keys[0]).To(Equal(w.market.keys[1]), "one Bid has one key")
}

// A Bid that was bid on and gone within the cooldown is not followed at once.
func TestACooldownIsJudgedOnTheTombstone(t *testing.T) {
	w := newWorld(t, onebidv1.ClassIdempotencyKey, newBid("one"))
	a := w.process("a")
	a.step()
	w.delete()
	a.step()
	w.Expect(w.stored()).To(BeNil())
	w.Expect(w.api.Create(t.Context(), newBid("two"))).To(Succeed())
	wait, requests := w.process("b").step()
	w.Expect(requests).NotTo(ContainElement("place"))
	w.Expect(wait).To(Equal(cooldown))
	w.clock.Step(cooldown)
	w.requests()
	_, requests = w.process("c").step()
	w.Expect(requests).To(ContainElement("place"))
}

// The cache may show a Bid that ended long ago: its tombstone is final for it.
func TestABidWithATombstoneIsNotPlacedAgain(t *testing.T) {
	w := newWorld(t, onebidv1.ClassIdempotencyKey, newBid("one"))
	fresh := w.stored()
	a := w.process("a")
	a.step()
	w.delete()
	a.step()
	w.requests()
	w.cache = fresh
	w.clock.Step(2 * cooldown)
	for range 3 {
		_, requests := w.process("b").step()
		w.Expect(requests).NotTo(ContainElement("place"))
		w.Expect(requests).NotTo(ContainElement("update lease"))
	}
}

// The holder of a posting acts on it, whichever replica owns the shard; a replica that does neither leaves it.
func TestTheHolderActs(t *testing.T) {
	w := newWorld(t, onebidv1.ClassIdempotencyKey, newBid("one"))
	a := w.process("a")
	a.idle = true
	_, requests := a.step()
	w.Expect(requests).To(BeEmpty())
	a.idle = false
	a.step()
	a.idle = true
	w.delete()
	a.step()
	w.Expect(w.stored()).To(BeNil())
}

func TestAGuardInTheWaySendsNothing(t *testing.T) {
	w := newWorld(t, onebidv1.ClassIdempotencyKey, newBid("one", func(b *onebidv1.Bid) {
		b.Spec.PostingCachedAt = ptr.To(b.CreationTimestamp)
		b.Spec.PostingCachedAt.Time = start.Add(-25 * time.Hour)
	}))
	_, requests := w.process("a").step()
	w.Expect(requests).NotTo(ContainElement("place"))
	w.Expect(w.stored().Status.Outcome).To(Equal(onebidv1.StateExpired))
}

// What could not be recorded is not sent again, whatever the cache shows.
func TestWhatCouldNotBeRecordedIsNotSentAgain(t *testing.T) {
	for _, tc := range []struct {
		why     string
		dropped bool
	}{{"the ID was told", false}, {"the outcome is unknown", true}} {
		t.Run(tc.why, func(t *testing.T) {
			w := newWorld(t, onebidv1.ClassIdempotencyKey, newBid("one"))
			w.market.dropped = tc.dropped
			a := w.process("a")
			w.errors["update status"] = []error{apierrors.NewForbidden(onebidv1.GroupVersion.WithResource("bids").GroupResource(), "rest.1", nil)}
			_, err := a.try(t.Context())
			w.Expect(apierrors.IsForbidden(err)).To(BeTrue())
			w.Expect(w.placed()).To(BeEmpty())
			w.requests()
			_, requests := a.step()
			w.Expect(requests).NotTo(ContainElement("place"))
			w.Expect(requests).To(ContainElement("update status"))
			if tc.dropped {
				w.Expect(w.placed()).To(Equal("Unknown/OutcomeUnknown"))
			} else {
				w.Expect(w.placed()).To(Equal("True/Placed"))
			}
		})
	}
}
