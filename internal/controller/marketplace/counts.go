package marketplace

import (
	"context"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
)

const (
	// countInterval is how often the Bids of a Marketplace are counted at the most.
	countInterval = 10 * time.Second
	// countIntervalDeleting is the same while its deletion waits for them.
	countIntervalDeleting = time.Second

	// maxCommittedLength is the schema's bound of status.committed.
	maxCommittedLength = 1024

	// bidIndex is the name of the cache's index of Bids and of the API server's field selector.
	bidIndex = "spec.marketplace"
)

// counts are what the Bids of one Marketplace sum up to.
type counts struct {
	// active Bids are those at the marketplace.
	active bidding.Totals
	// taken is what the Bids take of the limits; Bids that may be at the marketplace count too.
	taken bidding.Totals
	// unfinished Bids keep the Marketplace from going.
	unfinished int
}

// active is true while the Bid is at the marketplace according to its status.
func active(bid *onebidv1.Bid) bool {
	return bidding.PlacedStatus(bid) == metav1.ConditionTrue && !bidding.Terminal(bid)
}

// unfinished is true while the Bid needs its Marketplace.
func unfinished(bid *onebidv1.Bid) bool {
	return !bidding.Terminal(bid) || controllerutil.ContainsFinalizer(bid, onebidv1.FinalizerWithdraw)
}

func (c *counts) add(bid *onebidv1.Bid) {
	if unfinished(bid) {
		c.unfinished++
	}
	if bidding.UsesCapacity(bid) {
		c.taken = c.taken.Plus(bid.Spec.Price)
	}
	if active(bid) {
		c.active = c.active.Plus(bid.Spec.Price)
	}
}

// committedText is as in "12.50 EUR, 250 USD": exact, in the order of the currencies, with the decimals that were bid.
func (c *counts) committedText() string {
	sums := make([]string, 0, len(c.active.Committed))
	for _, currency := range slices.Sorted(maps.Keys(c.active.Committed)) {
		sums = append(sums, money(c.active.Committed[currency], currency))
	}
	all := strings.Join(sums, ", ")
	if len(all) <= maxCommittedLength {
		return all
	}
	const more = ", …"
	all = all[:maxCommittedLength-len(more)]
	return all[:strings.LastIndex(all, ", ")] + more
}

// money is a sum with the decimals that it was made of.
func money(sum decimal.Decimal, currency string) string {
	return sum.StringFixed(max(-sum.Exponent(), 0)) + " " + currency
}

// refreshCounts counts anew if it is time to, and else goes on with the last count. It returns how long until the next
// count, 0 when the Bids were counted now: an event announces the next change.
func (r *Reconciler) refreshCounts(ctx context.Context, s *state) (wait time.Duration, err error) {
	if wait = r.tracker.beginCount(s.name()); wait == 0 {
		counted, err := count(ctx, r.Client, s.marketplace, client.UnsafeDisableDeepCopy)
		if err != nil {
			r.tracker.abandonCount(s.name())
			return 0, err
		}
		s.entry.counts = counted
	}
	s.counts = s.entry.counts
	return wait, nil
}

func count(
	ctx context.Context, from client.Reader, marketplace *onebidv1.Marketplace, opts ...client.ListOption,
) (counts, error) {
	var sum counts
	bids := &onebidv1.BidList{}
	opts = append(opts, client.InNamespace(marketplace.Namespace), client.MatchingFields{bidIndex: marketplace.Name})
	if err := from.List(ctx, bids, opts...); err != nil {
		return sum, err
	}
	for i := range bids.Items {
		sum.add(&bids.Items[i])
	}
	return sum, nil
}

// confirm counts at the API server, since the cache may lag behind; its callers are rare. A kind without a CRD has no
// objects: a Marketplace that waited for them would wait for ever.
func confirm(ctx context.Context, from client.Reader, marketplace *onebidv1.Marketplace) (counts, error) {
	sum, err := count(ctx, from, marketplace)
	return sum, client.IgnoreNotFound(err)
}

// describeRemaining says what the limits have room for. A limit that was lowered below what is taken has none.
func describeRemaining(status *onebidv1.MarketplaceStatus, limits *onebidv1.MarketplaceLimits, taken bidding.Totals) {
	status.RemainingBids, status.Remaining = nil, ""
	if limits == nil {
		return
	}
	if limits.MaxActiveBids > 0 {
		status.RemainingBids = count32(int(limits.MaxActiveBids) - taken.Active)
	}
	if limits.MaxCommitted != nil {
		status.Remaining = money(moneyLeft(limits.MaxCommitted, taken), limits.MaxCommitted.Currency)
	}
}

func moneyLeft(limit *onebidv1.Money, taken bidding.Totals) decimal.Decimal {
	most, err := decimal.NewFromString(limit.Amount)
	if err != nil {
		return decimal.Zero // admission lets none of these in
	}
	return decimal.Max(most.Sub(taken.Committed[limit.Currency]), decimal.Zero)
}

func count32(n int) *int32 {
	return new(int32(min(max(n, 0), math.MaxInt32)))
}
