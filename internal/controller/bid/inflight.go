package bid

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/onebid-dev/onebid/internal/bidding"
)

// call is a place call that this process made and whose outcome is not recorded yet.
type call struct {
	attempt int32
	// ended is when the call returned, on this process's own clock.
	ended time.Time
	// learned is the bid that the reply named; nil when the outcome is unknown.
	learned *bidding.Remote
}

// inFlight remembers calls, so that a process never repeats what it may have sent, whatever its caches show.
type inFlight struct {
	mu    sync.Mutex
	byUID map[types.UID]call
}

func newInFlight() *inFlight { return &inFlight{byUID: map[types.UID]call{}} }

func (f *inFlight) start(uid types.UID, attempt int32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.byUID[uid] = call{attempt: attempt}
}

func (f *inFlight) end(uid types.UID, at time.Time, learned *bidding.Remote) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.byUID[uid]
	c.ended, c.learned = at, learned
	f.byUID[uid] = c
}

func (f *inFlight) get(uid types.UID) (call, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, ok := f.byUID[uid]
	return c, ok
}

func (f *inFlight) open(uid types.UID) bool {
	_, ok := f.get(uid)
	return ok
}

func (f *inFlight) forget(uid types.UID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.byUID, uid)
}
