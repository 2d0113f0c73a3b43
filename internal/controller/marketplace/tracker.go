package marketplace

import (
	"crypto/sha256"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/onebid-dev/onebid/internal/marketplace/account"
)

// entry is what this process remembers of one Marketplace. Only the worker that reconciles the Marketplace touches it,
// but for what tracker guards.
type entry struct {
	// built is what conn and invalid were made from.
	built identity
	// conn is nil when its driver could not be built.
	conn *account.Account
	// invalid is the factory's error.
	invalid error
	// connected is true while conn is the one that others use.
	connected bool
	account   identification
	counts    counts
	// fingerprint is that of the credentials that conn was built with.
	fingerprint [sha256.Size]byte
	// secretHeld and secretDeleting are what the Secret said when it was last read.
	secretHeld, secretDeleting bool

	// These are guarded by tracker.mu.
	deleting bool
	dirty    bool
	// healthAt is when the status was last compared with the account's health.
	healthAt  time.Time
	countedAt time.Time
	// first is true while the Secret is not held because there is no unsettled Bid: the first one matters at once.
	first bool
	// holding is true while it is held: then it matters when the last one ends.
	holding bool
}

// identity changes whenever a driver has to be built anew.
type identity struct {
	uid           types.UID
	generation    int64
	secretVersion string
}

// tracker knows the Marketplaces that were reconciled, and when their Bids are to be counted again. It is safe for
// concurrent use.
type tracker struct {
	clock clock.PassiveClock

	mu      sync.Mutex
	entries map[types.NamespacedName]*entry
}

func newTracker(now clock.PassiveClock) *tracker {
	return &tracker{clock: now, entries: map[types.NamespacedName]*entry{}}
}

// visit returns the Marketplace's entry.
func (t *tracker) visit(name types.NamespacedName, deleting bool) *entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.entries[name]
	if e == nil {
		e = &entry{}
		t.entries[name] = e
	}
	deleting = deleting || e.secretDeleting
	if deleting && !e.deleting {
		e.countedAt = time.Time{} // so far only live Bids were of interest
	}
	e.deleting = deleting
	return e
}

// forget returns the entry that there was, if any.
func (t *tracker) forget(name types.NamespacedName) *entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.entries[name]
	delete(t.entries, name)
	return e
}

// beginCount says whether the Bids may be counted now. If so, whatever happens to a Bid from now on asks for another
// count.
func (t *tracker) beginCount(name types.NamespacedName) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	e, now := t.entries[name], t.clock.Now()
	if now.Before(e.due()) {
		return false
	}
	e.countedAt, e.dirty = now, false
	return true
}

// abandonCount has the Bids counted at the next opportunity, since this time it failed.
func (t *tracker) abandonCount(name types.NamespacedName) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.entries[name].countedAt = time.Time{}
}

// touch notes that a Bid changed. It returns how long to wait before the Marketplace is reconciled, and whether it needs
// to be: a Marketplace that was never reconciled will be anyway, and what only a deletion waits for is otherwise of no
// interest.
func (t *tracker) touch(name types.NamespacedName, onlyForDeletion bool) (wait time.Duration, needed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.entries[name]
	if e == nil || (onlyForDeletion && !e.deleting && !e.first && !e.holding) {
		return 0, false
	}
	e.dirty = true
	return max(e.due().Sub(t.clock.Now()), 0), true
}

// await says which Bids matter to the Secret; see entry.
func (t *tracker) await(name types.NamespacedName, first, holding bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.entries[name]; e != nil {
		e.first, e.holding = first, holding
	}
}

// recountIn is how long until the Bids are to be counted again, if they are.
func (t *tracker) recountIn(name types.NamespacedName, now time.Time) (wait time.Duration, dirty bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.entries[name]
	if e == nil || !e.dirty {
		return 0, false
	}
	return e.due().Sub(now), true
}

func (e *entry) due() time.Time {
	switch {
	case e.countedAt.IsZero():
		return time.Time{}
	case e.first:
		return e.countedAt
	case e.deleting:
		return e.countedAt.Add(countIntervalDeleting)
	}
	return e.countedAt.Add(countInterval)
}
