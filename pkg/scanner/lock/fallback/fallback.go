// Package fallback uses a second lock backend while the first one cannot be reached.
//
// While the backend changes, one scanner may hold the first one's lock and another one the second's. Both evaluate then;
// only one of them can create the Bid.
package fallback

import (
	"context"
	"errors"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/onebid-dev/onebid/pkg/scanner/lock"
)

// Options of a Backend. All but Changed are needed.
type Options struct {
	// First is used whenever it can be reached.
	First lock.Backend
	// Second is used otherwise.
	Second lock.Backend
	// Ping returns nil when First can be reached again. The context ends soon.
	Ping func(context.Context) error
	// Interval is how often Ping is called at most, and PingTimeout how long it may take.
	Interval, PingTimeout time.Duration
	// Changed, if set, is called at each change, one at a time: with the error when Second is used from now on, with nil when
	// First is back. It must return soon.
	Changed func(cause error)
	// Clock measures Interval.
	Clock clock.PassiveClock
}

// Backend is First or Second. Use New.
type Backend struct {
	o Options

	mu sync.Mutex
	// down is true while Second is used.
	down bool
	// next is when First may be pinged again.
	next time.Time
}

var _ lock.Backend = (*Backend)(nil)

// New returns a Backend that begins with First.
func New(o Options) *Backend { return &Backend{o: o} }

// Name is that of the backend in use.
func (b *Backend) Name() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down {
		return b.o.Second.Name()
	}
	return b.o.First.Name()
}

// Acquire implements lock.Backend. When First fails during a wait, Second waits for the rest of the timeout.
func (b *Backend) Acquire(ctx context.Context, req lock.Request) (lock.Lock, error) {
	if !b.usable(ctx) {
		return b.o.Second.Acquire(ctx, req)
	}
	started := b.o.Clock.Now()
	held, err := b.o.First.Acquire(ctx, req)
	unavailable, ok := errors.AsType[*lock.UnavailableError](err)
	if !ok || ctx.Err() != nil {
		return held, err
	}
	b.change(unavailable)
	req.Timeout -= b.o.Clock.Since(started)
	return b.o.Second.Acquire(ctx, req)
}

// usable reports whether to use First, and pings it now and then when it was down. While one goroutine pings, the others use
// Second.
func (b *Backend) usable(ctx context.Context) bool {
	b.mu.Lock()
	down, now := b.down, b.o.Clock.Now()
	if !down || now.Before(b.next) {
		b.mu.Unlock()
		return !down
	}
	b.next = now.Add(b.o.Interval)
	b.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, b.o.PingTimeout)
	defer cancel()
	if b.o.Ping(ctx) != nil {
		return false
	}
	b.change(nil)
	return true
}

// change switches to Second after an error, to First after nil, and reports it once.
func (b *Backend) change(cause error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	down := cause != nil
	if down {
		b.next = b.o.Clock.Now().Add(b.o.Interval)
	}
	if b.down == down {
		return
	}
	b.down = down
	if b.o.Changed != nil {
		b.o.Changed(cause)
	}
}
