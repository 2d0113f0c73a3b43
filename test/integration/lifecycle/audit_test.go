package lifecycle_test

import (
	"testing"

	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketsim"
	"github.com/onebid-dev/onebid/internal/testenv/build"
	"github.com/onebid-dev/onebid/test/harness"
)

// audited lets the audit look every few seconds.
func audited(policy onebidv1.OrphanPolicy) func(*onebidv1.Marketplace) {
	return func(m *onebidv1.Marketplace) { m.Spec.AuditIntervalSeconds, m.Spec.Orphans = 5, policy }
}

// strip takes a Bid away as an administrator may who walks round all guards, before a manager puts the finalizer back.
func (x *tenant) strip(bid *onebidv1.Bid) {
	x.T.Helper()
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))
	x.Frozen(func() {
		x.G.Expect(world.Env.Client.Patch(x.T.Context(), bid, patch)).To(Succeed())
		x.Delete(bid)
		x.Gone(bid)
	})
}

// events of one reason about the Marketplace, those that the API server keeps as one included.
func (x *tenant) events(reason string) int {
	x.T.Helper()
	list := &eventsv1.EventList{}
	x.G.Expect(world.Env.Client.List(x.T.Context(), list, client.InNamespace(x.NS))).To(Succeed())
	n := 0
	for _, e := range list.Items {
		if e.Reason == reason && e.Regarding.Kind == "Marketplace" {
			n++
			if e.Series != nil {
				n += int(e.Series.Count)
			}
		}
	}
	return n
}

// tombstones counts the Leases of the tenant that are settled.
func (x *tenant) tombstones() int {
	n := 0
	for _, lease := range x.PostingLeases() {
		if lease.Annotations[onebidv1.AnnotationEndedAt] != "" {
			n++
		}
	}
	return n
}

// listed counts the requests by which the account's bids were listed.
func (x *tenant) listed() int {
	n := 0
	for _, r := range x.Ledger() {
		if r.Kind == marketsim.KindCall && r.Verb == "list" {
			n++
		}
	}
	return n
}

// A finalizer was stripped by hand from a live Bid. Two replicas, so that the one that audits need not be the one that
// holds the posting's Lease.
func TestAnOrphanIsWithdrawn(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, audited(onebidv1.OrphansWithdraw))
	x.Manager()
	x.Manager()
	postings := []string{"a", "b", "c", "d"}
	for _, posting := range postings {
		x.State(x.Bid(posting), onebidv1.StateActive)
	}
	kept := x.State(x.Bid("kept"), onebidv1.StateActive)
	x.PlaceByHand("person")
	for _, posting := range postings {
		x.strip(build.Bid(x.NS, "rest", posting))
	}
	for _, posting := range postings {
		x.G.Eventually(func() int { return x.Row(posting).Live }).WithTimeout(2 * harness.Patience).Should(BeZero())
	}
	x.G.Eventually(x.tombstones).Should(Equal(len(postings)))
	x.G.Eventually(func() int { return x.events("OrphanWithdrawn") }).Should(Equal(len(postings)))
	x.G.Expect(x.Row("person").Live).To(Equal(1), "what a person placed is never touched")
	x.G.Expect(x.Get(kept).Status.State).To(Equal(onebidv1.StateActive))
	x.G.Expect(x.Row("kept").Live).To(Equal(1))
	x.State(x.Bid("a"), onebidv1.StateActive)
}

func TestAnOrphanIsReportedOnce(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, audited(onebidv1.OrphansReport))
	m := x.Manager()
	x.strip(x.State(x.Bid("1"), onebidv1.StateActive))
	x.G.Eventually(func() int { return x.events("OrphanFound") }).Should(Equal(1))
	looks := len(x.Calls("lookup", "1"))
	x.G.Eventually(func() int { return len(x.Calls("lookup", "1")) }).WithTimeout(2*harness.Patience).
		Should(BeNumerically(">=", looks+5), "each audit looks twice")
	x.G.Expect(x.events("OrphanFound")).To(Equal(1))
	x.G.Expect(x.Row("1").Live).To(Equal(1))
	x.G.Expect(x.Calls("withdraw", "1")).To(BeEmpty())
	x.G.Expect(x.tombstones()).To(BeZero(), "the Lease is what proves whose it is")
	x.G.Expect(m.MetricsText(x.Tenant)).To(ContainSubstring(`onebid_orphans{marketplace="rest",namespace="` + x.NS + `"} 1`))
}

// A bid that shows before its reply came back has a Bid that records nothing yet.
func TestABidThatIsBeingPlacedIsNoOrphan(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, audited(onebidv1.OrphansWithdraw), func(m *onebidv1.Marketplace) {
		m.Spec.TimeoutSeconds = 25
	})
	x.Fault(marketsim.Fault{Verb: "place", Commit: "before", DelayMillis: 20000, Times: 1})
	x.Manager()
	bid := x.Bid("1")
	x.G.Eventually(func() int { return x.Row("1").Live }).Should(Equal(1))
	lists := x.listed()
	x.G.Eventually(x.listed).Should(BeNumerically(">", lists), "an audit while the call is under way")
	x.G.Expect(x.Get(bid).Status.Remote).To(BeNil(), "the call is under way")
	x.State(bid, onebidv1.StateActive)
	x.G.Expect(x.Row("1").Live).To(Equal(1))
	x.G.Expect(x.Calls("withdraw", "1")).To(BeEmpty())
}

// A Bid that went while it was being placed leaves its sender with a bid that has no home, and the sender fails to
// withdraw it.
func TestABidThatWentWhileItWasPlaced(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, audited(onebidv1.OrphansWithdraw), func(m *onebidv1.Marketplace) {
		m.Spec.TimeoutSeconds = 5
	})
	x.Fault(marketsim.Fault{Verb: "place", DelayMillis: 2000, Times: 1})
	x.Fault(marketsim.Fault{Verb: "withdraw", Status: 503})
	x.Manager()
	bid := x.Bid("1")
	x.G.Eventually(func() int { return x.Row("1").PlaceCalls }).Should(Equal(1))
	x.strip(bid)
	x.G.Eventually(func() int { return len(x.Calls("withdraw", "1")) }).Should(BeNumerically(">=", 1))
	x.G.Expect(x.Row("1").Live).To(Equal(1))
	x.NoFaults()
	x.G.Eventually(func() int { return x.Row("1").Live }).WithTimeout(2 * harness.Patience).Should(BeZero())
	x.G.Eventually(x.tombstones).Should(Equal(1))
}

// An audit that finds nothing writes nothing.
func TestAnAuditThatFindsNothingIsQuiet(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, audited(onebidv1.OrphansWithdraw))
	x.Manager()
	mine := x.Bid("1")
	x.State(mine, onebidv1.StateActive)
	x.PlaceByHand("person")
	before := x.PostingLeases()
	x.G.Eventually(x.listed).Should(BeNumerically(">=", 6), "each audit lists two states, so two have ended")
	x.G.Expect(x.events("OrphanFound")).To(BeZero())
	x.G.Expect(x.PostingLeases()).To(Equal(before))
	x.G.Expect(x.Row("person").Live).To(Equal(1))
}
