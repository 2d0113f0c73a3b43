package audit

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/ownership"
)

// orphaned is a world with a live bid whose Bid is gone, as only the posting's Lease still says.
func orphaned(t *testing.T, policy onebidv1.OrphanPolicy) *world {
	t.Helper()
	w := newWorld(t, policy, claimed("one"))
	w.market.bids = append(w.market.bids, keyed("b-1", "one"))
	return w
}

func TestAnOrphanIsTakenBackAfterTheWaitAndBuried(t *testing.T) {
	w := orphaned(t, onebidv1.OrphansWithdraw)
	w.clock.during = func() {
		w.Expect(w.lease().Spec.HolderIdentity).To(HaveValue(HavePrefix("controller/a_")), "the posting is held while it waits")
	}
	w.audit()
	w.Expect(w.market.calls["withdraw b-1"]).To(BeTemporally(">=", start.Add(settle+slack)))
	w.Expect(w.market.calls).To(HaveKey("get b-1"))
	w.Expect(w.market.bids[0].State).To(Equal(onebidv1.RemoteWithdrawn))
	stone, settled, err := ownership.ParseTombstone(w.lease().Annotations)
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(settled).To(BeTrue())
	w.Expect(stone.CooldownUntil).To(BeTemporally("==", w.clock.Now().Add(300*time.Second)))
	w.Expect(w.reasons).To(Equal([]string{EventOrphanWithdrawn}))
}

func TestAnOrphanIsOnlyReportedWhereThatIsThePolicy(t *testing.T) {
	w := orphaned(t, onebidv1.OrphansReport)
	before := w.lease().ResourceVersion
	w.audit()
	w.Expect(w.market.calls).NotTo(HaveKey("withdraw b-1"))
	w.Expect(w.lease().ResourceVersion).To(Equal(before), "nothing is written")
	w.Expect(w.reasons).To(Equal([]string{EventOrphanFound}))
}

// What is accounted for once the wait is over is left alone: a late sender may have recorded it meanwhile.
func TestAVerdictIsReachedTwice(t *testing.T) {
	bid := bidOf("one", "", onebidv1.StateRejected)
	w := newWorld(t, onebidv1.OrphansWithdraw, &bid)
	w.market.bids = append(w.market.bids, keyed("b-1", "one"))
	w.clock.during = func() {
		w.clock.during = nil
		b := &onebidv1.Bid{}
		w.Expect(w.api.Get(t.Context(), client.ObjectKeyFromObject(&bid), b)).To(Succeed())
		bidding.Placed(bidding.Remote{ID: "b-1", State: onebidv1.RemoteLive}, 1, onebidv1.ClassIdempotencyKey).Apply(b, start)
		w.Expect(w.api.Status().Update(t.Context(), b)).To(Succeed())
	}
	w.audit()
	w.Expect(w.market.calls).To(HaveKey("look"))
	w.Expect(w.market.calls).NotTo(HaveKey("withdraw b-1"))
}

// Whoever holds the posting has a reason to; nothing is done over its head.
func TestAPostingThatSomebodyHoldsIsLeftToThem(t *testing.T) {
	w := orphaned(t, onebidv1.OrphansWithdraw)
	lease := w.lease()
	lease.Spec.HolderIdentity = ptr.To("somebody-else")
	lease.Spec.LeaseDurationSeconds = ptr.To[int32](3600)
	w.Expect(w.api.Update(t.Context(), lease)).To(Succeed())
	w.audit()
	w.Expect(w.market.calls).NotTo(HaveKey("withdraw b-1"))
	w.Expect(w.lease().Annotations).NotTo(HaveKey(onebidv1.AnnotationEndedAt))
}

func TestAPostingThatWasTakenDuringTheWaitIsLeftToThem(t *testing.T) {
	w := orphaned(t, onebidv1.OrphansWithdraw)
	w.clock.during = func() {
		w.clock.during = nil
		w.clock.Step(300 * time.Second)
		lease := w.lease()
		lease.Spec.HolderIdentity = ptr.To("somebody-else")
		lease.Spec.LeaseTransitions = ptr.To(*lease.Spec.LeaseTransitions + 1)
		lease.Spec.RenewTime = ptr.To(metav1.NewMicroTime(w.clock.Now()))
		w.Expect(w.api.Update(t.Context(), lease)).To(Succeed())
	}
	w.audit()
	w.Expect(w.market.calls).NotTo(HaveKey("withdraw b-1"))
}

