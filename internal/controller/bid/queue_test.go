package bid

import (
	"fmt"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
)

func TestPrioritiesFollowTheOrder(t *testing.T) {
	g := NewWithT(t)
	soon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var priorities []int
	for _, order := range []bidding.Priority{ // as they are to be worked on
		{Class: bidding.PriorityWithdraw},
		{Class: bidding.PriorityPlace, Deadline: soon.Add(-time.Hour)},
		{Class: bidding.PriorityPlace, Deadline: soon},
		{Class: bidding.PriorityPlace, Deadline: soon.Add(time.Minute)},
		{Class: bidding.PriorityPlace, Deadline: soon.AddDate(1000, 0, 0)},
		{Class: bidding.PriorityPlace},
	} {
		priorities = append(priorities, priorityOf(order))
	}
	priorities = append(priorities, priorityFound)
	sorted := slices.Clone(priorities)
	slices.Sort(sorted)
	slices.Reverse(sorted)
	g.Expect(priorities).To(Equal(sorted))
	g.Expect(slices.Compact(sorted)).To(HaveLen(len(priorities)), "each is of its own")
	g.Expect(priorityOf(bidding.Priority{Class: bidding.PriorityPlace, Deadline: time.Unix(1<<40, 0)})).To(BeNumerically(">", priorityNormal))
}

// The first poll of each Marketplace reads the list for all its bids.
func TestMarketplacesAreNotPolledAllAtOnce(t *testing.T) {
	g := NewWithT(t)
	const marketplaces, bids = 1000, 40
	now := time.Unix(1_800_000_000, 0)
	polls := map[int]int{}
	for m := range marketplaces {
		mkt := &onebidv1.Marketplace{}
		mkt.UID, mkt.Spec.AuditIntervalSeconds = types.UID(fmt.Sprintf("marketplace-%d", m)), 600
		first := time.Hour
		for b := range bids {
			bid := &onebidv1.Bid{}
			bid.UID = types.UID(fmt.Sprintf("bid-%d-%d", m, b))
			wait := firstPoll(&situation{bid: bid, marketplace: mkt}, now).Sub(now)
			g.Expect(wait).To(And(BeNumerically(">=", 300*time.Second), BeNumerically("<", 600*time.Second)))
			first = min(first, wait)
		}
		polls[int(first.Seconds())]++
	}
	most := 0
	for _, n := range polls {
		most = max(most, n)
	}
	t.Logf("%d Marketplaces: at most %d lists in one second", marketplaces, most)
	g.Expect(most).To(BeNumerically("<=", 30))
}
