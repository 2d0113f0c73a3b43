package bid

import (
	"hash/fnv"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
)

// flight is what this process remembers of a place call that it made and whose outcome is not recorded yet.
type flight struct {
	// attempt that was sent.
	attempt int32
	// ended is when the call returned, on this process's own clock.
	ended time.Time
	// learned is what the call told and could not be recorded; nil when the outcome is unknown.
	learned *bidding.Remote
}

// flights remembers, so that a process never sends again what it may have sent, whatever its caches show.
type flights struct {
	mu    sync.Mutex
	byUID map[types.UID]flight
}

func newFlights() *flights { return &flights{byUID: map[types.UID]flight{}} }

func (f *flights) start(uid types.UID, attempt int32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.byUID[uid] = flight{attempt: attempt}
}

func (f *flights) land(uid types.UID, at time.Time, learned *bidding.Remote) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fl := f.byUID[uid]
	fl.ended, fl.learned = at, learned
	f.byUID[uid] = fl
}

func (f *flights) get(uid types.UID) (flight, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fl, ok := f.byUID[uid]
	return fl, ok
}

func (f *flights) open(uid types.UID) bool {
	_, ok := f.get(uid)
	return ok
}

func (f *flights) forget(uid types.UID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.byUID, uid)
}

// schedule says when to ask a marketplace about a bid again. It lives in memory: after a restart every bid gets a new
// place in the interval, which spreads them.
type schedule struct {
	mu    sync.Mutex
	byUID map[types.UID]time.Time
}

func newSchedule() *schedule { return &schedule{byUID: map[types.UID]time.Time{}} }

// due is when to ask next; zero when there is nothing to ask.
func (p *schedule) due(s *situation, now time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, known := p.byUID[s.bid.UID]
	if !known {
		at = firstLook(s, now)
	}
	if at.IsZero() || !watched(s.bid) {
		delete(p.byUID, s.bid.UID)
		return time.Time{}
	}
	p.byUID[s.bid.UID] = at
	return at
}

// watched is true for a bid whose state at the marketplace may still change and matters.
func watched(bid *onebidv1.Bid) bool {
	if bid.Status.Remote == nil || !bid.DeletionTimestamp.IsZero() {
		return false
	}
	return !bidding.Terminal(bid) && !bidding.Withdrawing(bid) || bid.Status.Outcome == onebidv1.StateWithdrawn
}

func (p *schedule) asked(s *situation, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := now.Add(interval(s))
	if s.bid.Status.Outcome == onebidv1.StateWithdrawn {
		at = afterWithdrawal(s.bid, interval(s), now)
	}
	p.byUID[s.bid.UID] = at
}

func (p *schedule) forget(uid types.UID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.byUID, uid)
}

func interval(s *situation) time.Duration {
	return time.Duration(s.marketplace.Spec.AuditIntervalSeconds) * time.Second
}

// firstLook spreads what a process finds when it starts over the second half of the interval: the Marketplaces, whose first
// bid has the list read for all of theirs, and each one's bids after that.
func firstLook(s *situation, now time.Time) time.Time {
	if s.bid.Status.Outcome == onebidv1.StateWithdrawn {
		return afterWithdrawal(s.bid, interval(s), now)
	}
	place := 0.5 + (fraction(s.marketplace.UID)+fraction(s.bid.UID))/4
	return now.Add(time.Duration(place * float64(interval(s))))
}

// fraction is a number in [0,1) that is always the same for a UID.
func fraction(uid types.UID) float64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(uid)) // never fails
	return float64(h.Sum32()%1024) / 1024
}

// watchWithdrawn is how long after a withdrawal the marketplace is still asked what became of the bid.
const watchWithdrawn = 7 * 24 * time.Hour

// afterWithdrawal doubles the time between two looks: an owner's later rejection is worth knowing, but not many calls.
func afterWithdrawal(bid *onebidv1.Bid, interval time.Duration, now time.Time) time.Time {
	if bid.Status.WithdrawalTimestamp == nil {
		return time.Time{}
	}
	age := now.Sub(bid.Status.WithdrawalTimestamp.Time)
	if age > watchWithdrawn {
		return time.Time{}
	}
	next := interval
	for next <= age {
		next *= 2
	}
	return bid.Status.WithdrawalTimestamp.Add(next)
}
