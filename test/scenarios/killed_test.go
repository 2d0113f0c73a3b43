package scenarios_test

import (
	"testing"

	. "github.com/onsi/gomega"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketsim"
	"github.com/onebid-dev/onebid/internal/testenv/build"
	"github.com/onebid-dev/onebid/test/harness"
)

// 1: kill -9 before the intent is written. The successor sends, once.
func TestRow01KilledBeforeTheIntent(t *testing.T) {
	inEachClass(t, func(x *harness.Tenant, _ onebidv1.MarketplaceClass) {
		bid := killedAtTheIntent(x, false)
		x.G.Expect(x.PostingLeases()).To(BeEmpty())
		x.Manager()
		x.State(bid, onebidv1.StateActive)
		x.G.Expect(x.Row("1").PlaceCalls).To(Equal(1))
	})
}

// 2: kill -9 after the intent, before sending. The successor waits, looks and finds nothing, and then sends, once; where
// absence proves nothing it asks a person first.
func TestRow02KilledAfterTheIntent(t *testing.T) {
	inEachClass(t, func(x *harness.Tenant, class onebidv1.MarketplaceClass) {
		bid := killedAtTheIntent(x, true)
		x.G.Eventually(x.PostingLeases).Should(HaveLen(1))
		x.Manager()
		if class == onebidv1.ClassNone {
			x.State(bid, onebidv1.StateIndeterminate)
			x.G.Expect(x.Row("1").PlaceCalls).To(BeZero())
			x.Annotate(bid, onebidv1.AnnotationResolve, onebidv1.ResolveNotPlaced)
		}
		x.State(bid, onebidv1.StateActive)
		places, looks := x.Calls(marketsim.VerbPlace, "1"), x.Calls(marketsim.VerbLookup, "1")
		x.G.Expect(places).To(HaveLen(1))
		x.G.Expect(looks).NotTo(BeEmpty())
		x.G.Expect(looks[0].Seq).To(BeNumerically("<", places[0].Seq), "looked before it sent")
	})
}

// killedAtTheIntent kills a manager that waits for the answer to its first write about a Bid.
func killedAtTheIntent(x *harness.Tenant, carried bool) *onebidv1.Bid {
	x.T.Helper()
	p := x.Proxy()
	p.Lose(harness.Loss{Wanted: leaseWrites(x), Carried: carried, Silent: true})
	first := x.Manager("--kubeconfig", p.Kubeconfig)
	bid := x.Bid("1")
	x.G.Eventually(p.Lost).Should(BeNumerically(">=", 1), "once more where the reply was given up meanwhile")
	first.Kill()
	x.G.Expect(x.Row("1").PlaceCalls).To(BeZero())
	return bid
}

// 3: kill -9 after the marketplace committed, before the reply. The bid is adopted; nothing is sent again.
func TestRow03KilledAfterTheCommit(t *testing.T) {
	inEachClass(t, func(x *harness.Tenant, _ onebidv1.MarketplaceClass) {
		x.Fault(marketsim.Fault{Verb: "place", DelayMillis: 60000, Commit: "before"})
		first := x.Manager()
		bid := x.Bid("1")
		x.G.Eventually(func() int { return x.Row("1").Live }).Should(Equal(1))
		first.Kill()
		x.Manager()
		adopted := x.Reason(bid, onebidv1.ConditionPlaced, onebidv1.ReasonAdopted)
		x.G.Expect(x.Row("1").LiveBids).To(Equal([]string{adopted.Status.Remote.BidID}))
		x.G.Expect(x.Row("1").PlaceCalls).To(Equal(1))
	})
}

// 10: a pod of the same name starts while the old process still lives. They are two holders with two tokens, and the old
// one sends nothing when it goes on.
func TestRow10TwoProcessesOfOneName(t *testing.T) {
	inEachClass(t, func(x *harness.Tenant, _ onebidv1.MarketplaceClass) {
		x.Fault(marketsim.Fault{Verb: "place", DelayMillis: 60000, Commit: "before", Times: 1})
		old := x.Manager()
		bid := x.Bid("1")
		x.G.Eventually(func() int { return x.Row("1").Live }).Should(Equal(1))
		before := x.PostingLeases()[0]
		old.Pause()
		x.Manager()
		x.Reason(bid, onebidv1.ConditionPlaced, onebidv1.ReasonAdopted)
		after := x.PostingLeases()[0]
		x.G.Expect(after.UID).To(Equal(before.UID))
		x.G.Expect(*after.Spec.LeaseTransitions).To(BeNumerically(">", *before.Spec.LeaseTransitions))
		x.G.Expect(*after.Spec.HolderIdentity).NotTo(Equal(*before.Spec.HolderIdentity))
		x.G.Expect(*after.Spec.HolderIdentity).To(HavePrefix("controller/manager_"), "the same name, and another process")
		old.Resume()
		x.G.Eventually(old.IsReady).Should(BeTrue())
		x.State(x.Bid("2"), onebidv1.StateActive)
		x.G.Expect(x.Row("1").PlaceCalls).To(Equal(1))
	}, timeout(5)) // time to pause it in
}

// 24: SIGTERM in the middle of a POST. The reply is awaited and recorded; nothing is sent again.
func TestRow24StoppedInTheMiddleOfACall(t *testing.T) {
	inEachClass(t, func(x *harness.Tenant, _ onebidv1.MarketplaceClass) {
		x.Fault(marketsim.Fault{Verb: "place", DelayMillis: 2000, Commit: "before", Times: 1})
		m := x.Manager()
		bid := x.Bid("1")
		x.G.Eventually(func() int { return x.Row("1").PlaceCalls }).Should(Equal(1))
		m.Stop()
		x.G.Expect(x.Get(bid).Status.State).To(Equal(onebidv1.StateActive), "the reply was awaited and recorded")
		x.G.Expect(x.Row("1").PlaceCalls).To(Equal(1))
	}, timeout(10))
}

// 24: the new version starts beside the old one, which is then stopped, while bids come. Each is sent once.
func TestRow24OldAndNewSideBySide(t *testing.T) {
	inEachClass(t, func(x *harness.Tenant, _ onebidv1.MarketplaceClass) {
		x.Fault(marketsim.Fault{Verb: "place", DelayMillis: 300})
		postings := numbered("p", 60)
		old := x.Manager()
		for _, posting := range postings[:30] {
			x.Bid(posting)
		}
		x.Manager()
		for _, posting := range postings[30:] {
			x.Bid(posting)
		}
		x.G.Eventually(func() int { return totals(x).PlaceCalls }).Should(BeNumerically(">", 30))
		old.Stop()
		for _, posting := range postings {
			x.State(build.Bid(x.NS, "rest", posting), onebidv1.StateActive)
		}
		x.G.Expect(totals(x).PlaceCalls).To(Equal(len(postings)))
	}, timeout(10))
}
