package bid

import (
	"context"
	"time"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
)

// IndexMarketplace finds Bids in the cache by spec.marketplace.
const IndexMarketplace = "spec.marketplace"

// guard says why a Bid may not be placed now, if so. The limits on all Bids of a Marketplace together are looked at when
// nothing else is in the way and the Bid is due: what they let through counts.
func (r *Reconciler) guard(ctx context.Context, s *situation) (*bidding.Hold, error) {
	in := bidding.GuardInput{Bid: s.bid, Marketplace: s.marketplace, Connected: s.conn != nil, Freshness: s.freshness}
	hold := bidding.Guard(in)
	switch {
	case !bidding.Bounded(s.marketplace), bidding.Terminal(s.bid), bidding.Counts(s.bid):
		return hold, nil
	case hold != nil, bidding.Withdrawing(s.bid):
		r.pass(s.bid)
		return hold, nil
	case bidding.NextAttempt(s.bid, onebidv1.OperationPlace).After(r.Wall.Now()):
		return nil, nil
	}
	return r.enter(ctx, s, in)
}

func (r *Reconciler) freshness(s *situation) bidding.FreshnessVerdict {
	in := bidding.FreshnessInput{Posting: s.posting, Bid: s.bid}
	if s.marketplace != nil {
		in.DefaultTTL = time.Duration(s.marketplace.Spec.PostingTTLSeconds) * time.Second
	}
	return bidding.Freshness(in, r.Wall.Now())
}
