package bidding_test

import (
	"math/big"
	"regexp"
	"testing"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
)

// admitted is what the CRD lets in as an amount of money.
var admitted = regexp.MustCompile(`^(0|[1-9][0-9]{0,11})([.][0-9]{1,4})?$`)

// FuzzMoney counts money as fractions do: a Bid has room when what is taken and its price do not exceed the limit, to the
// last digit, and what was freed leaves nothing behind.
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
		room, limits, waits := bidding.NewRoom(), atMost(0, most), roomBid(3, price)
		one, two := roomBid(1, first), roomBid(2, second)
		room.Take(one)
		room.Take(two)
		room.Wait(waits)
		check := func(amounts ...string) {
			t.Helper()
			if fits := len(room.Next(limits)) == 1; fits != (sum(amounts...).Cmp(sum(most)) <= 0) {
				t.Fatalf("%q of %s fit: %t", amounts, most, fits)
			}
		}
		check(first, second, price)
		room.Free(one.UID)
		check(second, price)
		room.Free(two.UID)
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
			Found: []bidding.Found{{ID: "1", State: onebidv1.RemoteLive, Amount: shown, Currency: "USD"}},
		})
		if same := sum(shown).Cmp(sum(price)) == 0; same != (got.Verdict == bidding.VerdictOurs) {
			t.Fatalf("%q beside %q: %+v", shown, price, got)
		}
	})
}
