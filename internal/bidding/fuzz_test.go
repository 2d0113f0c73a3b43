package bidding_test

import (
	"math/big"
	"regexp"
	"testing"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
)

// admitted is what the CRD accepts as an amount of money.
var admitted = regexp.MustCompile(`^(0|[1-9][0-9]{0,11})([.][0-9]{1,4})?$`)

func sum(amounts ...string) *big.Rat {
	total := new(big.Rat)
	for _, amount := range amounts {
		value, _ := new(big.Rat).SetString(amount)
		total.Add(total, value)
	}
	return total
}

// FuzzSamePrice takes a bid for ours only at our price, however the marketplace spells it.
func FuzzSamePrice(f *testing.F) {
	f.Add("250.00", "250")
	f.Add("250.0000000001", "250")
	f.Add("", "1")
	f.Add("-250", "250")
	f.Fuzz(func(t *testing.T, shown, price string) {
		if !admitted.MatchString(price) || !regexp.MustCompile(`^[0-9]{1,18}([.][0-9]{1,9})?$`).MatchString(shown) {
			return
		}
		got := bidding.Match(bidding.MatchInput{
			Sent: true, Price: onebidv1.Money{Amount: price, Currency: "USD"},
			Found: []bidding.Found{{Open: true, Amount: shown, Currency: "USD"}},
		})
		if same := sum(shown).Cmp(sum(price)) == 0; same != (got.Verdict == bidding.VerdictOurs) {
			t.Fatalf("%q beside %q: %+v", shown, price, got)
		}
	})
}
