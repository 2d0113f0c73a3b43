package bid

import (
	"hash/fnv"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
)

// schedule says when to read a bid from the marketplace again. It lives in memory: after a restart every bid gets a new place in
// the interval, which spreads them.
type schedule struct {
	mu     sync.Mutex
	byName map[types.NamespacedName]poll
}

type poll struct {
	uid types.UID
	at  time.Time
}

func newSchedule() *schedule { return &schedule{byName: map[types.NamespacedName]poll{}} }

// due is when to read the bid next; zero when there is nothing to read.
func (p *schedule) due(s *situation, now time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	name := client.ObjectKeyFromObject(s.bid)
	known, found := p.byName[name]
	if !found || known.uid != s.bid.UID {
		known = poll{s.bid.UID, firstPoll(s, now)}
	}
	if known.at.IsZero() || !polled(s.bid) {
		delete(p.byName, name)
		return time.Time{}
	}
	p.byName[name] = known
	return known.at
}

// asked notes that the bid was read.
func (p *schedule) asked(s *situation, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := now.Add(s.pollInterval())
	if s.bid.Status.Outcome == onebidv1.StateWithdrawn {
		at = pollAfterWithdrawal(s.bid, s.pollInterval(), now)
	}
	p.byName[client.ObjectKeyFromObject(s.bid)] = poll{s.bid.UID, at}
}

func (p *schedule) forget(bid types.NamespacedName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.byName, bid)
}

// polled is true for a bid whose state at the marketplace may still change and matters.
func polled(bid *onebidv1.Bid) bool {
	if bid.Status.Remote == nil || !bid.DeletionTimestamp.IsZero() {
		return false
	}
	return !bidding.Terminal(bid) && !bidding.Withdrawing(bid) || bid.Status.Outcome == onebidv1.StateWithdrawn
}

// firstPoll spreads what a process finds when it starts over the second half of the interval: first by Marketplace, whose first
// bid has the list read for all of its bids, then by bid.
func firstPoll(s *situation, now time.Time) time.Time {
	if s.bid.Status.Outcome == onebidv1.StateWithdrawn {
		return pollAfterWithdrawal(s.bid, s.pollInterval(), now)
	}
	place := 0.5 + (fraction(s.marketplace.UID)+fraction(s.bid.UID))/4
	return now.Add(time.Duration(place * float64(s.pollInterval())))
}

// fraction is a number in [0,1) that is always the same for a UID.
func fraction(uid types.UID) float64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(uid)) // never fails
	return float64(h.Sum32()%1024) / 1024
}

// pollWithdrawnFor is how long after a withdrawal the marketplace is still asked what became of the bid.
const pollWithdrawnFor = 7 * 24 * time.Hour

// pollAfterWithdrawal doubles the time between two reads: a later rejection by the posting's owner is worth knowing, but not
// many calls.
func pollAfterWithdrawal(bid *onebidv1.Bid, interval time.Duration, now time.Time) time.Time {
	if bid.Status.WithdrawalTimestamp == nil {
		return time.Time{}
	}
	age := now.Sub(bid.Status.WithdrawalTimestamp.Time)
	if age > pollWithdrawnFor {
		return time.Time{}
	}
	next := interval
	for next <= age {
		next *= 2
	}
	return bid.Status.WithdrawalTimestamp.Add(next)
}

// reports remembers which ends this process has written to Postings, since the cache that would show it lags behind. After a
// restart every terminal Bid is compared with its Posting once, without a request.
type reports struct {
	mu     sync.Mutex
	byName map[types.NamespacedName]reported
}

type reported struct {
	uid     types.UID
	outcome onebidv1.BidState
}

func newReports() *reports { return &reports{byName: map[types.NamespacedName]reported{}} }

func (t *reports) add(bid *onebidv1.Bid) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.byName[client.ObjectKeyFromObject(bid)] = reported{bid.UID, bid.Status.Outcome}
}

func (t *reports) has(bid *onebidv1.Bid) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byName[client.ObjectKeyFromObject(bid)] == reported{bid.UID, bid.Status.Outcome}
}

func (t *reports) forget(bid types.NamespacedName) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byName, bid)
}
