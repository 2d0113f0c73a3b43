package marketplace

import (
	"context"
	"maps"
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

	// bidIndex is the name of the cache's index of Bids, and the API server's own field selector.
	bidIndex = "spec.marketplace"
)

// counts are what the Bids of one Marketplace sum up to.
type counts struct {
	// live Bids are those at the marketplace.
	live bidding.Totals
	// taken is what the Bids take of the limits: those of which it is not known whether they are live, too.
	taken bidding.Totals
	// unsettled Bids keep the Marketplace from going.
	unsettled int
}

// live is true while the Bid is at the marketplace, as far as its own status knows.
func live(bid *onebidv1.Bid) bool {
	return bidding.PlacedStatus(bid) == metav1.ConditionTrue && !bidding.Terminal(bid)
}

// unsettled is true while the Bid needs its Marketplace.
func unsettled(bid *onebidv1.Bid) bool {
	return !bidding.Terminal(bid) || controllerutil.ContainsFinalizer(bid, onebidv1.FinalizerWithdraw)
}

func (c *counts) add(bid *onebidv1.Bid) {
	if unsettled(bid) {
		c.unsettled++
	}
	if bidding.UsesCapacity(bid) {
		c.taken = c.taken.Plus(bid.Spec.Price)
	}
	if live(bid) {
		c.live = c.live.Plus(bid.Spec.Price)
	}
}

// committedText is as in "12.50 EUR, 250 USD": exact, in the order of the currencies, with the decimals that were bid.
func (c *counts) committedText() string {
	sums := make([]string, 0, len(c.live.Committed))
	for _, currency := range slices.Sorted(maps.Keys(c.live.Committed)) {
		sum := c.live.Committed[currency]
		sums = append(sums, text(sum, currency))
	}
	all := strings.Join(sums, ", ")
	if len(all) <= maxCommittedLength {
		return all
	}
	const more = ", …"
	all = all[:maxCommittedLength-len(more)]
	return all[:strings.LastIndex(all, ", ")] + more
}

// text is a sum with the decimals that it was made of.
func text(sum decimal.Decimal, currency string) string {
	return sum.StringFixed(max(-sum.Exponent(), 0)) + " " + currency
}

// refreshCounts counts anew if it is time to, and else goes on with the last count.
func (r *Reconciler) refreshCounts(ctx context.Context, v *visit) error {
	if r.tracker.beginCount(v.name()) {
		counted, err := count(ctx, r.client, v.marketplace, client.UnsafeDisableDeepCopy)
		if err != nil {
			r.tracker.abandonCount(v.name())
			return err
		}
		v.entry.counts = counted
	}
	v.counts = v.entry.counts
	return nil
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

// confirm counts at the API server: a cache that lags behind must not strand a Bid, and what asks is rare. A kind that is
// not there any more, because its CRD went first, has no objects: who waited for them to be counted would wait for ever.
func (r *Reconciler) confirm(ctx context.Context, marketplace *onebidv1.Marketplace) (counts, error) {
	sum, err := count(ctx, r.live, marketplace)
	return sum, client.IgnoreNotFound(err)
}
