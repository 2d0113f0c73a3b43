package bid

import (
	"context"
	"time"

	"github.com/shopspring/decimal"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
)

// IndexMarketplace finds Bids in the cache by spec.marketplace.
const IndexMarketplace = "spec.marketplace"

func (r *Reconciler) guard(ctx context.Context, s *situation) (*bidding.Hold, error) {
	in := bidding.GuardInput{
		Bid: s.bid, Marketplace: s.marketplace, Connected: s.conn != nil, Freshness: s.freshness,
	}
	if s.marketplace == nil || s.marketplace.Spec.Limits == nil || bidding.Settled(s.bid) || counts(s.bid) {
		return bidding.Guard(in), nil
	}
	r.room.mu.Lock()
	defer r.room.mu.Unlock()
	var err error
	if in.Others, err = r.others(ctx, s); err != nil {
		return nil, err
	}
	hold := bidding.Guard(in)
	if hold == nil && !bidding.NextAttempt(s.bid, onebidv1.OperationPlace).After(r.Wall.Now()) {
		r.room.take(s.bid.UID)
	}
	return hold, nil
}

func (r *Reconciler) freshness(s *situation) bidding.FreshnessVerdict {
	in := bidding.FreshnessInput{Posting: s.posting, Bid: s.bid}
	if s.marketplace != nil {
		in.DefaultTTL = time.Duration(s.marketplace.Spec.PostingTTLSeconds) * time.Second
	}
	return bidding.Freshness(in, r.Wall.Now())
}

// others sums up the Marketplace's other Bids that are live, or may be.
func (r *Reconciler) others(ctx context.Context, s *situation) (bidding.Account, error) {
	account := bidding.Account{Committed: map[string]decimal.Decimal{}}
	bids := &onebidv1.BidList{}
	err := r.Client.List(ctx, bids, client.InNamespace(s.bid.Namespace),
		client.MatchingFields{IndexMarketplace: s.bid.Spec.Marketplace}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return account, err
	}
	for i := range bids.Items {
		other := &bids.Items[i]
		if other.UID == s.bid.UID || bidding.Settled(other) || !r.committed(other) {
			continue
		}
		account.Active++
		if price, err := decimal.NewFromString(other.Spec.Price.Amount); err == nil {
			currency := other.Spec.Price.Currency
			account.Committed[currency] = account.Committed[currency].Add(price)
		}
	}
	return account, nil
}

// committed is true for a Bid that is live, may be, or is just being placed by this process.
func (r *Reconciler) committed(bid *onebidv1.Bid) bool {
	return counts(bid) || r.flights.open(bid.UID) || r.room.has(bid.UID)
}
