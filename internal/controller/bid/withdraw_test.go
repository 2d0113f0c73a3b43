package bid_test

import (
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/ownership"
)

func keyOf(o client.Object) types.NamespacedName { return client.ObjectKeyFromObject(o) }

// placedBid is a world with one open bid, and the process that placed it.
func placedBid(t *testing.T, class onebidv1.MarketplaceClass) (*world, *process) {
	t.Helper()
	w := newWorld(t, class, newBid("one"))
	a := w.process("a")
	a.step()
	w.Expect(w.placed()).To(Equal("True/Placed"))
	w.clock.Step(settle)
	w.requests()
	return w, a
}

func TestWithdrawingIsCallReadBackTombstoneAndFinalizer(t *testing.T) {
	w, a := placedBid(t, onebidv1.ClassIdempotencyKey)
	w.delete()
	_, requests := a.step()
	w.Expect(requests).To(Equal([]string{"read bid", "withdraw b-1", "get b-1", "update lease", "patch bid"}))
	w.Expect(w.stored()).To(BeNil())
	w.Expect(w.market.live()).To(BeZero())
	stone, settled, err := ownership.ParseTombstone(w.lease().Annotations)
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(settled).To(BeTrue())
	w.Expect(stone.BidUID).To(BeEquivalentTo("one"))
	w.Expect(stone.CooldownUntil).To(BeTemporally("==", w.clock.Now().Add(cooldown)))
	w.Expect(a.postings.ended).To(Equal([]string{"one Withdrawn"}))
}

// Only what is read back counts, whatever the call was answered.
func TestAWithdrawalIsBelievedWhenItIsReadBack(t *testing.T) {
	for why, tc := range map[string]struct {
		market func(*world)
		gone   bool
	}{
		"accepted without an effect":          {func(w *world) { w.market.stubborn = true }, false},
		"refused credentials":                 {answered(onebidv1.ErrorAuth), false},
		"forbidden":                           {answered(onebidv1.ErrorForbidden), false},
		"an answer that may mean anything":    {answered(onebidv1.ErrorUnknownOutcome), false},
		"not found although it is live":       {answered(onebidv1.ErrorNotFound), false},
		"already awarded":                     {answered(onebidv1.ErrorNotWithdrawable), false},
		"reading back failed":                 {func(w *world) { w.errors["get b-1"] = []error{refused(onebidv1.ErrorTransient)} }, false},
		"not found by ID, but on the posting": {func(w *world) { w.stubbornAndUnfound() }, false},
		"a state that nobody knows": {func(w *world) {
			w.market.stubborn = true
			w.market.bids[0].State = onebidv1.RemoteUnknown
		}, false},
		"withdrawn there already": {func(w *world) {
			w.errors["withdraw b-1"] = []error{refused(onebidv1.ErrorAlreadyWithdrawn)}
			w.market.bids[0].State = onebidv1.RemoteWithdrawn
		}, true},
		"nobody knows it there any more": {func(w *world) { w.market.bids = nil }, true},
		"won meanwhile": {func(w *world) {
			w.errors["withdraw b-1"] = []error{refused(onebidv1.ErrorNotWithdrawable)}
			w.market.bids[0].State = onebidv1.RemoteWon
		}, true},
	} {
		t.Run(why, func(t *testing.T) {
			w, a := placedBid(t, onebidv1.ClassIdempotencyKey)
			w.delete()
			tc.market(w)
			a.step()
			if tc.gone {
				w.Expect(w.stored()).To(BeNil())
				return
			}
			w.Expect(w.stored()).NotTo(BeNil(), "its finalizer is kept")
			w.Expect(w.stored().Status.Attempts.Operation).To(Equal(onebidv1.OperationWithdraw))
			w.Expect(w.stored().Status.Attempts.NextTime).NotTo(BeNil())
			_, requests := a.step()
			w.Expect(count(requests, "withdraw")).To(BeZero(), "not before its time")
		})
	}
}

// answered makes the marketplace refuse a withdrawal.
func answered(class onebidv1.ErrorClass) func(*world) {
	return func(w *world) { w.errors["withdraw b-1"] = []error{refused(class)} }
}

