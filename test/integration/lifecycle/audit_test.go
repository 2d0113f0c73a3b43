package lifecycle_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketsim"
	"github.com/onebid-dev/onebid/internal/testenv/build"
)

// audited lets the audit look every few seconds.
func audited(policy onebidv1.OrphanPolicy) func(*onebidv1.Marketplace) {
	return func(m *onebidv1.Marketplace) { m.Spec.AuditIntervalSeconds, m.Spec.Orphans = 5, policy }
}

// strip takes a Bid away as an administrator may who walks round all guards.
func (x *tenant) strip(bid *onebidv1.Bid) {
	x.t.Helper()
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))
	x.g.Expect(env.Client.Patch(x.t.Context(), bid, patch)).To(Succeed())
	x.delete(bid)
	x.gone(bid)
}

// events of one reason about the Marketplace, those that the API server keeps as one included.
func (x *tenant) events(reason string) int {
	x.t.Helper()
	list := &eventsv1.EventList{}
	x.g.Expect(env.Client.List(x.t.Context(), list, client.InNamespace(x.ns))).To(Succeed())
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
	for _, lease := range x.postingLeases() {
		if lease.Annotations[onebidv1.AnnotationSettledAt] != "" {
			n++
		}
	}
	return n
}

// listed counts the requests by which the account's bids were listed.
func (x *tenant) listed() int {
	n := 0
	for _, r := range x.ledger() {
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
	x.manager()
	x.manager()
	postings := []string{"a", "b", "c", "d"}
	for _, posting := range postings {
		x.state(x.bid(posting), onebidv1.StateActive)
	}
	kept := x.state(x.bid("kept"), onebidv1.StateActive)
	x.placeByHand("person")
	for _, posting := range postings {
		x.strip(build.Bid(x.ns, "rest", posting))
	}
	for _, posting := range postings {
		x.g.Eventually(func() int { return x.row(posting).Live }).WithTimeout(2 * patience).Should(BeZero())
	}
	x.g.Eventually(x.tombstones).Should(Equal(len(postings)))
	x.g.Eventually(func() int { return x.events("OrphanWithdrawn") }).Should(Equal(len(postings)))
	x.g.Expect(x.row("person").Live).To(Equal(1), "what a person placed is never touched")
	x.g.Expect(x.get(kept).Status.State).To(Equal(onebidv1.StateActive))
	x.g.Expect(x.row("kept").Live).To(Equal(1))
	x.g.Expect(x.events("OrphanFound")).To(BeZero())
	x.state(x.bid("a"), onebidv1.StateActive)
}

func TestAnOrphanIsReportedOnce(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, audited(onebidv1.OrphansReport))
	m := x.manager()
	x.strip(x.state(x.bid("1"), onebidv1.StateActive))
	x.g.Eventually(func() int { return x.events("OrphanFound") }).Should(Equal(1))
	looks := len(x.calls("lookup", "1"))
	x.g.Eventually(func() int { return len(x.calls("lookup", "1")) }).Should(BeNumerically(">=", looks+5), "each audit looks twice")
	x.g.Expect(x.events("OrphanFound")).To(Equal(1))
	x.g.Expect(x.row("1").Live).To(Equal(1))
	x.g.Expect(x.calls("withdraw", "1")).To(BeEmpty())
	x.g.Expect(x.tombstones()).To(BeZero(), "the Lease is what proves whose it is")
	x.g.Expect(m.metricsText(t, x)).To(ContainSubstring(`onebid_orphans{marketplace="rest",namespace="` + x.ns + `"} 1`))
	x.retire()
}

// retire deletes the Marketplace, so that the managers of later tests do not find what this one leaves.
func (x *tenant) retire() {
	x.t.Helper()
	mkt := &onebidv1.Marketplace{}
	mkt.Namespace, mkt.Name = x.ns, "rest"
	x.g.Expect(env.Client.Delete(x.t.Context(), mkt)).To(Succeed())
	x.g.Eventually(func() error { return env.Client.Get(x.t.Context(), keyOf(x.ns, "rest"), mkt) }).
		Should(MatchError(ContainSubstring("not found")))
}

// A bid that shows before its reply came back has a Bid that records nothing yet.
func TestABidThatIsBeingPlacedIsNoOrphan(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, audited(onebidv1.OrphansWithdraw), func(m *onebidv1.Marketplace) {
		m.Spec.TimeoutSeconds = 20
	})
	x.fault(marketsim.Fault{Verb: "place", Commit: "before", DelayMillis: 15000, Times: 1})
	x.manager()
	bid := x.bid("1")
	x.g.Eventually(func() int { return x.row("1").Live }).Should(Equal(1))
	lists := x.listed()
	x.g.Eventually(x.listed).Should(BeNumerically(">", lists), "an audit while the call is under way")
	x.g.Expect(x.get(bid).Status.Remote).To(BeNil(), "the call is under way")
	x.state(bid, onebidv1.StateActive)
	x.g.Expect(x.row("1").Live).To(Equal(1))
	x.g.Expect(x.calls("withdraw", "1")).To(BeEmpty())
}

// A Bid that went while it was being placed leaves its sender with a bid that has no home, and the sender fails to
// withdraw it.
func TestABidThatWentWhileItWasPlaced(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, audited(onebidv1.OrphansWithdraw), func(m *onebidv1.Marketplace) {
		m.Spec.TimeoutSeconds = 5
	})
	x.fault(marketsim.Fault{Verb: "place", DelayMillis: 2000, Times: 1})
	x.fault(marketsim.Fault{Verb: "withdraw", Status: 503, Times: 1})
	x.manager()
	bid := x.bid("1")
	x.g.Eventually(func() int { return x.row("1").PlaceCalls }).Should(Equal(1))
	x.strip(bid)
	x.g.Eventually(func() int { return len(x.calls("withdraw", "1")) }).Should(Equal(1))
	x.g.Expect(x.row("1").Live).To(Equal(1))
	x.g.Eventually(func() int { return x.row("1").Live }).WithTimeout(2 * patience).Should(BeZero())
	x.g.Eventually(x.tombstones).Should(Equal(1))
}

// An audit that finds nothing writes nothing.
func TestAnAuditThatFindsNothingIsQuiet(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, audited(onebidv1.OrphansWithdraw))
	x.manager()
	mine := x.bid("1")
	x.state(mine, onebidv1.StateActive)
	x.placeByHand("person")
	before := x.postingLeases()
	x.g.Consistently(func() int { return x.events("OrphanFound") }).WithTimeout(12 * time.Second).Should(BeZero())
	x.g.Eventually(x.listed).Should(BeNumerically(">=", 4), "each audit lists two states")
	x.g.Expect(x.postingLeases()).To(Equal(before))
	x.g.Expect(x.row("person").Live).To(Equal(1))
}
