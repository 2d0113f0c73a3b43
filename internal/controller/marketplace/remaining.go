package marketplace

import (
	"github.com/shopspring/decimal"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
)

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
		status.Remaining = text(moneyLeft(limits.MaxCommitted, taken), limits.MaxCommitted.Currency)
	}
}

func moneyLeft(limit *onebidv1.Money, taken bidding.Totals) decimal.Decimal {
	most, err := decimal.NewFromString(limit.Amount)
	if err != nil {
		return decimal.Zero // admission lets none of these in
	}
	return decimal.Max(most.Sub(taken.Committed[limit.Currency]), decimal.Zero)
}
