package scenarios_test

import (
	"fmt"
	"testing"

	. "github.com/onsi/gomega"
	"github.com/shopspring/decimal"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketsim"
	"github.com/onebid-dev/onebid/internal/testenv/build"
	"github.com/onebid-dev/onebid/test/harness"
)

// Five hundred Bids of different prices race for an account that may have 40 live bids for 1,000 USD, while replies get
// lost, replicas are killed and bids are withdrawn. At no instant does the marketplace hold more than that; and in the end
// there is no room left that a waiting Bid would fit into.
func TestLimitsHoldUnderRacesAndKills(t *testing.T) {
	const bids, most = 500, 40
	committed := decimal.NewFromInt(1000)
	x := newTenant(t, onebidv1.ClassIdempotencyKey, func(m *onebidv1.Marketplace) {
		m.Spec.Limits = &onebidv1.MarketplaceLimits{
			MaxActiveBids: most, MaxCommitted: &onebidv1.Money{Amount: committed.String(), Currency: "USD"},
		}
	})
	x.Binary = world.Binary
	x.Fault(marketsim.Fault{Verb: "place", Reply: marketsim.ReplyDrop, Times: 20})
	managers := []*harness.Manager{x.Manager(), x.Manager(), x.Manager()}
	live := func() int { return totals(x).Live }

	var prices []*onebidv1.Bid
	for i := range bids {
		prices = append(prices, build.Bid(x.NS, "rest", fmt.Sprintf("p-%03d", i), func(b *onebidv1.Bid) {
			b.Spec.Price.Amount = fmt.Sprintf("%d.%02d", 5+i*7%40, i%100)
		}))
	}
	createBids(x, prices)
	for round, victim := range managers[:2] {
		x.G.Eventually(live).WithTimeout(2 * harness.Patience).WithPolling(rarely).Should(BeNumerically(">", most/3))
		active := x.Bids(client.MatchingFields{"status.state": string(onebidv1.StateActive)})
		for i := range active {
			if i%2 == round && active[i].DeletionTimestamp.IsZero() { // else it is on its way out since the first round
				x.Delete(&active[i])
			}
		}
		victim.Kill()
		x.Manager()
	}
	x.NoFaults()
	x.G.Eventually(func() string { return left(x, most, committed) }).
		WithTimeout(4*harness.Patience).WithPolling(rarely).Should(BeEmpty(), "room that nobody uses")
	bidsAtOnce, usdAtOnce := mostAtOnce(x)
	x.G.Expect(bidsAtOnce).To(BeNumerically("<=", most))
	x.G.Expect(usdAtOnce.LessThanOrEqual(committed)).To(BeTrue(), "%s USD were committed at once", usdAtOnce)
	t.Logf("at most %d bids for %s USD were live at once", bidsAtOnce, usdAtOnce)
	x.Settled()
}

// left names a waiting Bid that would fit into what the marketplace says is live; "" when there is none.
func left(x *harness.Tenant, most int, committed decimal.Decimal) string {
	live, sum := x.Live(), decimal.Zero
	for _, bid := range live {
		sum = sum.Add(decimal.RequireFromString(bid.Amount))
	}
	if len(live) >= most {
		return ""
	}
	for _, bid := range x.Bids() {
		reason := harness.ReasonOf(&bid, onebidv1.ConditionAccepted)
		full := reason == onebidv1.ReasonTooManyActiveBids || reason == onebidv1.ReasonBudgetExhausted
		price := decimal.RequireFromString(bid.Spec.Price.Amount)
		switch {
		case bid.Status.State == onebidv1.StateActive:
		case !full:
			return bid.Name + " neither waits for room nor is live"
		case sum.Add(price).LessThanOrEqual(committed):
			return fmt.Sprintf("%s for %s fits beside %d for %s", bid.Name, price, len(live), sum)
		}
	}
	return ""
}

// mostAtOnce is the largest number of bids, and the largest sum, that were live at one instant by the marketplace's ledger.
func mostAtOnce(x *harness.Tenant) (bids int, usd decimal.Decimal) {
	prices, sum := map[string]decimal.Decimal{}, decimal.Zero
	for _, r := range x.Ledger() {
		if r.Kind != marketsim.KindEffect || r.Account != x.Account() {
			continue
		}
		if r.Effect == marketsim.EffectPlaced {
			prices[r.BidID] = decimal.RequireFromString(r.Amount)
			sum = sum.Add(prices[r.BidID])
		} else {
			sum = sum.Sub(prices[r.BidID]) // of nothing, where the effect is not about a live bid
			delete(prices, r.BidID)
		}
		bids, usd = max(bids, len(prices)), decimal.Max(usd, sum)
	}
	return bids, usd
}
