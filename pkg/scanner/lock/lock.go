// Package lock lets one scanner at a time evaluate a posting.
//
// A lock saves evaluations and nothing else. What keeps two scanners from bidding on one posting is the name of the Bid,
// which the API server gives out once; so a backend may fail, lose a lock or give it to two, and the worst that comes of
// it is an evaluation that was paid for twice.
package lock

import (
	"context"
	"errors"
	"fmt"
	"time"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// Names of the backends, in metrics, log lines and configuration.
const (
	// Lease is a Lease of the API server, one per posting.
	Lease = "lease"
	// Redis is a key in a Redis or Valkey server.
	Redis = "redis"
	// Memory is the memory of one process.
	Memory = "memory"
)

// Backend gives out locks on postings. It is safe for concurrent use, and its locks exclude the goroutines of one
// process from each other as well.
type Backend interface {
	// Name is what metrics and log lines call it.
	Name() string
	// Acquire returns once the lock is held. When somebody else has it, it waits for Request.Timeout at most, and is
	// woken when the lock is released or runs out; it never asks again and again.
	//
	// Errors: *TimeoutError; *CooldownError where the backend knows of cooldowns; *UnavailableError when the backend
	// cannot be reached; the context's.
	Acquire(ctx context.Context, req Request) (Lock, error)
}

// Lock is held by whoever acquired it, until it is released or not renewed for its TTL.
type Lock interface {
	// Backend is the Name of the backend that holds it.
	Backend() string
	// Renew makes the TTL begin anew. ErrLost means that it ran out, and somebody else may be inside.
	Renew(ctx context.Context) error
	// Release lets the next one in. ErrLost means that there was nothing left to release.
	Release(ctx context.Context) error
	// HandOver ends the lock after the Bid was created. Whoever comes next finds the Bid, so nobody needs to be let in;
	// for a Lease it costs no request, since the controller takes it from here.
	HandOver(ctx context.Context) error
}

// Request is what Acquire is asked for.
type Request struct {
	// Namespace and Key name the posting.
	Namespace string
	Key       onebidv1.Key
	// TTL is how long a holder that died keeps others out.
	TTL time.Duration
	// Timeout is how long to wait; zero and less mean not at all.
	Timeout time.Duration
	// Occupied, when set, is called at most once, by a backend of the API server: somebody has, or had, the lock, and
	// finding out who will cost more requests. When GiveUp is closed by then, Acquire ends as after the timeout.
	Occupied func()
	// Waiting, when set, is called once, before Acquire begins to wait, with a name of the present holder.
	Waiting func(holder string)
	// GiveUp, when closed, ends the wait as the timeout does. Unlike a context's end it breaks off no request that may take
	// effect all the same, so no lock is left behind.
	GiveUp <-chan struct{}
}

// Wait calls Waiting, if it is set. It is for backends.
func (r *Request) Wait(holder string) {
	if r.Waiting != nil {
		r.Waiting(holder)
	}
}

// GaveUp reports whether GiveUp is closed. It is for backends.
func (r *Request) GaveUp() bool {
	select {
	case <-r.GiveUp:
		return true
	default:
		return false
	}
}

// ErrLost means that the lock is not held any more: it ran out, or was ended before.
var ErrLost = errors.New("the lock on the posting is no longer held")

// TimeoutError means that somebody else kept the lock for as long as this one would wait.
type TimeoutError struct {
	// Holder has it, as far as the backend can tell.
	Holder string
	// Until is when the lock can run out at the earliest, on this process's clock.
	Until time.Time
	// Waited is how long this one waited.
	Waited time.Duration
}

// Error names the holder and when the lock can run out.
func (e *TimeoutError) Error() string {
	return fmt.Sprintf("the posting is locked by %s until %s at least; gave up after %s",
		e.Holder, e.Until.UTC().Format(time.RFC3339), e.Waited.Round(time.Millisecond))
}

// CooldownError means that a bid on the posting ended too short a time ago for another.
type CooldownError struct {
	// Until is the end of the cooldown, on the API server's clock.
	Until time.Time
	// Outcome is how the last Bid ended.
	Outcome onebidv1.BidState
}

// Error says until when and why.
func (e *CooldownError) Error() string {
	return fmt.Sprintf("the posting cools down until %s, since its last Bid ended as %s",
		e.Until.UTC().Format(time.RFC3339), e.Outcome)
}

// UnavailableError means that the backend could not be reached.
type UnavailableError struct {
	// Backend is its name.
	Backend string
	// Err is what happened.
	Err error
}

// Error names the backend.
func (e *UnavailableError) Error() string {
	return fmt.Sprintf("lock backend %s is unavailable: %v", e.Backend, e.Err)
}

// Unwrap gives what happened.
func (e *UnavailableError) Unwrap() error { return e.Err }
