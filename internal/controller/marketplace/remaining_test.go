package marketplace

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"k8s.io/apimachinery/pkg/types"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
)

func TestWhatIsLeftOfLimits(t *testing.T) {
	usd := func(amount string) onebidv1.Money { return onebidv1.Money{Amount: amount, Currency: "USD"} }
	for _, c := range []struct {
		why         string
		bids        int32
		money       string
		taken       []string
		left        OmegaMatcher
		moneyLeft   string
		shown       string
		shownAmount string
	}{
		{why: "no limits"},
		{why: "bids", bids: 3, taken: []string{"1", "2"}, left: HaveValue(BeEquivalentTo(1)), shown: "1"},
		{why: "money, exactly", money: "0.3", taken: []string{"0.10"}, moneyLeft: "0.20 USD", shownAmount: "0.2"},
		{
			why: "limits that were lowered", bids: 1, money: "5", taken: []string{"4", "4"},
			left: HaveValue(BeEquivalentTo(0)), moneyLeft: "0 USD", shown: "0", shownAmount: "0",
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			limits := &onebidv1.MarketplaceLimits{MaxActiveBids: c.bids}
			if c.money != "" {
				most := usd(c.money)
				limits.MaxCommitted = &most
			}
			taken := bidding.Totals{}
			for _, amount := range c.taken {
				taken = taken.Plus(usd(amount))
			}
			status := &onebidv1.MarketplaceStatus{Remaining: "9 EUR"}
			describeRemaining(status, limits, taken)
			if c.left == nil {
				c.left = BeNil()
			}
			g.Expect(status.RemainingBids).To(c.left)
			g.Expect(status.Remaining).To(Equal(c.moneyLeft))

			metrics, key := NewMetrics(), types.NamespacedName{Namespace: "ns", Name: "m"}
			metrics.show(key, limits, taken)
			var want strings.Builder
			if c.shown != "" {
				want.WriteString("# HELP onebid_marketplace_remaining_bids Bids that maxActiveBids has room for; none without that limit.\n" +
					"# TYPE onebid_marketplace_remaining_bids gauge\n" +
					`onebid_marketplace_remaining_bids{marketplace="m",namespace="ns"} ` + c.shown + "\n")
			}
			if c.shownAmount != "" {
				want.WriteString("# HELP onebid_marketplace_remaining_budget Money that maxCommitted has room for, in the limit's currency; " +
					"none without that limit.\n# TYPE onebid_marketplace_remaining_budget gauge\n" +
					`onebid_marketplace_remaining_budget{currency="USD",marketplace="m",namespace="ns"} ` + c.shownAmount + "\n")
			}
			g.Expect(testutil.CollectAndCompare(metrics, strings.NewReader(want.String()))).To(Succeed())
			metrics.show(key, nil, taken)
			g.Expect(testutil.CollectAndCount(metrics)).To(BeZero())
		})
	}
}
