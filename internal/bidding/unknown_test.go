package bidding_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
)

func TestALostLeaseIsUnknownAndNoMore(t *testing.T) {
	g := NewWithT(t)
	bid := newBid(noted(failed), deleted, noted(bidding.LeaseLost()))
	g.Expect(bidding.PlacedStatus(bid)).To(Equal(metav1.ConditionUnknown))
	g.Expect(bidding.LosesLease(bid)).To(BeTrue())
	g.Expect(bidding.Attempts(bid, onebidv1.OperationPlace)).To(Equal(int32(1)), "what is known of attempts stays")
	g.Expect(bidding.Next(bidding.Facts{Bid: bid}, now).Action).To(Equal(bidding.ActionResolve), "at once, whatever was to be waited for")
	since := bid.Status.SettlingSince
	bidding.LeaseLost().Apply(bid, now.Add(time.Minute))
	g.Expect(bid.Status.SettlingSince).To(Equal(since))
	bidding.Unsettled(bidding.Failure{Class: onebidv1.ErrorTransient, Message: "503", Attempt: 1, ReviewAfter: 3}).Apply(bid, now)
	g.Expect(bidding.LosesLease(bid)).To(BeTrue(), "a look-up that failed made no call known")
	bidding.Unknown(2, "timeout").Apply(bid, now)
	g.Expect(bidding.LosesLease(bid)).To(BeFalse())

	rejected := newBid(noted(bidding.NeverPlaced()), deleted, noted(bidding.LeaseLost()))
	g.Expect(bidding.Terminal(rejected)).To(BeFalse(), "a verdict hides no call")
	g.Expect(bidding.LosesLease(newBid(noted(unknown)))).To(BeFalse())
}

// A look-up that finds nothing does not end what a key may still do.
func TestAKeyIsUnprovenUntilItAnswers(t *testing.T) {
	g := NewWithT(t)
	key, unique := bidding.Absent(1, onebidv1.ClassIdempotencyKey), bidding.Absent(1, onebidv1.ClassUniquePerPosting)
	g.Expect(bidding.Unproven(newBid())).To(BeFalse())
	g.Expect(bidding.Unproven(newBid(noted(unknown)))).To(BeFalse(), "it is unknown, which is more")
	g.Expect(bidding.Unproven(newBid(noted(unknown, unique)))).To(BeFalse())
	g.Expect(bidding.Unproven(newBid(noted(unknown, key)))).To(BeTrue())
	g.Expect(bidding.Unproven(newBid(noted(unknown, key, failed)))).To(BeTrue(), "a refusal that may pass says nothing about the first call")
	g.Expect(bidding.Unproven(newBid(noted(unknown, key, live)))).To(BeFalse())
	g.Expect(bidding.Unproven(newBid(noted(unknown, bidding.NotPlaced(1, "not-placed"))))).To(BeFalse())
	refused := bidding.PlaceFailed(bidding.Failure{Class: onebidv1.ErrorInvalid, Attempt: 2})
	g.Expect(bidding.Unproven(newBid(noted(unknown, key, refused)))).To(BeFalse(), "the key's answer for good")

	next := func(class onebidv1.MarketplaceClass, bid *onebidv1.Bid) bidding.Step {
		return bidding.Next(bidding.Facts{Bid: bid, Class: class}, now)
	}
	gone := newBid(noted(unknown, key), deleted)
	g.Expect(next(onebidv1.ClassNone, gone).Action).To(Equal(bidding.ActionCancel))
	refusedOnce := newBid(noted(failed), deleted)
	g.Expect(next(onebidv1.ClassIdempotencyKey, refusedOnce).Action).To(Equal(bidding.ActionCancel), "nothing was ever unknown")
	step := next(onebidv1.ClassIdempotencyKey, gone)
	g.Expect(step.Action).To(Equal(bidding.ActionReport))
	later := now.Add(time.Hour)
	step.Change.Apply(gone, later)
	g.Expect(bidding.PlacedStatus(gone)).To(Equal(metav1.ConditionUnknown))
	g.Expect(gone.Status.SettlingSince.Time).To(Equal(later), "it settles anew")
	g.Expect(next(onebidv1.ClassIdempotencyKey, gone).Action).To(Equal(bidding.ActionResolve))
}

func TestASecondBidReplacesNone(t *testing.T) {
	g := NewWithT(t)
	remote := bidding.Remote{ID: "78", State: onebidv1.RemoteLive}
	g.Expect(bidding.PlacedBeside(remote, 1).Second(newBid(noted(live)))).To(BeTrue())
	g.Expect(bidding.PlacedBeside(bidding.Remote{ID: "77"}, 1).Second(newBid(noted(live)))).To(BeFalse(), "it is that one")
	g.Expect(bidding.PlacedBeside(remote, 1).Second(newBid(noted(unknown)))).To(BeFalse())
	g.Expect(bidding.PlacedBeside(remote, 1).Second(newBid())).To(BeFalse())
	g.Expect(bidding.Placed(remote, 1).Second(newBid(noted(live)))).To(BeFalse(), "elsewhere there is only one at a time")
}
