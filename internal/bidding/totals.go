package bidding

import (
	"fmt"
	"maps"

	"github.com/shopspring/decimal"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// Totals are what Bids of a Marketplace use of its limits.
type Totals struct {
	// Active counts them.
	Active int
	// Committed sums their prices, by currency.
	Committed map[string]decimal.Decimal
}

// Plus returns the totals with one more Bid of that price.
func (t Totals) Plus(price onebidv1.Money) Totals { return t.with(1, price.Currency, amount(price)) }

// Minus returns the totals without a Bid of that price.
func (t Totals) Minus(price onebidv1.Money) Totals {
	return t.with(-1, price.Currency, amount(price).Neg())
}

func (t Totals) with(bids int, currency string, sum decimal.Decimal) Totals {
	committed := map[string]decimal.Decimal{}
	maps.Copy(committed, t.Committed)
	committed[currency] = committed[currency].Add(sum)
	return Totals{Active: t.Active + bids, Committed: committed}
}

// Full is true when not even a Bid of price zero fits.
func (t Totals) Full(limits *onebidv1.MarketplaceLimits) bool {
	return limits.MaxActiveBids > 0 && t.Active >= int(limits.MaxActiveBids)
}

// Fits is true when one more Bid of that price is within the limits.
func (t Totals) Fits(price onebidv1.Money, limits *onebidv1.MarketplaceLimits) bool {
	return !t.Full(limits) && (limits.MaxCommitted == nil || !t.over(price, *limits.MaxCommitted).IsPositive())
}

// over is by how much one more Bid of that price exceeds a limit; negative while it does not.
func (t Totals) over(price, limit onebidv1.Money) decimal.Decimal {
	return t.Committed[limit.Currency].Add(amount(price)).Sub(amount(limit))
}

// amount of a price that admission has checked; one that it would refuse counts as zero.
func amount(m onebidv1.Money) decimal.Decimal {
	value, err := decimal.NewFromString(m.Amount)
	if err != nil {
		return decimal.Zero
	}
	return value
}

// Limited is true when the Marketplace limits all its Bids together.
func Limited(m *onebidv1.Marketplace) bool {
	return m != nil && m.Spec.Limits != nil && (m.Spec.Limits.MaxActiveBids > 0 || m.Spec.Limits.MaxCommitted != nil)
}

// CapacityDenial says why a Bid of that price exceeds the Marketplace's limits beside the others; nil when it fits.
func CapacityDenial(m *onebidv1.Marketplace, price onebidv1.Money, others Totals) *Denial {
	limits := m.Spec.Limits
	switch {
	case others.Fits(price, limits):
		return nil
	case others.Full(limits):
		return &Denial{Reason: onebidv1.ReasonTooManyActiveBids, Message: fmt.Sprintf(
			"Marketplace %q has %d active bids, which is its spec.limits.maxActiveBids; this bid is placed when another one ends",
			m.Name, limits.MaxActiveBids)}
	default:
		return &Denial{Reason: onebidv1.ReasonBudgetExhausted, Message: fmt.Sprintf(
			"This bid would put Marketplace %q %s %s over maxCommitted %s %[3]s; it is placed when enough of the open bids end",
			m.Name, others.over(price, *limits.MaxCommitted), limits.MaxCommitted.Currency, limits.MaxCommitted.Amount)}
	}
}
