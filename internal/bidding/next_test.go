package bidding_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
)

// planFacts are Facts about a whole Bid.
type planFacts struct {
	Bid     *onebidv1.Bid
	Denial  *bidding.Denial
	Mode    onebidv1.MarketplaceMode
	Class   onebidv1.MarketplaceClass
	Claimed bool
	PollAt  time.Time
	Open    bool
}

func (f planFacts) next() bidding.Plan {
	return bidding.Next(bidding.Facts{
		Bid: bidding.ViewOf(f.Bid), Denial: f.Denial, Mode: f.Mode, Class: f.Class, Claimed: f.Claimed, PollAt: f.PollAt, CallOpen: f.Open,
	}, now)
}

func TestNext(t *testing.T) {
	later := now.Add(time.Hour)
	requested := func(bid *onebidv1.Bid) {
		bid.Annotations = map[string]string{onebidv1.AnnotationReconcileRequestedAt: "now"}
	}
	withdrawFailed := bidding.WithdrawFailed(bidding.Failure{
		Class: onebidv1.ErrorTransient, Message: "503", Attempt: 1, Next: now.Add(time.Minute), ReviewAfter: 10,
	})
	for _, tc := range []struct {
		why   string
		facts planFacts
		want  bidding.Action
		at    time.Time
	}{
		{why: "a new Bid is placed", facts: planFacts{Bid: newBid()}, want: bidding.ActionPlace},
		{
			why:   "without our finalizer a Bid could vanish between claim and call",
			facts: planFacts{Bid: newBid(func(b *onebidv1.Bid) { b.Finalizers = nil })}, want: bidding.ActionAddFinalizer,
		},
		{
			why:   "what is deleted and not held by us is none of our business",
			facts: planFacts{Bid: newBid(deleted, func(b *onebidv1.Bid) { b.Finalizers = nil })}, want: bidding.ActionNone,
		},
		{
			why: "a person may give up",
			facts: planFacts{Bid: newBid(noted(live), deleted, func(b *onebidv1.Bid) {
				b.Annotations = map[string]string{onebidv1.AnnotationAbandon: "account closed"}
			})}, want: bidding.ActionAbandon,
		},
		{
			why: "giving up means nothing before the deletion",
			facts: planFacts{Bid: newBid(func(b *onebidv1.Bid) {
				b.Annotations = map[string]string{onebidv1.AnnotationAbandon: "account closed"}
			})}, want: bidding.ActionPlace,
		},
		{
			why:   "a guard in the way is reported",
			facts: planFacts{Bid: newBid(), Denial: &bidding.Denial{Reason: "Cooldown"}}, want: bidding.ActionReport,
		},
		{
			why:   "what ends a Bid must first make sure that no call is open",
			facts: planFacts{Bid: newBid(), Denial: &bidding.Denial{Reason: "Stale", Outcome: onebidv1.StateExpired}},
			want:  bidding.ActionCancel,
		},
		{
			why: "a call that this process remembers is resolved, whatever the cache shows", facts: planFacts{
				Bid: newBid(), Open: true, Denial: &bidding.Denial{Reason: "Cooldown"},
			}, want: bidding.ActionResolve,
		},
		{why: "a dry run only shows", facts: planFacts{Bid: newBid(), Mode: onebidv1.ModeDryRun}, want: bidding.ActionPreview},
		{
			why: "a backoff is kept, also over a restart", facts: planFacts{Bid: newBid(noted(failed))},
			want: bidding.ActionNone, at: now.Add(time.Minute),
		},
		{why: "deleting before placing cancels", facts: planFacts{Bid: newBid(deleted)}, want: bidding.ActionCancel},
		{
			why:   "a backoff of placing does not hold up a deletion",
			facts: planFacts{Bid: newBid(noted(failed), deleted)}, want: bidding.ActionCancel,
		},
		{
			why:   "a guard does not hold up a deletion",
			facts: planFacts{Bid: newBid(deleted), Denial: &bidding.Denial{Reason: "Cooldown"}}, want: bidding.ActionCancel,
		},
		{why: "an unknown outcome is resolved", facts: planFacts{Bid: newBid(noted(unknown))}, want: bidding.ActionResolve},
		{
			why:   "an unknown outcome is resolved before a withdrawal",
			facts: planFacts{Bid: newBid(noted(unknown), deleted)}, want: bidding.ActionResolve,
		},
		{
			why: "a look-up that failed is repeated later",
			facts: planFacts{Bid: newBid(noted(unknown, bidding.Unresolved(bidding.Failure{
				Message: "503", Next: now.Add(time.Minute),
			})))}, want: bidding.ActionNone, at: now.Add(time.Minute),
		},
		{
			why:   "only a person decides what cannot be found out",
			facts: planFacts{Bid: newBid(noted(unknown, bidding.Undecidable("nothing is shown")), deleted)}, want: bidding.ActionNone,
		},
		{
			why:   "a live bid rests until the next poll",
			facts: planFacts{Bid: newBid(noted(live)), PollAt: later}, want: bidding.ActionNone, at: later,
		},
		{
			why:   "guards have no say about a bid that is live",
			facts: planFacts{Bid: newBid(noted(live)), Denial: &bidding.Denial{Outcome: onebidv1.StateExpired}}, want: bidding.ActionNone,
		},
		{why: "a live bid is polled when it is due", facts: planFacts{Bid: newBid(noted(live)), PollAt: now}, want: bidding.ActionPoll},
		{
			why:   "a live bid is polled when somebody asks",
			facts: planFacts{Bid: newBid(noted(live), requested), PollAt: later}, want: bidding.ActionPoll,
		},
		{
			why:   "an answered request is not answered again",
			facts: planFacts{Bid: newBid(requested, noted(live)), PollAt: later}, want: bidding.ActionNone, at: later,
		},
		{why: "a live bid is withdrawn when asked", facts: planFacts{Bid: newBid(noted(live), withdrawing)}, want: bidding.ActionWithdraw},
		{why: "a live bid is withdrawn when deleted", facts: planFacts{Bid: newBid(noted(live), deleted)}, want: bidding.ActionWithdraw},
		{
			why:   "a failed withdrawal keeps its backoff",
			facts: planFacts{Bid: newBid(noted(live), deleted, noted(withdrawFailed))}, want: bidding.ActionNone, at: now.Add(time.Minute),
		},
		{
			why:   "a settled Bid's claim becomes the tombstone",
			facts: planFacts{Bid: newBid(noted(bidding.NeverPlaced())), Claimed: true}, want: bidding.ActionWriteTombstone,
		},
		{why: "a settled Bid is left alone", facts: planFacts{Bid: newBid(noted(bidding.NeverPlaced()))}, want: bidding.ActionNone},
		{
			why:   "a settled Bid needs no finalizer",
			facts: planFacts{Bid: newBid(noted(bidding.NeverPlaced()), func(b *onebidv1.Bid) { b.Finalizers = nil })}, want: bidding.ActionNone,
		},
		{
			why:   "a settled Bid may go",
			facts: planFacts{Bid: newBid(noted(bidding.NeverPlaced()), deleted)}, want: bidding.ActionFinalize,
		},
		{
			why:   "a withdrawn bid may still be rejected there",
			facts: planFacts{Bid: newBid(noted(live), withdrawing, noted(bidding.Withdrawn())), PollAt: now}, want: bidding.ActionPoll,
		},
	} {
		t.Run(tc.why, func(t *testing.T) {
			g := NewWithT(t)
			plan := tc.facts.next()
			g.Expect(plan.Action).To(Equal(tc.want))
			g.Expect(plan.At).To(BeTemporally("==", tc.at))
		})
	}
}

