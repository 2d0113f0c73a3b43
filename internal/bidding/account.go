package bidding

import (
	"maps"

	"github.com/shopspring/decimal"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// Account is what Bids of a Marketplace take of its limits.
type Account struct {
	// Active counts them.
	Active int
	// Committed sums their prices, by currency.
	Committed map[string]decimal.Decimal
}

// Plus is the account with one more Bid of that price.
func (a Account) Plus(price onebidv1.Money) Account { return a.with(1, price.Currency, amount(price)) }

// minus is the account without a Bid of that price.
func (a Account) minus(price onebidv1.Money) Account {
	return a.with(-1, price.Currency, amount(price).Neg())
}

func (a Account) with(bids int, currency string, sum decimal.Decimal) Account {
	committed := map[string]decimal.Decimal{}
	maps.Copy(committed, a.Committed)
	committed[currency] = committed[currency].Add(sum)
	return Account{Active: a.Active + bids, Committed: committed}
}

// full is true when not even a Bid for nothing has room.
func (a Account) full(limits *onebidv1.MarketplaceLimits) bool {
	return limits.MaxActiveBids > 0 && a.Active >= int(limits.MaxActiveBids)
}

// fits is true when one more Bid of that price has room.
func (a Account) fits(price onebidv1.Money, limits *onebidv1.MarketplaceLimits) bool {
	return !a.full(limits) && (limits.MaxCommitted == nil || !a.over(price, *limits.MaxCommitted).IsPositive())
}

// over is by how much one more Bid of that price would exceed a limit; negative while it does not.
func (a Account) over(price, limit onebidv1.Money) decimal.Decimal {
	return a.Committed[limit.Currency].Add(amount(price)).Sub(amount(limit))
}

// amount of a price that admission has checked; what it would not have let in counts as zero.
func amount(m onebidv1.Money) decimal.Decimal {
	value, err := decimal.NewFromString(m.Amount)
	if err != nil {
		return decimal.Zero
	}
	return value
}
