package capacity

import (
	"cmp"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
)

// usage is exactly what the Bids of one Marketplace use of its limits, and which Bids wait. It is not safe for concurrent use.
type usage struct {
	reserved map[string]reserved // by name of the Bid
	totals   bidding.Totals      // of reserved
	waiting  []waiter            // by age
}

type reserved struct {
	uid   types.UID
	price onebidv1.Money
}

type waiter struct {
	name  string
	since time.Time
	price onebidv1.Money
}

func newUsage() *usage {
	return &usage{reserved: map[string]reserved{}}
}

// reserve counts a Bid, which waits no longer. It is false when the Bid was counted already. An earlier Bid of the name is gone.
func (u *usage) reserve(bid *onebidv1.Bid) bool {
	u.stopWaiting(bid.Name)
	if is, counted := u.reserved[bid.Name]; counted && is.uid == bid.UID {
		return false
	}
	u.release(bid.Name)
	u.reserved[bid.Name] = reserved{bid.UID, bid.Spec.Price}
	u.totals = u.totals.Plus(bid.Spec.Price)
	return true
}

// release ends reserve. It is false when no Bid of the name was counted.
func (u *usage) release(name string) bool {
	is, counted := u.reserved[name]
	if counted {
		delete(u.reserved, name)
		u.totals = u.totals.Minus(is.price)
	}
	return counted
}

// wait puts a Bid among those that wait for capacity.
func (u *usage) wait(bid *onebidv1.Bid) {
	w := waiterOf(bid)
	if at, found := slices.BinarySearchFunc(u.waiting, w, byAge); !found {
		u.waiting = slices.Insert(u.waiting, at, w)
	}
}

// stopWaiting ends wait. It is false when the Bid did not wait.
func (u *usage) stopWaiting(name string) bool {
	before := len(u.waiting)
	u.waiting = slices.DeleteFunc(u.waiting, func(w waiter) bool { return w.name == name })
	return len(u.waiting) < before
}

// others are the Bids that count beside this one, and the older waiting ones that fit: freed capacity is theirs.
func (u *usage) others(bid *onebidv1.Bid, limits *onebidv1.MarketplaceLimits) bidding.Totals {
	others := u.totals
	if is, counted := u.reserved[bid.Name]; counted {
		others = others.Minus(is.price)
	}
	self := waiterOf(bid)
	for _, w := range u.waiting {
		if byAge(w, self) >= 0 || others.Full(limits) {
			break
		}
		if others.Fits(w.price, limits) {
			others = others.Plus(w.price)
		}
	}
	return others
}

// next names the waiting Bids that fit into what is left, the oldest first.
func (u *usage) next(limits *onebidv1.MarketplaceLimits) []string {
	var names []string
	totals := u.totals
	for _, w := range u.waiting {
		if totals.Full(limits) {
			break
		}
		if totals.Fits(w.price, limits) {
			totals, names = totals.Plus(w.price), append(names, w.name)
		}
	}
	return names
}

func waiterOf(bid *onebidv1.Bid) waiter {
	return waiter{name: bid.Name, since: bid.CreationTimestamp.Time, price: bid.Spec.Price}
}

// byAge orders waiting Bids. The API server's times are whole seconds, so names decide between Bids of one second.
func byAge(a, b waiter) int {
	return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.name, b.name))
}
