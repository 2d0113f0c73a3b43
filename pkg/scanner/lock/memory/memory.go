// Package memory is a lock backend for the goroutines of a single process.
package memory

import (
	"context"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/onebid-dev/onebid/pkg/scanner/lock"
)

// Backend keeps locks in memory. Use New.
type Backend struct {
	clock clock.Clock

	mu   sync.Mutex
	held map[string]*held
}

type held struct {
	backend *Backend
	name    string
	ttl     time.Duration
	// until is guarded by Backend.mu.
	until time.Time
	// ended closes when the lock does.
	ended chan struct{}
}

var _ lock.Backend = (*Backend)(nil)

// New returns a Backend whose locks run out by the given clock.
func New(clk clock.Clock) *Backend {
	return &Backend{clock: clk, held: map[string]*held{}}
}

// Name is "memory".
func (*Backend) Name() string { return lock.Memory }

// Acquire implements lock.Backend, without any request.
func (b *Backend) Acquire(ctx context.Context, req lock.Request) (lock.Lock, error) {
	name, err := req.Key.Name()
	if err != nil {
		return nil, err
	}
	name = req.Namespace + "/" + name
	started := b.clock.Now()
	for reported := false; ; reported = true {
		mine, other, until := b.try(name, req.TTL)
		if mine != nil {
			return mine, nil
		}
		left := req.Timeout - b.clock.Since(started)
		if left <= 0 || req.GaveUp() {
			return nil, &lock.TimeoutError{Holder: "another goroutine", Until: until, Waited: b.clock.Since(started)}
		}
		if !reported {
			req.Wait("another goroutine")
		}
		if err := b.wait(ctx, &req, other, min(left, until.Sub(b.clock.Now()))); err != nil {
			return nil, err
		}
	}
}

// try takes the lock, or returns the one that is held and until when.
func (b *Backend) try(name string, ttl time.Duration) (mine, other *held, until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.clock.Now()
	if other = b.held[name]; other != nil {
		if now.Before(other.until) {
			return nil, other, other.until
		}
		other.end()
	}
	mine = &held{backend: b, name: name, ttl: ttl, until: now.Add(ttl), ended: make(chan struct{})}
	b.held[name] = mine
	return mine, nil, time.Time{}
}

// wait returns nil when the lock may be free.
func (b *Backend) wait(ctx context.Context, req *lock.Request, other *held, most time.Duration) error {
	timer := b.clock.NewTimer(most)
	defer timer.Stop()
	select {
	case <-other.ended:
	case <-req.GiveUp:
	case <-timer.C():
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// end wakes the waiting goroutines. Backend.mu is held.
func (h *held) end() {
	delete(h.backend.held, h.name)
	close(h.ended)
}

// Backend implements lock.Lock.
func (*held) Backend() string { return lock.Memory }

// Renew implements lock.Lock.
func (h *held) Renew(context.Context) error {
	h.backend.mu.Lock()
	defer h.backend.mu.Unlock()
	if h.backend.held[h.name] != h {
		return lock.ErrLost
	}
	h.until = h.backend.clock.Now().Add(h.ttl)
	return nil
}

// Release implements lock.Lock.
func (h *held) Release(context.Context) error {
	h.backend.mu.Lock()
	defer h.backend.mu.Unlock()
	if h.backend.held[h.name] != h {
		return lock.ErrLost
	}
	h.end()
	return nil
}

// HandOver implements lock.Lock.
func (h *held) HandOver(ctx context.Context) error { return h.Release(ctx) }
