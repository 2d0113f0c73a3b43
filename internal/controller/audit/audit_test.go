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
	"github.com/onebid-dev/onebid/internal/marketplace/account"
	"github.com/onebid-dev/onebid/internal/ownership"
)

// orphaned is a world with a live bid whose Bid is gone, as only the posting's Lease still says.
func orphaned(t *testing.T, policy onebidv1.OrphanPolicy) *world {
	t.Helper()
	w := newWorld(t, policy, claimed("one"))
	w.market.bids = append(w.market.bids, keyed("b-1", "one"))
	return w
}

func TestAnOrphanIsWithdrawnAtTheSecondLook(t *testing.T) {
	w := orphaned(t, onebidv1.OrphansWithdraw)
	w.between = func() {
		w.Expect(w.lease().Spec.HolderIdentity).To(HaveValue(HavePrefix("controller/a_")), "the posting is held between the looks")
	}
	w.audit()
	w.Expect(w.market.calls["withdraw b-1"]).To(BeTemporally(">=", start.Add(settle+slack)))
	w.Expect(w.market.calls).To(HaveKey("get b-1"))
	w.Expect(w.market.bids[0].State).To(Equal(onebidv1.RemoteWithdrawn))
	stone, ended, err := ownership.ParseTombstone(w.lease().Annotations)
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(ended).To(BeTrue())
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
	w.between = func() {
		b := &onebidv1.Bid{}
		w.Expect(w.api.Get(t.Context(), client.ObjectKeyFromObject(&bid), b)).To(Succeed())
		bidding.Placed(bidding.Remote{ID: "b-1", State: onebidv1.RemoteLive}, 1, onebidv1.ClassIdempotencyKey).Apply(b, start)
		w.Expect(w.api.Status().Update(t.Context(), b)).To(Succeed())
	}
	w.audit()
	w.Expect(w.market.calls).To(HaveKey("look"))
	w.Expect(w.market.calls).NotTo(HaveKey("withdraw b-1"))
}

// A holder that is alive has a reason to.
func TestAPostingThatIsHeldIsLeftAlone(t *testing.T) {
	w := orphaned(t, onebidv1.OrphansWithdraw)
	lease := w.lease()
	lease.Spec.HolderIdentity = ptr.To("somebody-else")
	lease.Spec.LeaseDurationSeconds = ptr.To[int32](3600)
	w.Expect(w.api.Update(t.Context(), lease)).To(Succeed())
	w.audit()
	w.Expect(w.market.calls).NotTo(HaveKey("withdraw b-1"))
	w.Expect(w.lease().Annotations).NotTo(HaveKey(onebidv1.AnnotationEndedAt))
}

