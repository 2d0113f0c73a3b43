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
	g.Expect(bidding.Settled(rejected)).To(BeFalse(), "a verdict hides no call")
	g.Expect(bidding.LosesLease(newBid(noted(unknown)))).To(BeFalse())
}
