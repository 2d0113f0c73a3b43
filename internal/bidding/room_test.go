package bidding_test

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

// roomBid is the nth Bid by age.
func roomBid(n int, amount string) *onebidv1.Bid {
	return newBid(func(b *onebidv1.Bid) {
		b.Name, b.UID = fmt.Sprintf("rest.%03d", n), types.UID(fmt.Sprintf("uid-%03d", n))
		b.CreationTimestamp = metav1.NewTime(now.Add(time.Duration(n/2) * time.Second)) // two of a second
		b.Spec.Price.Amount = amount
	})
}

func atMost(bids int32, usd string) *onebidv1.MarketplaceLimits {
	limits := &onebidv1.MarketplaceLimits{MaxActiveBids: bids}
	if usd != "" {
		limits.MaxCommitted = &onebidv1.Money{Amount: usd, Currency: "USD"}
	}
	return limits
}

func TestBounded(t *testing.T) {
	g := NewWithT(t)
	bounded := func(limits *onebidv1.MarketplaceLimits) bool {
		return bidding.Bounded(newMarketplace(func(m *onebidv1.Marketplace) { m.Spec.Limits = limits }))
	}
	g.Expect(bidding.Bounded(nil)).To(BeFalse())
	g.Expect(bounded(nil)).To(BeFalse())
	g.Expect(bounded(&onebidv1.MarketplaceLimits{MaxPrice: &onebidv1.Money{Amount: "1", Currency: "USD"}})).To(BeFalse())
	g.Expect(bounded(atMost(1, ""))).To(BeTrue())
	g.Expect(bounded(atMost(0, "1"))).To(BeTrue())
}

func TestCounts(t *testing.T) {
	g := NewWithT(t)
	g.Expect(bidding.Counts(newBid())).To(BeFalse(), "nothing was sent")
	g.Expect(bidding.Counts(newBid(noted(bidding.Unknown(1, "a time-out"))))).To(BeTrue())
	live := bidding.Placed(bidding.Remote{ID: "77", State: onebidv1.RemoteLive}, 1)
	g.Expect(bidding.Counts(newBid(noted(live)))).To(BeTrue())
	g.Expect(bidding.Counts(newBid(noted(live, bidding.Observed(onebidv1.RemoteLost))))).To(BeFalse())
}

func TestRoomCountsEachBidOnce(t *testing.T) {
	g := NewWithT(t)
	room := bidding.NewRoom()
	a, b := roomBid(1, "0.10"), roomBid(2, "0.20")
	g.Expect(room.Take(a)).To(BeTrue())
	g.Expect(room.Take(a)).To(BeFalse())
	g.Expect(room.Take(b)).To(BeTrue())

	third := room.Others(roomBid(3, "1"), atMost(9, "9"))
	g.Expect(third.Active).To(Equal(2))
	g.Expect(third.Committed["USD"].String()).To(Equal("0.3"), "exact")
	own := room.Others(a, atMost(9, "9"))
	g.Expect(own.Active).To(Equal(1))
	g.Expect(own.Committed["USD"].String()).To(Equal("0.2"))

	g.Expect(room.Free(a.UID)).To(BeTrue())
	g.Expect(room.Free(a.UID)).To(BeFalse())
	g.Expect(room.Others(roomBid(3, "1"), atMost(9, "9")).Active).To(Equal(1))
}

// Room that was freed belongs to those who wait for it, the oldest first; one that does not fit holds up nobody.
func TestRoomIsGivenInTurn(t *testing.T) {
	g := NewWithT(t)
	room := bidding.NewRoom()
	limits := atMost(3, "100")
	room.Take(roomBid(0, "40"))
	for _, w := range []*onebidv1.Bid{roomBid(4, "10"), roomBid(2, "70"), roomBid(3, "50"), roomBid(3, "50"), roomBid(5, "10")} {
		room.Wait(w)
	}
	g.Expect(room.Next(limits)).To(Equal([]string{"rest.003", "rest.004"}), "70 is too much; two places are left")
	g.Expect(room.Next(atMost(1, ""))).To(BeEmpty())

	young := room.Others(roomBid(9, "1"), limits)
	g.Expect(young.Active).To(Equal(3), "two older ones go first")
	g.Expect(young.Committed["USD"].String()).To(Equal("100"))
	old := room.Others(roomBid(3, "50"), limits)
	g.Expect(old.Active).To(Equal(1), "and nobody before this one")

	g.Expect(room.Leave("uid-003")).To(BeTrue())
	g.Expect(room.Leave("uid-003")).To(BeFalse())
	room.Take(roomBid(4, "10")) // waits no longer
	g.Expect(room.Next(limits)).To(Equal([]string{"rest.005"}))
}

// However Bids come and go, those that the guards let in never exceed a limit, and the sums are those of the Bids.
func TestRoomNeverExceedsALimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		room, in := bidding.NewRoom(), map[types.UID]*onebidv1.Bid{}
		limits := atMost(rapid.Int32Range(0, 5).Draw(t, "bids"), fmt.Sprintf("%d.%02d", rapid.IntRange(1, 99).Draw(t, "usd"), 50))
		market := newMarketplace(func(m *onebidv1.Marketplace) { m.Spec.Limits = limits })
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			n := rapid.IntRange(0, 20).Draw(t, "bid")
			bid := roomBid(n, fmt.Sprintf("%d.%02d", n*3, n))
			if rapid.Bool().Draw(t, "ends") {
				_, there := in[bid.UID]
				if room.Free(bid.UID) != there {
					t.Fatalf("Free(%s) is not %v", bid.UID, there)
				}
				delete(in, bid.UID)
				continue
			}
			hold := bidding.Guard(bidding.GuardInput{
				Bid: bid, Marketplace: market, Connected: true, Freshness: bidding.FreshnessVerdict{Fresh: true},
				Others: room.Others(bid, limits),
			})
			if hold != nil {
				room.Wait(bid)
				continue
			}
			room.Take(bid)
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
		all := room.Others(roomBid(-1, "0"), limits) // the oldest: nobody waits for longer
		if all.Active != len(in) || !all.Committed["USD"].Equal(sum) {
			t.Fatalf("the room counts %d for %s, there are %d for %s", all.Active, all.Committed["USD"], len(in), sum)
		}
	})
}
