package marketplace

import (
	"crypto/sha256"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/onebid-dev/onebid/internal/marketplace/account"
)

// entry is what this process remembers of one Marketplace. Only the worker that reconciles the Marketplace uses it, except
// for what tracker.mu guards.
type entry struct {
	// built is what conn and invalid were made from.
	built identity
	// conn is nil when its driver could not be built.
	conn *account.Account
	// invalid is the factory's error.
	invalid error
	// connected is true while others use conn.
	connected bool
	account   identification
	counts    counts
	// fingerprint is that of the credentials that the driver was built with.
	fingerprint [sha256.Size]byte
	// secretHeld and secretDeleting are the Secret's finalizer and deletion when it was last read.
	secretHeld, secretDeleting bool

	// tracker.mu guards the rest.

	// deleting is true when the Marketplace or its Secret is being deleted.
	deleting bool
	// countedAt is when the Bids were counted, healthAt when the status was last compared with the account's health.
	countedAt, healthAt time.Time
	// first is true while the Secret is not held because there is no unfinished Bid: the first one counts at once.
	first bool
	// holding is true while the Secret is held, until the last Bid is finished.
	holding bool
}

// identity changes whenever a driver has to be built anew.
type identity struct {
	uid           types.UID
	generation    int64
	secretVersion string
}

// discard closes an account that was not connected.
func (e *entry) discard() {
	if e.conn != nil && !e.connected {
		e.conn.Close()
	}
}

// due is when the Bids may be counted again.
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

// tracker has the entries of all Marketplaces that were reconciled. It is safe for concurrent use.
type tracker struct {
	clock clock.PassiveClock

	mu      sync.Mutex
	entries map[types.NamespacedName]*entry
}

func newTracker(now clock.PassiveClock) *tracker {
	return &tracker{clock: now, entries: map[types.NamespacedName]*entry{}}
}

// get returns the Marketplace's entry.
func (t *tracker) get(name types.NamespacedName, deleting bool) *entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.entries[name]
	if e == nil {
		e = &entry{}
		t.entries[name] = e
	}
	deleting = deleting || e.secretDeleting
	if deleting && !e.deleting {
		e.countedAt = time.Time{} // changes of unfinished Bids did not matter so far
	}
	e.deleting = deleting
	return e
}

// update changes what the mutex guards of an entry that exists.
func (t *tracker) update(name types.NamespacedName, change func(e *entry)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.entries[name]; e != nil {
		change(e)
	}
}

// forget returns the entry that there was, if any.
func (t *tracker) forget(name types.NamespacedName) *entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.entries[name]
	delete(t.entries, name)
	return e
}

// beginCount returns 0 when the Bids may be counted now, else how long until then. What happens to a Bid after it was called
// needs another count.
func (t *tracker) beginCount(name types.NamespacedName) (wait time.Duration) {
	now := t.clock.Now()
	t.update(name, func(e *entry) {
		if wait = max(e.due().Sub(now), 0); wait == 0 {
			e.countedAt = now
		}
	})
	return wait
}

// abandonCount has the Bids counted at the next opportunity, since this time it failed.
func (t *tracker) abandonCount(name types.NamespacedName) {
	t.update(name, func(e *entry) { e.countedAt = time.Time{} })
}

// countDelay is how long to wait before a Marketplace is reconciled because a Bid changed. It need not be if it never was,
// since it will be anyway, or if the change matters to a deletion or a Secret only and there is none that waits.
func (t *tracker) countDelay(name types.NamespacedName, onlyUnfinished bool) (wait time.Duration, needed bool) {
	t.update(name, func(e *entry) {
		needed = !onlyUnfinished || e.deleting || e.first || e.holding
		wait = max(e.due().Sub(t.clock.Now()), 0)
	})
	return wait, needed
}

// await says which Bids matter to the Secret; see entry.
func (t *tracker) await(name types.NamespacedName, first, holding bool) {
	t.update(name, func(e *entry) { e.first, e.holding = first, holding })
}

// healthDelay is how long until the status may follow the health again.
func (t *tracker) healthDelay(name types.NamespacedName) (wait time.Duration) {
	t.update(name, func(e *entry) { wait = max(e.healthAt.Add(healthInterval).Sub(t.clock.Now()), 0) })
	return wait
}

func (t *tracker) healthReported(name types.NamespacedName) {
	t.update(name, func(e *entry) { e.healthAt = t.clock.Now() })
}
