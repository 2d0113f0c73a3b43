// Package lock lets one scanner at a time evaluate a posting.
//
// A lock saves evaluations and nothing else. The name of the Bid, which the API server accepts once, keeps two scanners from
// bidding on one posting. So a backend may fail, lose a lock or give it to two: at worst an evaluation is paid for twice.
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
	// Acquire returns once the lock is held. While another holder has it, it waits for Request.Timeout at most, and is woken
	// when the lock is released or runs out; it does not poll.
	//
	// Errors: *TimeoutError; *CooldownError where the backend knows of cooldowns; *UnavailableError when the backend
	// cannot be reached; the context's.
	Acquire(ctx context.Context, req Request) (Lock, error)
}

// Lock is held until it is released or not renewed for its TTL.
type Lock interface {
	// Backend is the Name of the backend that holds it.
	Backend() string
	// Renew restarts the TTL. ErrLost means that it ran out, and another scanner may hold the lock.
	Renew(ctx context.Context) error
	// Release lets the next scanner acquire the lock. ErrLost means that the lock had run out.
	Release(ctx context.Context) error
	// HandOver ends the lock after the Bid was created: the next scanner finds the Bid. For a Lease it costs no request, since
	// the controller takes the Lease over.
	HandOver(ctx context.Context) error
}

// Request is the argument of Acquire.
type Request struct {
	// Namespace and Key name the posting.
	Namespace string
	Key       onebidv1.Key
	// TTL is how long the lock of a holder that died lasts.
	TTL time.Duration
	// Timeout is how long to wait; zero or less does not wait.
	Timeout time.Duration
	// Occupied, when set, is called at most once, by the backend lease: the lock is, or was, held, and it takes more requests
	// to read by whom. When GiveUp is closed by then, Acquire ends as after the timeout.
	Occupied func()
	// Waiting, when set, is called once, before Acquire begins to wait, with the name of the holder.
	Waiting func(holder string)
	// GiveUp, when closed, ends the wait as the timeout does. Unlike the end of a context it aborts no request, which may
	// take effect all the same, so no lock is left behind.
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

// ErrLost means that the lock is no longer held: it ran out, or was ended before.
var ErrLost = errors.New("the lock on the posting is no longer held")

// TimeoutError means that another holder kept the lock for longer than Request.Timeout.
type TimeoutError struct {
	// Holder is the name of the holder, as far as the backend knows it.
	Holder string
	// Until is when the lock can run out at the earliest, on this process's clock.
	Until time.Time
	// Waited is how long Acquire waited.
	Waited time.Duration
}

// Error names the holder and when the lock can run out.
func (e *TimeoutError) Error() string {
	return fmt.Sprintf("the posting is locked by %s until %s at least; gave up after %s",
		e.Holder, e.Until.UTC().Format(time.RFC3339), e.Waited.Round(time.Millisecond))
}

// CooldownError means that the cooldown after the last bid on the posting is not over.
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