// stubbornAndUnfound makes a withdrawal have no effect, and a read by ID find nothing.
func (w *world) stubbornAndUnfound() {
	w.market.stubborn = true
	w.errors["get b-1"] = []error{refused(onebidv1.ErrorNotFound)}
}

// A bid that was just placed may not be shown yet: that it is not found is no proof when its withdrawal was refused.
func TestABidThatIsNotShownYetIsNotWithdrawn(t *testing.T) {
	w := newWorld(t, onebidv1.ClassIdempotencyKey, newBid("one"))
	a := w.process("a")
	a.step()
	w.market.hidden = true
	w.errors["withdraw b-1"] = []error{refused(onebidv1.ErrorNotFound)}
	w.delete()
	a.step()
	w.Expect(w.stored()).NotTo(BeNil())
}

// The Bid may have changed since the cached version: withdrawing needs an uncached read too.
func TestOnlyTheLiveBidIsWithdrawn(t *testing.T) {
	w, a := placedBid(t, onebidv1.ClassIdempotencyKey)
	w.delete()
	w.cache = w.stored()
	w.strip()
	w.Expect(w.api.Create(t.Context(), newBid("two"))).To(Succeed())
	_, requests := a.step()
	w.Expect(count(requests, "withdraw")).To(BeZero())
	w.Expect(w.stored().UID).To(BeEquivalentTo("two"))
	w.Expect(w.lease().Annotations).NotTo(HaveKey(onebidv1.AnnotationEndedAt), "its bid is live, and the claim tells")
}

func TestNoWithdrawalStartsOnceTheLeaseHasRunOut(t *testing.T) {
	w, a := placedBid(t, onebidv1.ClassIdempotencyKey)
	w.delete()
	w.before["read bid"] = func() { w.clock.Step(ttl) }
	_, requests := a.step()
	w.Expect(count(requests, "withdraw")).To(BeZero())
}

// A Bid that is created again over an open bid of its predecessor withdraws that first: it is ours, by its key.
func TestABidOfAnEarlierUIDIsWithdrawnFirst(t *testing.T) {
	w, a := placedBid(t, onebidv1.ClassIdempotencyKey)
	w.strip()
	w.Expect(w.api.Create(t.Context(), newBid("two"))).To(Succeed())
	w.errors["withdraw b-1"] = []error{refused(onebidv1.ErrorTransient)}
	w.clock.Step(settle)
	_, requests := a.step()
	w.Expect(requests).NotTo(ContainElement("place"), "not while the first one is live")
	w.Expect(w.intents()).To(ContainElement(HaveField("BidUID", BeEquivalentTo("one"))))
	for range 4 {
		w.clock.Step(settle)
		a.step()
	}
	w.Expect(w.placed()).To(Equal("True/Placed"))
	w.Expect(w.market.live()).To(Equal(1))
	w.Expect(w.market.bids[0].State).To(Equal(onebidv1.RemoteWithdrawn))
}

// Without stored keys, an open bid that an earlier Bid may have left cannot be distinguished from a person's.
func TestWhatAnEarlierBidLeftWithoutAKeyIsAPersonsMatter(t *testing.T) {
	w, _ := placedBid(t, onebidv1.ClassNone)
	w.strip()
	w.Expect(w.api.Create(t.Context(), newBid("two"))).To(Succeed())
	b := w.process("b")
	b.takeOver()
	w.clock.Step(settle)
	b.step()
	w.Expect(w.placed()).To(Equal("Unknown/Indeterminate"))
	w.Expect(w.market.keys).To(HaveLen(1))
	w.Expect(w.market.live()).To(Equal(1))
}

// The finalizer goes only from the version that was decided on.
func TestTheFinalizerGoesFromTheVersionThatWasRead(t *testing.T) {
	w, a := placedBid(t, onebidv1.ClassIdempotencyKey)
	w.delete()
	w.before["patch bid"] = func() { w.edit(func(b *onebidv1.Bid) { b.Finalizers = append(b.Finalizers, "somebody/else") }) }
	a.step()
	w.Expect(w.stored().Finalizers).To(ConsistOf(onebidv1.FinalizerWithdraw, "somebody/else"))
}

