package bidding_test

import (
	"testing"

	. "github.com/onsi/gomega"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
)

func TestLimited(t *testing.T) {
	g := NewWithT(t)
	limited := func(limits *onebidv1.MarketplaceLimits) bool {
		return bidding.Limited(newMarketplace(func(m *onebidv1.Marketplace) { m.Spec.Limits = limits }))
	}
	one := &onebidv1.Money{Amount: "1", Currency: "USD"}
	g.Expect(bidding.Limited(nil)).To(BeFalse())
	g.Expect(limited(nil)).To(BeFalse())
	g.Expect(limited(&onebidv1.MarketplaceLimits{MaxPrice: one})).To(BeFalse())
	g.Expect(limited(&onebidv1.MarketplaceLimits{MaxActiveBids: 1})).To(BeTrue())
	g.Expect(limited(&onebidv1.MarketplaceLimits{MaxCommitted: one})).To(BeTrue())
}

func TestUsesCapacity(t *testing.T) {
	g := NewWithT(t)
	g.Expect(bidding.UsesCapacity(newBid())).To(BeFalse(), "nothing was sent")
	g.Expect(bidding.UsesCapacity(newBid(noted(bidding.OutcomeUnknown(1, "a time-out"))))).To(BeTrue())
	live := placedBy(bidding.Remote{ID: "77", State: onebidv1.RemoteLive}, 1)
	g.Expect(bidding.UsesCapacity(newBid(noted(live)))).To(BeTrue())
	g.Expect(bidding.UsesCapacity(newBid(noted(live, bidding.Observed(onebidv1.RemoteLost))))).To(BeFalse())
}

func TestTotalsAreExact(t *testing.T) {
	g := NewWithT(t)
	price := onebidv1.Money{Amount: "0.10", Currency: "USD"}
	three := bidding.Totals{}.Plus(price).Plus(price).Plus(price)
	g.Expect(three.Active).To(Equal(3))
	g.Expect(three.Committed["USD"].String()).To(Equal("0.3"))
	none := three.Minus(price).Minus(price).Minus(price)
	g.Expect(none.Active).To(BeZero())
	g.Expect(none.Committed["USD"].IsZero()).To(BeTrue())
	g.Expect(three.Committed["USD"].String()).To(Equal("0.3"), "they are values")
}

func TestAwaitsCapacity(t *testing.T) {
	g := NewWithT(t)
	denied := func(reason string) func(*onebidv1.Bid) { return noted(bidding.Denied(bidding.Denial{Reason: reason})) }
	g.Expect(bidding.AwaitsCapacity(newBid())).To(BeFalse())
	g.Expect(bidding.AwaitsCapacity(newBid(denied(onebidv1.ReasonTooManyActiveBids)))).To(BeTrue())
	g.Expect(bidding.AwaitsCapacity(newBid(denied(onebidv1.ReasonBudgetExhausted)))).To(BeTrue())
	g.Expect(bidding.AwaitsCapacity(newBid(denied(onebidv1.ReasonCooldown)))).To(BeFalse())
	g.Expect(bidding.AwaitsCapacity(newBid(denied(onebidv1.ReasonTooManyActiveBids), withdrawing))).To(BeFalse())
}