func TestNextReportsWhatGuardSaid(t *testing.T) {
	g := NewWithT(t)
	bid := newBid()
	planFacts{Bid: bid, Denial: &bidding.Denial{Reason: "Cooldown", Message: "wait"}}.next().Change.Apply(bid, now)
	g.Expect(condition(bid, onebidv1.ConditionAccepted).Reason).To(Equal("Cooldown"))

	gone := newBid(withdrawing)
	planFacts{Bid: gone}.next().Change.Apply(gone, now)
	g.Expect(gone.Status.Outcome).To(Equal(onebidv1.StateWithdrawn))
}

// Between two attempts a Bid is left alone, unless its status names a guard that passes by now.
func TestWhatIsNotInTheWayIsNotSaid(t *testing.T) {
	g := NewWithT(t)
	failed := noted(bidding.PlaceFailed(bidding.Failure{Class: onebidv1.ErrorTransient, Attempt: 1, Next: now.Add(time.Hour)}))
	held := func(reason string) func(*onebidv1.Bid) { return noted(bidding.Denied(bidding.Denial{Reason: reason})) }
	g.Expect(planFacts{Bid: newBid(failed)}.next().Action).To(Equal(bidding.ActionNone))
	cooling := newBid(failed, held(onebidv1.ReasonCooldown))
	g.Expect(planFacts{Bid: cooling}.next().Action).To(Equal(bidding.ActionNone), "that is what it waits for")

	bid := newBid(failed, held(onebidv1.ReasonMarketplaceSuspended))
	plan := planFacts{Bid: bid}.next()
	g.Expect(plan.Action).To(Equal(bidding.ActionReport))
	plan.Change.Apply(bid, now)
	g.Expect(meta.IsStatusConditionTrue(bid.Status.Conditions, onebidv1.ConditionAccepted)).To(BeTrue())
	g.Expect(planFacts{Bid: bid}.next()).To(Equal(bidding.Plan{Action: bidding.ActionNone, At: now.Add(time.Hour)}))
}

func TestAttemptsAreDueAtTheirTime(t *testing.T) {
	g := NewWithT(t)
	bid := newBid()
	g.Expect(bidding.ViewOf(bid).PlaceAt).To(BeZero())
	bid.Status.Attempts = &onebidv1.BidAttempts{Operation: onebidv1.OperationPlace, NextTime: ptr.To(metav1.NewTime(now))}
	g.Expect(bidding.ViewOf(bid).PlaceAt).To(BeTemporally("==", now))
	g.Expect(bidding.ViewOf(bid).WithdrawAt).To(BeZero())
}