// A Bid that is deleted while its outcome is unknown repeats its key: the reply names the bid, if there is one.
func TestADeletedBidBurnsItsKey(t *testing.T) {
	w := newWorld(t, onebidv1.ClassIdempotencyKey, newBid("one"))
	w.market.dropped, w.market.hidden = true, true
	a := w.process("a")
	a.step()
	w.delete()
	w.clock.Step(settle)
	w.errors["place"] = []error{refused(onebidv1.ErrorRateLimited)}
	a.step()
	w.Expect(w.stored()).NotTo(BeNil(), "a refusal that may pass says nothing about the call before it")
	w.Expect(w.placed()).To(Equal("Unknown/OutcomeUnknown"))
	w.market.dropped, w.market.hidden = false, false
	for range 6 {
		w.clock.Step(time.Minute)
		if _, err := a.try(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.Expect(w.stored()).To(BeNil())
	w.Expect(w.market.live()).To(BeZero())
}

// A call whose outcome stays unknown changes nothing in the status, so no write brings the Bid back: time has to.
func TestAKeyThatIsNotBurntYetIsBurntLater(t *testing.T) {
	w := newWorld(t, onebidv1.ClassIdempotencyKey, newBid("one"))
	w.market.dropped, w.market.hidden = true, true
	a := w.process("a")
	a.step()
	w.delete()
	for range 3 {
		w.clock.Step(settle)
		wait, requests := a.step()
		w.Expect(requests).To(ContainElement("place"))
		if !slices.Contains(requests, "update status") {
			w.Expect(wait).To(Equal(settle))
		}
	}
}

// Before placing no bid is open; but only the Lease shows whether a call was made.
func TestADeletedBidIsLetGoOnlyOnceNoCallIsOpen(t *testing.T) {
	w := newWorld(t, onebidv1.ClassUniquePerPosting, newBid("one"))
	w.dies(true)
	w.delete()
	b := w.process("b")
	b.takeOver()
	w.Expect(w.stored()).NotTo(BeNil())
	for range 4 {
		w.clock.Step(settle)
		b.step()
	}
	w.Expect(w.stored()).To(BeNil())
	w.Expect(w.market.live()).To(BeZero())
}

// A recorded end does not hide a call: it is resolved before the finalizer is removed.
func TestAVerdictDoesNotHideACall(t *testing.T) {
	for why, verdict := range map[string]bidding.Change{
		"Duplicate": bidding.ExistingBid("x", 0),
		"Expired":   bidding.Denied(bidding.Denial{Reason: "PostingStale", Message: "m", Outcome: onebidv1.StateExpired}),
		"Withdrawn": bidding.NeverPlaced(),
	} {
		t.Run(why, func(t *testing.T) {
			w := newWorld(t, onebidv1.ClassUniquePerPosting, newBid("one"))
			w.dies(true)
			w.edit(func(b *onebidv1.Bid) { verdict.Apply(b, start) })
			w.delete()
			b := w.process("b")
			b.takeOver()
			w.Expect(w.stored()).NotTo(BeNil())
			for range 4 {
				w.clock.Step(settle)
				b.step()
			}
			w.Expect(w.stored()).To(BeNil())
			w.Expect(w.market.live()).To(BeZero())
		})
	}
}

// An unreadable intent may be about any call.
func TestAnUnreadableIntentIsAnOpenCall(t *testing.T) {
	w := newWorld(t, onebidv1.ClassUniquePerPosting, newBid("one"))
	w.dies(false)
	w.market.byHand("250")
	lease := w.lease()
	lease.Annotations[onebidv1.AnnotationIntent] = "?"
	lease.Annotations[onebidv1.AnnotationBidUID] = ""
	w.Expect(w.api.Update(t.Context(), lease)).To(Succeed())
	w.delete()
	b := w.process("b")
	b.takeOver()
	for range 3 {
		w.clock.Step(settle)
		b.step()
	}
	w.Expect(w.stored()).NotTo(BeNil(), "only a person can say")
}

// Abandoning leaves an open bid to the person; removing the annotation in time stops it.
func TestAbandoningIsReadUncachedAndCoolsDown(t *testing.T) {
	w, a := placedBid(t, onebidv1.ClassIdempotencyKey)
	w.edit(func(b *onebidv1.Bid) { b.Annotations = map[string]string{onebidv1.AnnotationAbandon: "closed"} })
	w.errors["withdraw b-1"] = []error{refused(onebidv1.ErrorTransient)}
	w.delete()
	w.cache = w.stored()
	w.edit(func(b *onebidv1.Bid) { b.Annotations = nil })
	a.step()
	w.Expect(w.stored()).NotTo(BeNil())
	w.edit(func(b *onebidv1.Bid) { b.Annotations = map[string]string{onebidv1.AnnotationAbandon: "closed"} })
	w.cache = nil
	_, requests := a.step()
	w.Expect(count(requests, "withdraw")).To(BeZero())
	w.Expect(w.stored()).To(BeNil())
	stone, _, _ := ownership.ParseTombstone(w.lease().Annotations)
	w.Expect(stone.CooldownUntil).To(BeTemporally("==", w.clock.Now().Add(cooldown)))
	w.Expect(stone.Outcome).To(Equal(onebidv1.StateIndeterminate))
}

// terminating makes the world's namespace one that is being deleted: its Lease is gone and none can be made.
func (w *world) terminating() {
	w.Helper()
	namespace := &corev1.Namespace{}
	w.Expect(w.api.Get(w.Context(), types.NamespacedName{Name: bidName.Namespace}, namespace)).To(Succeed())
	namespace.Finalizers = []string{"kubernetes"}
	w.Expect(w.api.Update(w.Context(), namespace)).To(Succeed())
	w.Expect(w.api.Delete(w.Context(), namespace)).To(Succeed())
	if lease := w.lease(); lease != nil {
		w.Expect(w.api.Delete(w.Context(), lease)).To(Succeed())
	}
	refusal := apierrors.NewForbidden(corev1.Resource("leases"), leaseName, nil)
	refusal.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	for range 20 {
		w.errors["create lease"] = append(w.errors["create lease"], refusal)
	}
}

// A Lease that went with its namespace means unknown: fence, settle, look up, withdraw.
func TestALeaseThatWentWithItsNamespaceMeansUnknown(t *testing.T) {
	w := newWorld(t, onebidv1.ClassIdempotencyKey, newBid("one"))
	w.dies(true)
	w.terminating()
	w.delete()
	b := w.process("b")
	wait, requests := b.step()
	w.Expect(requests).NotTo(ContainElement("look"))
	w.Expect(w.placed()).To(Equal("Unknown/LeaseLost"))
	w.Expect(wait).To(BeNumerically(">", settle+time.Second), "longer: no take-over fenced anybody off")
	w.clock.Step(wait)
	b.step()
	w.Expect(w.placed()).To(Equal("True/Adopted"))
	b.step()
	w.Expect(w.stored()).To(BeNil())
	w.Expect(w.market.live()).To(BeZero())
}

// Nothing is placed where no Lease can be had.
func TestNothingIsPlacedInATerminatingNamespace(t *testing.T) {
	w := newWorld(t, onebidv1.ClassIdempotencyKey, newBid("one"))
	w.terminating()
	_, requests := w.process("a").step()
	w.Expect(requests).NotTo(ContainElement("place"))
	w.Expect(w.placed()).To(BeEmpty())
}

// A replica that is behind does not take the posting of a Bid that was created since: its claim for the one that is gone would
// be a question that nobody can answer.
func TestACacheTakesNoPostingFromALaterBid(t *testing.T) {
	w, _ := placedBid(t, onebidv1.ClassUniquePerPosting)
	w.delete()
	w.cache = w.stored()
	w.strip()
	w.Expect(w.api.Create(t.Context(), newBid("two"))).To(Succeed())
	before := w.lease()
	b := w.process("b")
	b.step()
	w.clock.Step(ttl)
	b.step()
	w.Expect(w.lease()).To(Equal(before))
}
