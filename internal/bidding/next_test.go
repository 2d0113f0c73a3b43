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
		facts bidding.Facts
		want  bidding.Action
		at    time.Time
	}{
		{why: "a new Bid is placed", facts: bidding.Facts{Bid: newBid()}, want: bidding.ActionPlace},
		{
			why:   "without our finalizer a Bid could vanish between claim and call",
			facts: bidding.Facts{Bid: newBid(func(b *onebidv1.Bid) { b.Finalizers = nil })}, want: bidding.ActionAddFinalizer,
		},
		{
			why:   "what is deleted and not held by us is none of our business",
			facts: bidding.Facts{Bid: newBid(deleted, func(b *onebidv1.Bid) { b.Finalizers = nil })}, want: bidding.ActionNone,
		},
		{
			why: "a person may give up",
			facts: bidding.Facts{Bid: newBid(noted(live), deleted, func(b *onebidv1.Bid) {
				b.Annotations = map[string]string{onebidv1.AnnotationAbandon: "account closed"}
			})}, want: bidding.ActionAbandon,
		},
		{
			why: "giving up means nothing before the deletion",
			facts: bidding.Facts{Bid: newBid(func(b *onebidv1.Bid) {
				b.Annotations = map[string]string{onebidv1.AnnotationAbandon: "account closed"}
			})}, want: bidding.ActionPlace,
		},
		{
			why:   "a guard in the way is reported",
			facts: bidding.Facts{Bid: newBid(), Hold: &bidding.Hold{Reason: "Cooldown"}}, want: bidding.ActionReport,
		},
		{
			why:   "what ends a Bid must first make sure that no call is open",
			facts: bidding.Facts{Bid: newBid(), Hold: &bidding.Hold{Reason: "Stale", Outcome: onebidv1.StateExpired}},
			want:  bidding.ActionCancel,
		},
		{why: "a dry run only shows", facts: bidding.Facts{Bid: newBid(), Mode: onebidv1.ModeDryRun}, want: bidding.ActionPreview},
		{
			why: "a backoff is kept, also over a restart", facts: bidding.Facts{Bid: newBid(noted(failed))},
			want: bidding.ActionNone, at: now.Add(time.Minute),
		},
		{why: "deleting before placing cancels", facts: bidding.Facts{Bid: newBid(deleted)}, want: bidding.ActionCancel},
		{
			why:   "a backoff of placing does not hold up a deletion",
			facts: bidding.Facts{Bid: newBid(noted(failed), deleted)}, want: bidding.ActionCancel,
		},
		{
			why:   "a guard does not hold up a deletion",
			facts: bidding.Facts{Bid: newBid(deleted), Hold: &bidding.Hold{Reason: "Cooldown"}}, want: bidding.ActionCancel,
		},
		{why: "an unknown outcome is resolved", facts: bidding.Facts{Bid: newBid(noted(unknown))}, want: bidding.ActionResolve},
		{
			why:   "an unknown outcome is resolved before a withdrawal",
			facts: bidding.Facts{Bid: newBid(noted(unknown), deleted)}, want: bidding.ActionResolve,
		},
		{
			why: "a look-up that failed is repeated later",
			facts: bidding.Facts{Bid: newBid(noted(unknown, bidding.Unsettled(bidding.Failure{
				Message: "503", Next: now.Add(time.Minute),
			})))}, want: bidding.ActionNone, at: now.Add(time.Minute),
		},
		{
			why:   "only a person decides what cannot be found out",
			facts: bidding.Facts{Bid: newBid(noted(unknown, bidding.Undecidable("nothing is shown")), deleted)}, want: bidding.ActionNone,
		},
		{
			why:   "a live bid rests until the next poll",
			facts: bidding.Facts{Bid: newBid(noted(live)), PollAt: later}, want: bidding.ActionNone, at: later,
		},
		{
			why:   "guards have no say about a bid that is live",
			facts: bidding.Facts{Bid: newBid(noted(live)), Hold: &bidding.Hold{Outcome: onebidv1.StateExpired}}, want: bidding.ActionNone,
		},
		{why: "a live bid is polled when it is due", facts: bidding.Facts{Bid: newBid(noted(live)), PollAt: now}, want: bidding.ActionPoll},
		{
			why:   "a live bid is polled when somebody asks",
			facts: bidding.Facts{Bid: newBid(noted(live), requested), PollAt: later}, want: bidding.ActionPoll,
		},
		{
			why:   "an answered request is not answered again",
			facts: bidding.Facts{Bid: newBid(requested, noted(live)), PollAt: later}, want: bidding.ActionNone, at: later,
		},
		{why: "a live bid is withdrawn when asked", facts: bidding.Facts{Bid: newBid(noted(live), withdrawing)}, want: bidding.ActionWithdraw},
		{why: "a live bid is withdrawn when deleted", facts: bidding.Facts{Bid: newBid(noted(live), deleted)}, want: bidding.ActionWithdraw},
		{
			why:   "a failed withdrawal keeps its backoff",
			facts: bidding.Facts{Bid: newBid(noted(live), deleted, noted(withdrawFailed))}, want: bidding.ActionNone, at: now.Add(time.Minute),
		},
		{
			why:   "a settled Bid's claim becomes the tombstone",
			facts: bidding.Facts{Bid: newBid(noted(bidding.NeverPlaced())), Claimed: true}, want: bidding.ActionSettle,
		},
		{why: "a settled Bid is left alone", facts: bidding.Facts{Bid: newBid(noted(bidding.NeverPlaced()))}, want: bidding.ActionNone},
		{
			why:   "a settled Bid needs no finalizer",
			facts: bidding.Facts{Bid: newBid(noted(bidding.NeverPlaced()), func(b *onebidv1.Bid) { b.Finalizers = nil })}, want: bidding.ActionNone,
		},
		{
			why:   "a settled Bid may go",
			facts: bidding.Facts{Bid: newBid(noted(bidding.NeverPlaced()), deleted)}, want: bidding.ActionFinalize,
		},
		{
			why:   "a withdrawn bid may still be rejected there",
			facts: bidding.Facts{Bid: newBid(noted(live), withdrawing, noted(bidding.Withdrawn())), PollAt: now}, want: bidding.ActionPoll,
		},
	} {
		t.Run(tc.why, func(t *testing.T) {
			g := NewWithT(t)
			step := bidding.Next(tc.facts, now)
			g.Expect(step.Action).To(Equal(tc.want))
			g.Expect(step.At).To(BeTemporally("==", tc.at))
		})
	}
}