// Within a process the Lease keeps nobody apart: the controller of another Bid may be about to call.
func TestAPostingThatThisProcessUsesForAnotherBidIsLeftToThat(t *testing.T) {
	bid := bidOf("two", "", "")
	w := newWorld(t, onebidv1.OrphansWithdraw, claimed("one"), &bid)
	w.market.bids = append(w.market.bids, keyed("b-1", "one"))
	_, err := w.leases.Acquire(t.Context(), ownership.Request{Namespace: "ns", Key: posting, BidUID: "two"})
	w.Expect(err).NotTo(HaveOccurred())
	w.audit()
	w.Expect(w.market.calls).To(HaveKey("look"))
	w.Expect(w.market.calls).NotTo(HaveKey("withdraw b-1"))
}

// A withdrawal that had no effect is none: the orphan stays one.
func TestAnOrphanIsReadBack(t *testing.T) {
	w := orphaned(t, onebidv1.OrphansWithdraw)
	w.market.stubborn = true
	w.audit()
	w.Expect(w.market.calls).To(HaveKey("withdraw b-1"))
	w.Expect(w.lease().Annotations).NotTo(HaveKey(onebidv1.AnnotationEndedAt))
	w.Expect(w.reasons).To(Equal([]string{EventOrphanFound}))
}

func TestAnAuditOfAnotherAccountProvesNothing(t *testing.T) {
	w := orphaned(t, onebidv1.OrphansWithdraw)
	mkt := &onebidv1.Marketplace{}
	w.Expect(w.api.Get(t.Context(), mktName, mkt)).To(Succeed())
	mkt.Status.AccountID = "ours"
	w.Expect(w.api.Update(t.Context(), mkt)).To(Succeed())
	w.market.account = "theirs"
	w.audit()
	w.Expect(w.market.calls).NotTo(HaveKey("withdraw b-1"))
	w.Expect(w.lease().Annotations).NotTo(HaveKey(onebidv1.AnnotationEndedAt))
	w.Expect(w.reasons).To(BeEmpty())
}

// Nobody can take a posting from a living holder, so that one looks after what is left there; the one that leads tells people.
func TestAReplicaLooksAfterWhatItHolds(t *testing.T) {
	one := bidOf("one", "b-1", "")
	w := newWorld(t, onebidv1.OrphansWithdraw, &one)
	w.follows = true
	w.market.bids = append(w.market.bids, keyed("b-1", "one"), keyed("b-2", "one"))
	w.audit()
	w.Expect(w.market.calls).NotTo(HaveKey("look"), "it does not hold the posting")

	hold := func() {
		_, err := w.leases.Acquire(t.Context(), ownership.Request{Namespace: "ns", Key: posting, BidUID: "one"})
		w.Expect(err).NotTo(HaveOccurred())
	}
	hold()
	w.market.stubborn = true
	w.audit()
	w.Expect(w.market.calls).To(HaveKey("withdraw b-2"))
	w.Expect(w.reasons).To(BeEmpty(), "that it failed the other one tells")
	w.Expect(w.lease().Spec.HolderIdentity).To(BeNil(), "from now on whoever audits may try")
	w.market.stubborn = false
	hold()
	w.audit()
	w.Expect(w.market.calls).NotTo(HaveKey("withdraw b-1"))
	w.Expect(w.market.bids[1].State).To(Equal(onebidv1.RemoteWithdrawn))
	w.Expect(w.reasons).To(Equal([]string{EventOrphanWithdrawn}))
	w.Expect(w.lease().Annotations).NotTo(HaveKey(onebidv1.AnnotationEndedAt), "its Bid lives")
}

func TestAReplicaThatDoesNotLeadListsNothingWhereOrphansAreReported(t *testing.T) {
	w := orphaned(t, onebidv1.OrphansReport)
	w.follows = true
	w.audit()
	w.Expect(w.market.calls).To(BeEmpty())
	w.Expect(w.reasons).To(BeEmpty())
}
