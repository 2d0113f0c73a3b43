package lifecycle_test

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketsim"
	"github.com/onebid-dev/onebid/internal/testenv/build"
)

// indeterminate brings a Bid to where only a person knows: the call was answered by an error, and nothing shows.
func (x *tenant) indeterminate(posting string) *onebidv1.Bid {
	x.t.Helper()
	x.fault(marketsim.Fault{Verb: "place", Posting: posting, Commit: "none", Status: 500, Times: 1})
	return x.state(x.bid(posting), onebidv1.StateIndeterminate)
}

// told waits for an event of the Bid.
func (x *tenant) told(kind, reason, note string) {
	x.t.Helper()
	x.g.Eventually(func() []string {
		list := &eventsv1.EventList{}
		x.g.Expect(env.Client.List(x.t.Context(), list, client.InNamespace(x.ns))).To(Succeed())
		var notes []string
		for _, e := range list.Items {
			if e.Type == kind && e.Reason == reason {
				notes = append(notes, e.Note)
			}
		}
		return notes
	}).Should(ContainElement(ContainSubstring(note)))
}

// A person who looked says that nothing is there: the Bid is placed again, once. The old answer is none to the next
// question.
func TestAPersonSaysThatNothingWasPlaced(t *testing.T) {
	x := newTenant(t, onebidv1.ClassNone)
	x.manager()
	bid := x.indeterminate("1")
	x.g.Expect(messageOf(bid, onebidv1.ConditionStalled)).To(
		ContainSubstring("`kubectl annotate -n " + x.ns + " bid rest.1 onebid.dev/resolve=not-placed`"))
	x.fault(marketsim.Fault{Verb: "place", Posting: "1", Commit: "none", Status: 500, Times: 1})
	x.annotate(bid, onebidv1.AnnotationResolve, "not-placed")
	again := x.eventually(bid, "a second question", func(b *onebidv1.Bid) bool {
		return b.Status.State == onebidv1.StateIndeterminate && b.Status.LastHandledResolve == "not-placed"
	})
	x.told(corev1.EventTypeNormal, "Resolved", `"not-placed"`)
	x.g.Expect(x.row("1").PlaceCalls).To(Equal(2))
	x.g.Expect(messageOf(again, onebidv1.ConditionStalled)).To(ContainSubstring("--overwrite"))
	x.g.Expect(messageOf(again, onebidv1.ConditionStalled)).To(ContainSubstring("onebid.dev/resolve=not-placed:2`"))
	x.annotate(bid, onebidv1.AnnotationResolve, "not-placed:2")
	x.state(bid, onebidv1.StateActive)
	x.g.Expect(x.row("1").PlaceCalls).To(Equal(3))
	x.delete(bid)
	x.gone(bid)
}

func TestAPersonSaysThatNothingWasPlacedOfAWithdrawnBid(t *testing.T) {
	x := newTenant(t, onebidv1.ClassNone)
	x.manager()
	x.create(build.Posting(x.ns, "rest", "1"))
	withdrawn, deleted := x.indeterminate("0"), x.indeterminate("1")
	x.withdraw(withdrawn, "no more")
	x.annotate(withdrawn, onebidv1.AnnotationResolve, "not-placed")
	x.state(withdrawn, onebidv1.StateWithdrawn)
	x.delete(deleted)
	x.annotate(deleted, onebidv1.AnnotationResolve, "not-placed: asked their support")
	x.gone(deleted)
	x.g.Expect(x.row("0").PlaceCalls + x.row("1").PlaceCalls).To(Equal(2))
	posting := &onebidv1.Posting{}
	x.g.Expect(env.Client.Get(t.Context(), keyOf(x.ns, "rest.1"), posting)).To(Succeed())
	x.g.Expect(posting.Status.History).To(HaveLen(1))
	x.g.Expect(posting.Status.History[0].Reason).To(ContainSubstring("onebid.dev/resolve: not-placed: asked their support"))
}

// A person who looked says that the bid is live. What is missing is said, with names, and the answer is then given again.
func TestAPersonSaysThatABidWasPlaced(t *testing.T) {
	x := newTenant(t, onebidv1.ClassNone, func(m *onebidv1.Marketplace) { m.Spec.RebidCooldownSeconds = ptr.To[int32](0) })
	x.manager()
	bid := x.indeterminate("1")
	stalled := func(want string) *onebidv1.Bid {
		t.Helper()
		return x.eventually(bid, want, func(b *onebidv1.Bid) bool {
			ok, _ := ContainSubstring(want).Match(messageOf(b, onebidv1.ConditionStalled))
			return ok && b.Status.State == onebidv1.StateIndeterminate
		})
	}
	x.annotate(bid, onebidv1.AnnotationResolve, "yes")
	stalled(`says "yes", which is neither "placed" nor "not-placed"`)
	x.told(corev1.EventTypeWarning, "NotResolved", `"yes"`)
	x.annotate(bid, onebidv1.AnnotationResolve, "placed")
	stalled("shows no live bid of the account")
	x.placeByHand("1")
	x.placeByHand("1")
	x.byHand = 1
	x.annotate(bid, onebidv1.AnnotationResolve, "placed:2")
	two := stalled("has 2 live bids on the posting")
	x.g.Expect(messageOf(two, onebidv1.ConditionStalled)).To(MatchRegexp(`posting, "[^"]+", "[^"]+": withdraw all there but`))
	x.g.Expect(sim.SetState(t.Context(), x.market, x.row("1").LiveBids[0], "withdrawn")).To(Succeed())
	x.annotate(bid, onebidv1.AnnotationResolve, "placed:3")
	adopted := x.reason(bid, onebidv1.ConditionPlaced, onebidv1.ReasonAdopted)
	x.told(corev1.EventTypeNormal, "Resolved", adopted.Status.Remote.BidID)
	x.g.Expect(x.row("1").Live).To(Equal(1))
	x.delete(bid)
	x.gone(bid)
	x.g.Expect(x.row("1").Live).To(BeZero())
}
