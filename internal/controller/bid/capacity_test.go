package bid_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
)

// limited is a world with capacity for one bid and two Bids that want it: rest.1 and, a second younger, rest.2.
func limited(t *testing.T, class ...onebidv1.MarketplaceClass) *world {
	t.Helper()
	w := newWorld(t, append(class, onebidv1.ClassIdempotencyKey)[0], newBid("one"), newBid("two", func(b *onebidv1.Bid) {
		b.Name, b.Spec.PostingID, b.CreationTimestamp = "rest.2", "2", metav1.NewTime(start.Add(time.Second))
	}))
	w.change(func(m *onebidv1.Marketplace) { m.Spec.Limits = &onebidv1.MarketplaceLimits{MaxActiveBids: 1} })
	return w
}

// change edits the Marketplace.
func (w *world) change(edit func(*onebidv1.Marketplace)) {
	w.Helper()
	mkt := newMarketplace(onebidv1.ClassIdempotencyKey)
	w.Expect(w.api.Get(w.Context(), client.ObjectKeyFromObject(mkt), mkt)).To(Succeed())
	edit(mkt)
	w.Expect(w.api.Update(w.Context(), mkt)).To(Succeed())
}

// second reconciles rest.2, and returns what it asked for and the reason why it waits.
func (p *process) second() (requests []string, reason string) {
	p.Helper()
	p.requests()
	name := types.NamespacedName{Namespace: bidName.Namespace, Name: "rest.2"}
	_, err := p.reconciler.Reconcile(p.Context(), reconcile.Request{NamespacedName: name})
	p.Expect(err).NotTo(HaveOccurred())
	requests = p.requests()
	bid := &onebidv1.Bid{}
	p.Expect(p.api.Get(p.Context(), name, bid)).To(Succeed())
	if c := meta.FindStatusCondition(bid.Status.Conditions, onebidv1.ConditionAccepted); c != nil {
		reason = c.Reason
	}
	return requests, reason
}

// One replica reserves capacity; another one asks for the capacity Lease and writes nothing.
func TestOneReplicaReserves(t *testing.T) {
	w := limited(t)
	a, b := w.process("a"), w.process("b")
	a.step()
	w.Expect(w.placed()).To(Equal("True/Placed"))
	for range 3 {
		requests, reason := b.second()
		w.Expect(requests).NotTo(ContainElements("place"))
		w.Expect(requests).NotTo(ContainElement("update status"))
		w.Expect(reason).To(BeEmpty())
	}
	_, reason := a.second()
	w.Expect(reason).To(Equal(onebidv1.ReasonTooManyActiveBids))
}

// The next replica counts a call that no status shows.
func TestTheNextReplicaCountsWhatWasSent(t *testing.T) {
	w := limited(t)
	w.dies(true)
	b := w.process("b")
	b.second()
	w.clock.Step(ttl)
	requests, reason := b.second()
	w.Expect(requests).NotTo(ContainElement("place"))
	w.Expect(reason).To(Equal(onebidv1.ReasonTooManyActiveBids))

	b.takeOver()
	w.clock.Step(settle)
	b.step()
	w.Expect(w.placed()).To(Equal("True/Adopted"))
	w.Expect(w.market.live()).To(Equal(1))
}

// A replica that was paused after a reservation sends nothing once another one reserves.
func TestALostCapacityLeaseAuthorisesNothing(t *testing.T) {
	w := limited(t)
	a, b := w.process("a"), w.process("b")
	w.before["create lease"] = func() { // the room's; the next one is the posting's
		w.before["create lease"] = func() {
			b.second()
			w.clock.Step(ttl)
			_, reason := b.second()
			w.Expect(reason).To(Equal(onebidv1.ReasonAccepted))
		}
	}
	_, err := a.try(t.Context())
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(w.market.live()).To(Equal(1))
	w.Expect(w.market.keys).To(HaveLen(1))

	for range 2 { // to see who has it, and to take it from a replica that says nothing any more
		w.clock.Step(ttl)
		_, err = a.try(t.Context())
		w.Expect(err).NotTo(HaveOccurred())
	}
	w.Expect(w.stored().Status.Conditions).To(ContainElement(HaveField("Reason", onebidv1.ReasonTooManyActiveBids)))
	w.Expect(w.market.keys).To(HaveLen(1), "what the other one placed counts")
}

// When another replica owns the shard the capacity Lease is handed over at once; what was sent counts there too.
func TestCapacityIsHandedOverWithTheShard(t *testing.T) {
	w := limited(t)
	a, b := w.process("a"), w.process("b")
	w.before["place"] = func() {
		a.idle = true
		requests, _ := b.second()
		w.Expect(requests).NotTo(ContainElement("place"))
	}
	a.step()
	w.Expect(w.placed()).To(Equal("True/Placed"))
	w.clock.Step(time.Second)
	_, reason := b.second()
	w.Expect(reason).To(Equal(onebidv1.ReasonTooManyActiveBids), "b reserves, and counts what a placed")
}