func TestAPostingThatWasTakenBetweenTheLooksIsLeftAlone(t *testing.T) {
	w := orphaned(t, onebidv1.OrphansWithdraw)
	w.between = func() {
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

// Within a process the Lease alone excludes nothing: the controller of another Bid may be about to call.
func TestAPostingThatThisProcessUsesForAnotherBidIsLeftAlone(t *testing.T) {
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

// No other process can take a posting from a holder that is alive. The replica that leads writes the events.
func TestAReplicaAuditsWhatItHolds(t *testing.T) {
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
	w.Expect(w.reasons).To(BeEmpty(), "that it failed the other one reports")
	w.Expect(w.lease().Spec.HolderIdentity).To(BeNil(), "from now on the other one may claim it")
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

func TestNothingWaitsBetweenTheLooks(t *testing.T) {
	w := orphaned(t, onebidv1.OrphansWithdraw)
	w.restart()
	w.Expect(w.reconcile()).To(Equal(settle + slack))
	w.Expect(w.clock.HasWaiters()).To(BeFalse())
	w.clock.Step(settle)
	w.market.calls = map[string]time.Time{}
	w.Expect(w.reconcile()).To(Equal(slack), "whatever brings it sooner")
	w.Expect(w.market.calls).To(BeEmpty())
	w.clock.Step(slack)
	w.Expect(w.reconcile()).To(Equal(540*time.Second), "the next audit")
	w.Expect(w.market.bids[0].State).To(Equal(onebidv1.RemoteWithdrawn))
	w.Expect(w.lease().Annotations).To(HaveKey(onebidv1.AnnotationEndedAt))
}

func TestARestartBetweenTheLooksLosesNothing(t *testing.T) {
	w := orphaned(t, onebidv1.OrphansWithdraw)
	w.restart()
	w.reconcile()
	w.identity("b")
	w.restart()
	for range 10 { // the claim of the process before runs out, and the audits go on
		w.clock.Step(w.reconcile())
	}
	w.Expect(w.market.bids[0].State).To(Equal(onebidv1.RemoteWithdrawn))
	w.Expect(w.lease().Annotations).To(HaveKey(onebidv1.AnnotationEndedAt))
	w.Expect(w.reasons).To(Equal([]string{EventOrphanWithdrawn}), "a Lease that is held is no news")
}

// What one site shows says nothing about what another one has.
func TestAnotherConnectionBeginsAnew(t *testing.T) {
	w := orphaned(t, onebidv1.OrphansWithdraw)
	w.restart()
	w.reconcile()
	w.conn()
	w.clock.Step(w.reconcile())
	w.Expect(w.lease().Spec.HolderIdentity).To(BeNil(), "the claim was released")
	w.Expect(w.market.calls).NotTo(HaveKey("withdraw b-1"))
	w.Expect(w.reconcile()).To(Equal(settle + slack))
	w.clock.Step(settle + slack)
	w.reconcile()
	w.Expect(w.market.calls).To(HaveKey("withdraw b-1"))
}

// The audit's claim is not what a Bid that is gone left.
func TestALeaseIsNotReleasedBetweenTheLooks(t *testing.T) {
	bid := bidOf("one", "", onebidv1.StateRejected)
	w := newWorld(t, onebidv1.OrphansWithdraw, claimed("one"))
	w.market.bids = append(w.market.bids, keyed("b-1", "one"))
	w.restart()
	_, err := w.leases.Acquire(t.Context(), ownership.Request{Namespace: "ns", Key: posting, BidUID: "one"})
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(w.reconciler.bidGone(&bid)).To(Equal(settle + slack))
	w.clock.Step(time.Second)
	w.Expect(w.reconcile()).To(Equal(settle+slack-time.Second), "until the Lease would be released")
	w.clock.Step(settle + slack - time.Second)
	w.Expect(w.reconcile()).To(Equal(time.Second), "until the second look")
	w.Expect(w.lease().Spec.HolderIdentity).To(HaveValue(HavePrefix("controller/a_")))
	w.clock.Step(time.Second)
	w.reconcile()
	w.Expect(w.lease().Annotations).To(HaveKey(onebidv1.AnnotationEndedAt))
}

// A call that is held back leaves the case open, with its claim.
func TestTheSecondLookWaitsForTheAccount(t *testing.T) {
	for _, call := range []string{"look", "account"} {
		t.Run("from "+call, func(t *testing.T) {
			w := orphaned(t, onebidv1.OrphansWithdraw)
			w.restart()
			w.clock.Step(w.reconcile())
			w.market.after = map[string]func(){call: func() { w.pause(time.Minute) }}
			w.Expect(w.reconcile()).To(Equal(time.Minute))
			w.Expect(w.reasons).To(BeEmpty())
			w.Expect(w.lease().Spec.HolderIdentity).To(HaveValue(HavePrefix("controller/a_")))
			w.clock.Step(time.Minute)
			w.Expect(w.reconcile()).To(Equal(540 * time.Second))
			w.Expect(w.market.bids[0].State).To(Equal(onebidv1.RemoteWithdrawn))
		})
	}
}

func TestAMarketplaceThatIsGoneLeavesNoClaim(t *testing.T) {
	w := orphaned(t, onebidv1.OrphansWithdraw)
	w.restart()
	w.reconcile()
	mkt := &onebidv1.Marketplace{}
	w.Expect(w.api.Get(t.Context(), mktName, mkt)).To(Succeed())
	w.Expect(w.api.Delete(t.Context(), mkt)).To(Succeed())
	w.Expect(w.reconcile()).To(BeZero())
	w.Expect(w.lease().Spec.HolderIdentity).To(BeNil())
	w.Expect(w.reconciler.memories.by).To(BeEmpty())
}

func TestDecide(t *testing.T) {
	now, conn := start, &account.Account{}
	open := []*finding{{}}
	for _, c := range []struct {
		why  string
		m    memory
		f    facts
		want step
		wait time.Duration
	}{
		{why: "nothing is asked without a connection", want: stepWait},
		{why: "the interval is not over", m: memory{next: now.Add(time.Minute)}, f: facts{conn: conn}, want: stepWait, wait: time.Minute},
		{why: "an audit is due", m: memory{next: now}, f: facts{conn: conn}, want: stepFirstLook},
		{why: "a person asked", m: memory{next: now.Add(time.Minute)}, f: facts{conn: conn, requested: "now"}, want: stepFirstLook},
		{why: "something was released", m: memory{next: now.Add(time.Minute), again: true}, f: facts{conn: conn}, want: stepFirstLook},
		{
			why: "but the account pauses", m: memory{next: now, again: true}, f: facts{conn: conn, deniedUntil: now.Add(time.Second)},
			want: stepWait, wait: time.Second,
		},
		{
			why: "no audit while cases are open", f: facts{conn: conn, requested: "now"},
			m: memory{again: true, cases: open, conn: conn, secondLook: now.Add(time.Second)}, want: stepWait, wait: time.Second,
		},
		{why: "the second look is due", m: memory{cases: open, conn: conn, secondLook: now}, f: facts{conn: conn}, want: stepSecondLook},
		{
			why: "another connection", m: memory{cases: open, conn: conn, secondLook: now}, f: facts{conn: &account.Account{}},
			want: stepRelease,
		},
		{why: "no connection any more", m: memory{cases: open, conn: conn, secondLook: now}, want: stepRelease},
	} {
		t.Run(c.why, func(t *testing.T) {
			c.f.now = now
			got, wait := c.m.decide(c.f)
			g := NewWithT(t)
			g.Expect(got).To(Equal(c.want))
			g.Expect(wait).To(Equal(c.wait))
		})
	}
}
