package capacity

import (
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/shopspring/decimal"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
)

// agedBid is the nth Bid by age.
func agedBid(n int, amount string) *onebidv1.Bid {
	return &onebidv1.Bid{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "tenant", Name: fmt.Sprintf("rest.%03d", n), UID: types.UID(fmt.Sprintf("uid-%03d", n)),
			CreationTimestamp: metav1.NewTime(time.Unix(int64(n/2), 0)), // two of a second
		},
		Spec: onebidv1.BidSpec{Marketplace: "rest", Price: onebidv1.Money{Amount: amount, Currency: "USD"}},
	}
}

func atMost(bids int32, usd string) *onebidv1.MarketplaceLimits {
	limits := &onebidv1.MarketplaceLimits{MaxActiveBids: bids}
	if usd != "" {
		limits.MaxCommitted = &onebidv1.Money{Amount: usd, Currency: "USD"}
	}
	return limits
}

func TestUsageCountsEachBidOnce(t *testing.T) {
	g := NewWithT(t)
	used := newUsage()
	a, b := agedBid(1, "0.10"), agedBid(2, "0.20")
	g.Expect(used.reserve(a)).To(BeTrue())
	g.Expect(used.reserve(a)).To(BeFalse())
	g.Expect(used.reserve(b)).To(BeTrue())

	third := used.others(agedBid(3, "1"), atMost(9, "9"))
	g.Expect(third.Active).To(Equal(2))
	g.Expect(third.Committed["USD"].String()).To(Equal("0.3"), "exact")
	own := used.others(a, atMost(9, "9"))
	g.Expect(own.Active).To(Equal(1))
	g.Expect(own.Committed["USD"].String()).To(Equal("0.2"))

	g.Expect(used.release(a.Name)).To(BeTrue())
	g.Expect(used.release(a.Name)).To(BeFalse())
	g.Expect(used.others(agedBid(3, "1"), atMost(9, "9")).Active).To(Equal(1))
}

// Freed capacity belongs to the waiting Bids, the oldest first; one that does not fit delays no other.
func TestFreedCapacityGoesToTheOldest(t *testing.T) {
	g := NewWithT(t)
	used := newUsage()
	limits := atMost(3, "100")
	used.reserve(agedBid(0, "40"))
	for _, w := range []*onebidv1.Bid{agedBid(4, "10"), agedBid(2, "70"), agedBid(3, "50"), agedBid(3, "50"), agedBid(5, "10")} {
		used.wait(w)
	}
	g.Expect(used.next(limits)).To(Equal([]string{"rest.003", "rest.004"}), "70 is too much; two places are left")
	g.Expect(used.next(atMost(1, ""))).To(BeEmpty())

	young := used.others(agedBid(9, "1"), limits)
	g.Expect(young.Active).To(Equal(3), "two older ones go first")
	g.Expect(young.Committed["USD"].String()).To(Equal("100"))
	old := used.others(agedBid(3, "50"), limits)
	g.Expect(old.Active).To(Equal(1), "and none before this one")

	g.Expect(used.stopWaiting("rest.003")).To(BeTrue())
	g.Expect(used.stopWaiting("rest.003")).To(BeFalse())
	used.reserve(agedBid(4, "10")) // waits no longer
	g.Expect(used.next(limits)).To(Equal([]string{"rest.005"}))
}

// However Bids come and go, those that are let in never exceed a limit, and the sums are those of the Bids.
func TestUsageNeverExceedsALimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		used, in := newUsage(), map[types.UID]*onebidv1.Bid{}
		limits := atMost(rapid.Int32Range(0, 5).Draw(t, "bids"), fmt.Sprintf("%d.%02d", rapid.IntRange(1, 99).Draw(t, "usd"), 50))
		market := &onebidv1.Marketplace{Spec: onebidv1.MarketplaceSpec{Limits: limits}}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			n := rapid.IntRange(0, 20).Draw(t, "bid")
			bid := agedBid(n, fmt.Sprintf("%d.%02d", n*3, n))
			if rapid.Bool().Draw(t, "ends") {
				_, there := in[bid.UID]
				if used.release(bid.Name) != there {
					t.Fatalf("release(%s) is not %v", bid.UID, there)
				}
				delete(in, bid.UID)
				continue
			}
			if bidding.CapacityDenial(market, bid.Spec.Price, used.others(bid, limits)) != nil {
				used.wait(bid)
				continue
			}
			used.reserve(bid)
			in[bid.UID] = bid
		}
		sum := decimal.Zero
		for _, bid := range in {
			sum = sum.Add(decimal.RequireFromString(bid.Spec.Price.Amount))
		}
		most := decimal.RequireFromString(limits.MaxCommitted.Amount)
		if limits.MaxActiveBids > 0 && len(in) > int(limits.MaxActiveBids) || sum.GreaterThan(most) {
			t.Fatalf("%d bids for %s are in, allowed are %d for %s", len(in), sum, limits.MaxActiveBids, most)
		}
		all := used.others(agedBid(-1, "0"), limits) // the oldest: no Bid waits for longer
		if all.Active != len(in) || !all.Committed["USD"].Equal(sum) {
			t.Fatalf("usage counts %d for %s, there are %d for %s", all.Active, all.Committed["USD"], len(in), sum)
		}
	})
}

// A Bid that was created again under the name of a deleted one counts once.
func TestANewBidReplacesTheOneOfItsName(t *testing.T) {
	g := NewWithT(t)
	used := newUsage()
	again := agedBid(1, "5")
	again.UID = "another"
	used.reserve(agedBid(1, "3"))
	g.Expect(used.reserve(again)).To(BeTrue())
	g.Expect(used.totals.Active).To(Equal(1))
	g.Expect(used.totals.Committed["USD"].String()).To(Equal("5"))
}
