package bidding_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
)

func leaseLost(bid *onebidv1.Bid) bool { return bidding.ViewOf(bid).LeaseLost }

func unproven(bid *onebidv1.Bid) bool {
	v := bidding.ViewOf(bid)
	return v.Placed == metav1.ConditionFalse && v.Settling
}

func TestALostLeaseIsUnknownAndNoMore(t *testing.T) {
	g := NewWithT(t)
	bid := newBid(noted(failed), deleted, noted(bidding.LeaseLost()))
	g.Expect(bidding.PlacedStatus(bid)).To(Equal(metav1.ConditionUnknown))
	g.Expect(leaseLost(bid)).To(BeTrue())
	g.Expect(bidding.Attempts(bid, onebidv1.OperationPlace)).To(Equal(int32(1)), "what is known of attempts stays")
	g.Expect(planFacts{Bid: bid}.next().Action).To(Equal(bidding.ActionResolve), "at once, whatever was to be waited for")
	since := bid.Status.SettlingSince
	bidding.LeaseLost().Apply(bid, now.Add(time.Minute))
	g.Expect(bid.Status.SettlingSince).To(Equal(since))
	bidding.Unresolved(bidding.Failure{Class: onebidv1.ErrorTransient, Message: "503", Attempt: 1, ReviewAfter: 3}).Apply(bid, now)
	g.Expect(leaseLost(bid)).To(BeTrue(), "a look-up that failed made no call known")
	bidding.OutcomeUnknown(2, "timeout").Apply(bid, now)
	g.Expect(leaseLost(bid)).To(BeFalse())

	rejected := newBid(noted(bidding.NeverPlaced()), deleted, noted(bidding.LeaseLost()))
	g.Expect(bidding.Terminal(rejected)).To(BeFalse(), "a verdict hides no call")
	g.Expect(leaseLost(newBid(noted(unknown)))).To(BeFalse())
}

// A lookup that finds nothing does not prove that the call never takes effect.
func TestAKeyIsUnprovenUntilItAnswers(t *testing.T) {
	g := NewWithT(t)
	key, unique := bidding.Absent(1, onebidv1.ClassIdempotencyKey), bidding.Absent(1, onebidv1.ClassUniquePerPosting)
	g.Expect(unproven(newBid())).To(BeFalse())
	g.Expect(unproven(newBid(noted(unknown)))).To(BeFalse(), "it is unknown, which is more")
	g.Expect(unproven(newBid(noted(unknown, unique)))).To(BeFalse())
	g.Expect(unproven(newBid(noted(unknown, key)))).To(BeTrue())
	g.Expect(unproven(newBid(noted(unknown, key, failed)))).To(BeTrue(), "a refusal that may pass says nothing about the first call")
	g.Expect(unproven(newBid(noted(unknown, key, live)))).To(BeFalse())
	g.Expect(unproven(newBid(noted(unknown, bidding.NotPlaced(1, "not-placed"))))).To(BeFalse())
	refused := bidding.PlaceFailed(bidding.Failure{Class: onebidv1.ErrorInvalid, Attempt: 2})
	g.Expect(unproven(newBid(noted(unknown, key, refused)))).To(BeFalse(), "the key's answer for good")

	next := func(class onebidv1.MarketplaceClass, bid *onebidv1.Bid) bidding.Plan {
		return planFacts{Bid: bid, Class: class}.next()
	}
	gone := newBid(noted(unknown, key), deleted)
	g.Expect(next(onebidv1.ClassNone, gone).Action).To(Equal(bidding.ActionCancel))
	refusedOnce := newBid(noted(failed), deleted)
	g.Expect(next(onebidv1.ClassIdempotencyKey, refusedOnce).Action).To(Equal(bidding.ActionCancel), "nothing was ever unknown")
	plan := next(onebidv1.ClassIdempotencyKey, gone)
	g.Expect(plan.Action).To(Equal(bidding.ActionReport))
	later := now.Add(time.Hour)
	plan.Change.Apply(gone, later)
	g.Expect(bidding.PlacedStatus(gone)).To(Equal(metav1.ConditionUnknown))
	g.Expect(gone.Status.SettlingSince.Time).To(Equal(later), "it settles anew")
	g.Expect(next(onebidv1.ClassIdempotencyKey, gone).Action).To(Equal(bidding.ActionResolve))
}

func TestASecondBidReplacesNone(t *testing.T) {
	g := NewWithT(t)
	second := func(id string, class onebidv1.MarketplaceClass, bid *onebidv1.Bid) bool {
		return bidding.Placed(bidding.Remote{ID: id, State: onebidv1.RemoteLive}, 1, class).Second(bid)
	}
	g.Expect(second("78", onebidv1.ClassNone, newBid(noted(live)))).To(BeTrue())
	g.Expect(second("77", onebidv1.ClassNone, newBid(noted(live)))).To(BeFalse(), "it is that one")
	g.Expect(second("78", onebidv1.ClassNone, newBid(noted(unknown)))).To(BeFalse())
	g.Expect(second("78", onebidv1.ClassNone, newBid())).To(BeFalse())
	g.Expect(second("78", onebidv1.ClassUniquePerPosting, newBid(noted(live)))).To(BeFalse(), "elsewhere only one is open at a time")
}
