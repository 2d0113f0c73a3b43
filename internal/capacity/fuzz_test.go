package capacity

import (
	"math/big"
	"regexp"
	"testing"
)

// admitted is what the CRD accepts as an amount of money.
var admitted = regexp.MustCompile(`^(0|[1-9][0-9]{0,11})([.][0-9]{1,4})?$`)

// FuzzMoney counts money as fractions do: a Bid fits when what is reserved and its price do not exceed the limit, to the last
// digit, and a release leaves nothing behind.
func FuzzMoney(f *testing.F) {
	f.Add("0.1", "0.2", "0.3", "0.6")
	f.Add("999999999999.9999", "0.0001", "1", "1000000000001")
	f.Add("250", "250.00", "0", "500")
	f.Fuzz(func(t *testing.T, first, second, price, most string) {
		for _, amount := range []string{first, second, price, most} {
			if !admitted.MatchString(amount) {
				return
			}
		}
		used, limits, waits := newUsage(), atMost(0, most), agedBid(3, price)
		one, two := agedBid(1, first), agedBid(2, second)
		used.reserve(one)
		used.reserve(two)
		used.wait(waits)
		check := func(amounts ...string) {
			t.Helper()
			if fits := len(used.next(limits)) == 1; fits != (sum(amounts...).Cmp(sum(most)) <= 0) {
				t.Fatalf("%q of %s fit: %t", amounts, most, fits)
			}
		}
		check(first, second, price)
		used.release(one.Name)
		check(second, price)
		used.release(two.Name)
		check(price)
	})
}

func sum(amounts ...string) *big.Rat {
	total := new(big.Rat)
	for _, amount := range amounts {
		value, _ := new(big.Rat).SetString(amount)
		total.Add(total, value)
	}
	return total
}
