package bidding

import (
	"cmp"
	"slices"
	"time"

	"github.com/shopspring/decimal"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// Room is what the Bids of one Marketplace take of its limits, exactly, and who waits for some of it. It is not safe for
// concurrent use.
type Room struct {
	taken     map[types.UID]onebidv1.Money
	committed map[string]decimal.Decimal
	waiting   []waiter // in the order of their turn
}

type waiter struct {
	uid   types.UID
	name  string
	since time.Time
	price onebidv1.Money
}

// Counts is true for a Bid that is live or may be, as far as its status knows.
func Counts(bid *onebidv1.Bid) bool {
	return !Terminal(bid) && PlacedStatus(bid) != metav1.ConditionFalse
}

// NewRoom returns a Room of which nothing is taken.
func NewRoom() *Room {
	return &Room{taken: map[types.UID]onebidv1.Money{}, committed: map[string]decimal.Decimal{}}
}

// Bounded is true when there is a limit on all Bids of the Marketplace together.
func Bounded(m *onebidv1.Marketplace) bool {
	return m != nil && m.Spec.Limits != nil && (m.Spec.Limits.MaxActiveBids > 0 || m.Spec.Limits.MaxCommitted != nil)
}

// Take counts a Bid from now on, which waits no longer. It says whether the Bid did not count so far.
func (r *Room) Take(bid *onebidv1.Bid) bool {
	r.Leave(bid.UID)
	if _, counted := r.taken[bid.UID]; counted {
		return false
	}
	r.taken[bid.UID] = bid.Spec.Price
	r.add(bid.Spec.Price.Currency, amount(bid.Spec.Price))
	return true
}

// Free ends Take, and says whether the Bid counted.
func (r *Room) Free(uid types.UID) bool {
	price, counted := r.taken[uid]
	if !counted {
		return false
	}
	delete(r.taken, uid)
	r.add(price.Currency, amount(price).Neg())
	return true
}

func (r *Room) add(currency string, sum decimal.Decimal) {
	r.committed[currency] = r.committed[currency].Add(sum)
}

// Wait has a Bid wait for its turn: older Bids come first.
func (r *Room) Wait(bid *onebidv1.Bid) {
	w := waiterOf(bid)
	if at, found := slices.BinarySearchFunc(r.waiting, w, inTurn); !found {
		r.waiting = slices.Insert(r.waiting, at, w)
	}
}

// Leave ends Wait, and says whether the Bid waited.
func (r *Room) Leave(uid types.UID) bool {
	before := len(r.waiting)
	r.waiting = slices.DeleteFunc(r.waiting, func(w waiter) bool { return w.uid == uid })
	return len(r.waiting) < before
}

// Others are the Bids that count beside this one, and those that wait for longer and fit into what is left: room that
// was freed is theirs.
func (r *Room) Others(bid *onebidv1.Bid, limits *onebidv1.MarketplaceLimits) Account {
	others := r.account()
	if price, counted := r.taken[bid.UID]; counted {
		others = others.minus(price)
	}
	me := waiterOf(bid)
	for _, w := range r.waiting {
		if inTurn(w, me) >= 0 || others.full(limits) {
			break
		}
		if others.fits(w.price, limits) {
			others = others.Plus(w.price)
		}
	}
	return others
}

// Next names the waiting Bids that fit into what is left, in the order of their turn.
func (r *Room) Next(limits *onebidv1.MarketplaceLimits) []string {
	var names []string
	account := r.account()
	for _, w := range r.waiting {
		if account.full(limits) {
			break
		}
		if account.fits(w.price, limits) {
			account, names = account.Plus(w.price), append(names, w.name)
		}
	}
	return names
}

func (r *Room) account() Account { return Account{Active: len(r.taken), Committed: r.committed} }

func waiterOf(bid *onebidv1.Bid) waiter {
	return waiter{uid: bid.UID, name: bid.Name, since: bid.CreationTimestamp.Time, price: bid.Spec.Price}
}

// inTurn orders by age; the API server's times are whole seconds, so names decide between Bids of one second.
func inTurn(a, b waiter) int {
	return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.name, b.name), cmp.Compare(a.uid, b.uid))
}
