package ownership

import (
	"container/list"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Record is one version of one Lease. Every write makes another, and none ever comes back: two reads that give the same
// record prove that nothing was written between them. The zero Record means that there is no Lease.
type Record struct {
	UID             types.UID
	ResourceVersion string
	// Duration is the Lease's own.
	Duration time.Duration
}

// RecordOf returns the Lease's record, and the zero Record for nil.
func RecordOf(lease *coordinationv1.Lease) Record {
	if lease == nil {
		return Record{}
	}
	return Record{UID: lease.UID, ResourceVersion: lease.ResourceVersion, Duration: durationOf(lease)}
}

// Observer remembers since when this process has known each Lease's present record, on the process's own clock. That is
// the only evidence for "unchanged for the whole duration": the times inside a Lease are from the clock of another host.
//
// Its memory is bounded: when full it forgets the record that was seen longest ago, which can only delay a take-over.
// It is safe for concurrent use.
type Observer struct {
	mu      sync.Mutex
	max     int
	byName  map[string]*list.Element
	byUsage *list.List // of sighting, the latest first
}

type sighting struct {
	name   string
	record Record
	since  time.Time
}

// NewObserver returns an Observer that remembers at most limit Leases.
func NewObserver(limit int) *Observer {
	return &Observer{max: limit, byName: map[string]*list.Element{}, byUsage: list.New()}
}

// See notes that the Lease was found in this state, and returns since when it has been. now must be taken after the
// reply arrived: what was written while the request travelled must not look older than it is.
func (o *Observer) See(name string, record Record, now time.Time) (since time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if element, found := o.byName[name]; found {
		o.byUsage.MoveToFront(element)
		known := element.Value.(*sighting) //nolint:errcheck,forcetypeassert // The list holds nothing else.
		if known.record != record {
			known.record, known.since = record, now
		}
		return known.since
	}
	if len(o.byName) >= o.max {
		oldest := o.byUsage.Back()
		delete(o.byName, o.byUsage.Remove(oldest).(*sighting).name) //nolint:errcheck,forcetypeassert // As above.
	}
	o.byName[name] = o.byUsage.PushFront(&sighting{name: name, record: record, since: now})
	return now
}

// Since returns the record that was last seen and since when, without counting as a sighting.
func (o *Observer) Since(name string) (record Record, since time.Time, known bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	element, known := o.byName[name]
	if !known {
		return Record{}, time.Time{}, false
	}
	s := element.Value.(*sighting) //nolint:errcheck,forcetypeassert // The list holds nothing else.
	return s.record, s.since, true
}

// Forget drops what is known of the Lease, for example once this process holds it.
func (o *Observer) Forget(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if element, found := o.byName[name]; found {
		o.byUsage.Remove(element)
		delete(o.byName, name)
	}
}