// A Bid whose capacity was handed over between its claim and its call is placed by the next replica: nothing was sent, so no
// person is needed.
func TestABidThatLostItsCapacityIsNotUnknown(t *testing.T) {
	w := limited(t, onebidv1.ClassNone)
	a, b := w.process("a"), w.process("b")
	w.before["look"] = func() {
		a.idle = true
		lease, held := a.leases.Held(bidName.Namespace, "bid-capacity.rest")
		w.Expect(held).To(BeTrue())
		w.Expect(a.leases.Release(t.Context(), lease)).To(Succeed())
	}
	a.step()
	w.Expect(w.market.keys).To(BeEmpty())
	a.step()
	w.Expect(w.intents()).To(BeEmpty())
	b.step()
	w.Expect(w.placed()).To(Equal("True/Placed"))
}

// A hand-over that failed is retried: as long as this replica lives no other one can take the capacity Lease.
func TestAFailedHandOverIsRetried(t *testing.T) {
	w := limited(t)
	a, b := w.process("a"), w.process("b")
	a.step()
	w.Expect(w.placed()).To(Equal("True/Placed"))
	a.idle = true
	w.errors["delete lease"] = []error{errNoAnswer}
	a.step()
	_, reason := b.second()
	w.Expect(reason).To(BeEmpty(), "a has it still")
	a.step()
	w.clock.Step(time.Second)
	_, reason = b.second()
	w.Expect(reason).To(Equal(onebidv1.ReasonTooManyActiveBids), "b reserves")
}

var errNoAnswer = apierrors.NewTimeoutError("no answer", 1)

// So is the hand-over of a Lease that was taken and never used: its reply was lost, or the Bids could not be read.
func TestAnUnusedCapacityLeaseIsHandedOver(t *testing.T) {
	for _, failing := range []string{"reply to create lease", "list"} {
		t.Run(failing, func(t *testing.T) {
			w := limited(t)
			a, b := w.process("a"), w.process("b")
			w.errors[failing] = []error{errNoAnswer}
			_, err := a.try(t.Context())
			w.Expect(err).To(HaveOccurred())
			a.idle = true
			_, reason := b.second()
			w.Expect(reason).To(BeEmpty(), "a has it still")
			a.reconciler.ReplicasChanged(t.Context())
			w.clock.Step(time.Second)
			_, reason = b.second()
			w.Expect(reason).To(Equal(onebidv1.ReasonAccepted), "b reserves")
		})
	}
}

// A certain failure releases its capacity, and the oldest waiting Bid gets it.
func TestReleasedCapacityGoesToTheOldest(t *testing.T) {
	w := limited(t)
	a := w.process("a")
	_, reason := a.second()
	w.Expect(reason).To(Equal(onebidv1.ReasonAccepted))
	a.step()
	w.Expect(w.stored().Status.Conditions).To(ContainElement(HaveField("Reason", onebidv1.ReasonTooManyActiveBids)))

	third := newBid("three", func(b *onebidv1.Bid) {
		b.Name, b.Spec.PostingID, b.CreationTimestamp = "rest.3", "3", metav1.NewTime(start.Add(2*time.Second))
	})
	w.Expect(w.api.Create(t.Context(), third)).To(Succeed())
	ended := &onebidv1.Bid{}
	w.Expect(w.api.Get(t.Context(), types.NamespacedName{Namespace: bidName.Namespace, Name: "rest.2"}, ended)).To(Succeed())
	ended.Spec.Withdraw = &onebidv1.BidWithdraw{Reason: "no more"}
	w.Expect(w.api.Update(t.Context(), ended)).To(Succeed())
	a.second()
	w.Expect(w.market.live()).To(BeZero())

	_, err := a.reconciler.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(third)})
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(w.market.live()).To(BeZero(), "the older one is next")
	a.step()
	w.Expect(w.market.live()).To(Equal(1))
	w.Expect(w.placed()).To(Equal("True/Placed"))
}

// In DryRun nothing is reserved, so Bids that are shown at the same time do not report a limit.
func TestADryRunReservesNothing(t *testing.T) {
	w := limited(t)
	w.mode(onebidv1.ModeDryRun)
	a := w.process("a")
	w.before["update status"] = func() {
		_, reason := a.second()
		w.Expect(reason).To(Equal(onebidv1.ReasonAccepted))
	}
	a.step()
	w.Expect(w.placed()).To(Equal("False/DryRun"))

	w.mode(onebidv1.ModeLive)
	a.step()
	w.mode(onebidv1.ModeDryRun)
	_, reason := a.second()
	w.Expect(reason).To(Equal(onebidv1.ReasonTooManyActiveBids), "what is live counts")
}

// A bid that a lookup finds before anything is sent uses capacity like one that was sent.
func TestAnAdoptedBidUsesCapacity(t *testing.T) {
	w := limited(t)
	w.change(func(m *onebidv1.Marketplace) { m.Spec.Preflight = onebidv1.PreflightAlways })
	a := w.process("a")
	one := w.stored()
	w.market.byHand("250")
	w.market.bids[0].IdempotencyKey = bidding.IdempotencyKey(one.Namespace, bidding.KeyOf(one), one.UID)
	a.step()
	w.Expect(w.placed()).To(Equal("True/Adopted"))
	requests, reason := a.second()
	w.Expect(requests).NotTo(ContainElement("place"))
	w.Expect(reason).To(Equal(onebidv1.ReasonTooManyActiveBids))
}