func TestNextReportsWhatGuardSaid(t *testing.T) {
	g := NewWithT(t)
	bid := newBid()
	bidding.Next(bidding.Facts{Bid: bid, Hold: &bidding.Hold{Reason: "Cooldown", Message: "wait"}}, now).Change.Apply(bid, now)
	g.Expect(condition(bid, onebidv1.ConditionAccepted).Reason).To(Equal("Cooldown"))

	gone := newBid(withdrawing)
	bidding.Next(bidding.Facts{Bid: gone}, now).Change.Apply(gone, now)
	g.Expect(gone.Status.Outcome).To(Equal(onebidv1.StateWithdrawn))
}

// Between two attempts a Bid is let alone, but not with a guard in its status that is not in the way any more.
func TestWhatIsNotInTheWayIsNotSaid(t *testing.T) {
	g := NewWithT(t)
	failed := noted(bidding.PlaceFailed(bidding.Failure{Class: onebidv1.ErrorTransient, Attempt: 1, Next: now.Add(time.Hour)}))
	held := func(reason string) func(*onebidv1.Bid) { return noted(bidding.Held(bidding.Hold{Reason: reason})) }
	g.Expect(bidding.Next(bidding.Facts{Bid: newBid(failed)}, now).Action).To(Equal(bidding.ActionNone))
	cooling := newBid(failed, held(onebidv1.ReasonCooldown))
	g.Expect(bidding.Next(bidding.Facts{Bid: cooling}, now).Action).To(Equal(bidding.ActionNone), "that is what it waits for")

	bid := newBid(failed, held(onebidv1.ReasonMarketplaceSuspended))
	step := bidding.Next(bidding.Facts{Bid: bid}, now)
	g.Expect(step.Action).To(Equal(bidding.ActionReport))
	step.Change.Apply(bid, now)
	g.Expect(meta.IsStatusConditionTrue(bid.Status.Conditions, onebidv1.ConditionAccepted)).To(BeTrue())
	g.Expect(bidding.Next(bidding.Facts{Bid: bid}, now)).To(Equal(bidding.Step{Action: bidding.ActionNone, At: now.Add(time.Hour)}))
}

func TestNextAttempt(t *testing.T) {
	g := NewWithT(t)
	bid := newBid()
	g.Expect(bidding.NextAttempt(bid, onebidv1.OperationPlace)).To(BeZero())
	bid.Status.Attempts = &onebidv1.BidAttempts{Operation: onebidv1.OperationPlace}
	g.Expect(bidding.NextAttempt(bid, onebidv1.OperationPlace)).To(BeZero())
	bid.Status.Attempts.NextTime = ptr.To(metav1.NewTime(now))
	g.Expect(bidding.NextAttempt(bid, onebidv1.OperationPlace)).To(BeTemporally("==", now))
	g.Expect(bidding.NextAttempt(bid, onebidv1.OperationWithdraw)).To(BeZero())
}
