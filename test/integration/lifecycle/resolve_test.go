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
	"github.com/onebid-dev/onebid/test/harness"
)

// indeterminate brings a Bid to where only a person knows: the call was answered by an error, and nothing shows.
func (x *tenant) indeterminate(posting string) *onebidv1.Bid {
	x.T.Helper()
	x.Fault(marketsim.Fault{Verb: "place", Posting: posting, Commit: "none", Status: 500, Times: 1})
	return x.State(x.Bid(posting), onebidv1.StateIndeterminate)
}

// told waits for an event of the Bid.
func (x *tenant) told(kind, reason, note string) {
	x.T.Helper()
	x.G.Eventually(func() []string {
		list := &eventsv1.EventList{}
		x.G.Expect(world.Env.Client.List(x.T.Context(), list, client.InNamespace(x.NS))).To(Succeed())
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
	x.Manager()
	bid := x.indeterminate("1")
	x.G.Expect(harness.MessageOf(bid, onebidv1.ConditionStalled)).To(
		ContainSubstring("`kubectl annotate -n " + x.NS + " bid rest.1 onebid.dev/resolve=not-placed`"))
	x.Fault(marketsim.Fault{Verb: "place", Posting: "1", Commit: "none", Status: 500, Times: 1})
	x.Annotate(bid, onebidv1.AnnotationResolve, "not-placed")
	again := x.Eventually(bid, "a second question", func(b *onebidv1.Bid) bool {
		return b.Status.State == onebidv1.StateIndeterminate && b.Status.LastHandledResolve == "not-placed"
	})
	x.told(corev1.EventTypeNormal, "Resolved", `"not-placed"`)
	x.G.Expect(x.Row("1").PlaceCalls).To(Equal(2))
	x.G.Expect(harness.MessageOf(again, onebidv1.ConditionStalled)).To(ContainSubstring("--overwrite"))
	x.G.Expect(harness.MessageOf(again, onebidv1.ConditionStalled)).To(ContainSubstring("onebid.dev/resolve=not-placed:2`"))
	x.Annotate(bid, onebidv1.AnnotationResolve, "not-placed:2")
	x.State(bid, onebidv1.StateActive)
	x.G.Expect(x.Row("1").PlaceCalls).To(Equal(3))
	x.Delete(bid)
	x.Gone(bid)
}

func TestAPersonSaysThatNothingWasPlacedOfAWithdrawnBid(t *testing.T) {
	x := newTenant(t, onebidv1.ClassNone)
	x.Manager()
	x.Create(build.Posting(x.NS, "rest", "1"))
	withdrawn, deleted := x.indeterminate("0"), x.indeterminate("1")
	x.Withdraw(withdrawn, "no more")
	x.Annotate(withdrawn, onebidv1.AnnotationResolve, "not-placed")
	x.State(withdrawn, onebidv1.StateWithdrawn)
	x.Delete(deleted)
	x.Annotate(deleted, onebidv1.AnnotationResolve, "not-placed: asked their support")
	x.Gone(deleted)
	x.G.Expect(x.Row("0").PlaceCalls + x.Row("1").PlaceCalls).To(Equal(2))
	posting := &onebidv1.Posting{}
	x.G.Expect(world.Env.Client.Get(t.Context(), harness.KeyOf(x.NS, "rest.1"), posting)).To(Succeed())
	x.G.Expect(posting.Status.History).To(HaveLen(1))
	x.G.Expect(posting.Status.History[0].Reason).To(ContainSubstring("onebid.dev/resolve: not-placed: asked their support"))
}

// A person who looked says that the bid is live. What is missing is said, with names, and the answer is then given again.
func TestAPersonSaysThatABidWasPlaced(t *testing.T) {
	x := newTenant(t, onebidv1.ClassNone, func(m *onebidv1.Marketplace) { m.Spec.RebidCooldownSeconds = ptr.To[int32](0) })
	x.Manager()
	bid := x.indeterminate("1")
	stalled := func(want string) *onebidv1.Bid {
		t.Helper()
		return x.Eventually(bid, want, func(b *onebidv1.Bid) bool {
			ok, _ := ContainSubstring(want).Match(harness.MessageOf(b, onebidv1.ConditionStalled))
			return ok && b.Status.State == onebidv1.StateIndeterminate
		})
	}
	x.Annotate(bid, onebidv1.AnnotationResolve, "yes")
	stalled(`says "yes", which is neither "placed" nor "not-placed"`)
	x.told(corev1.EventTypeWarning, "NotResolved", `"yes"`)
	x.Annotate(bid, onebidv1.AnnotationResolve, "placed")
	stalled("shows no open bid of the account")
	x.PlaceByHand("1")
	x.PlaceByHand("1")
	x.ByHand = 1
	x.Annotate(bid, onebidv1.AnnotationResolve, "placed:2")
	two := stalled("has 2 open bids on the posting")
	x.G.Expect(harness.MessageOf(two, onebidv1.ConditionStalled)).To(MatchRegexp(`posting, "[^"]+", "[^"]+": withdraw all there but`))
	x.G.Expect(world.Sim.SetState(t.Context(), x.Market, x.Row("1").LiveBids[0], "withdrawn")).To(Succeed())
	x.Annotate(bid, onebidv1.AnnotationResolve, "placed:3")
	adopted := x.Reason(bid, onebidv1.ConditionPlaced, onebidv1.ReasonAdopted)
	x.told(corev1.EventTypeNormal, "Resolved", adopted.Status.Remote.BidID)
	x.G.Expect(x.Row("1").Live).To(Equal(1))
	x.Delete(bid)
	x.Gone(bid)
	x.G.Expect(x.Row("1").Live).To(BeZero())
}
