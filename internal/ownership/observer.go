package ownership

import (
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/lru"
)

// record is one version of one Lease. Every write makes a new one, and no version comes back: two reads with the same
// record prove that nothing was written between them. One without a UID means that there is no Lease.
type record struct {
	uid             types.UID
	resourceVersion string
	// duration is the Lease's own.
	duration time.Duration
}

func recordOf(lease *coordinationv1.Lease) record {
	return record{uid: lease.UID, resourceVersion: lease.ResourceVersion, duration: durationOf(lease)}
}

// sighting is a record, and since when this process has known it unchanged.
type sighting struct {
	record record
	since  time.Time
}

// observer remembers since when each Lease is unchanged, on the process's own clock. That is the only evidence for
// "unchanged for the whole duration": the times inside a Lease come from the clock of another host.
//
// Its memory is bounded. When it is full it forgets the Lease used longest ago, which can only delay a take-over.
type observer struct {
	mu    sync.Mutex
	byRef *lru.Cache // of sighting
}

func newObserver(limit int) *observer { return &observer{byRef: lru.New(limit)} }

// see notes that the Lease was found in this state, and returns since when it has been. now must be taken after the
// reply arrived: a write during the request must not look older than it is.
func (o *observer) see(ref string, found record, now time.Time) (since time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if known, ok := o.last(ref); ok && known.record == found {
		return known.since
	}
	o.byRef.Add(ref, sighting{record: found, since: now})
	return now
}

// last returns what was seen last.
func (o *observer) last(ref string) (sighting, bool) {
	value, _ := o.byRef.Get(ref)
	known, ok := value.(sighting)
	return known, ok
}

// forget drops what is known of the Lease, for example once this process holds it.
func (o *observer) forget(ref string) { o.byRef.Remove(ref) }
