package ownership

import (
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// ErrLost means that the claim is over: somebody else took the Lease, it was deleted, or this process settled or
// released it. Whoever still wants the posting must acquire it again.
var ErrLost = errors.New("the posting's Lease is no longer held by this claim")

// HeldError means that somebody else has the posting's Lease.
type HeldError struct {
	// Holder is its holderIdentity.
	Holder string
	// Until is when it can expire at the earliest, on this process's clock; a renewal moves it.
	Until time.Time
}

// Error names the holder and when it can expire.
func (e *HeldError) Error() string {
	return fmt.Sprintf("the posting is held by %s until %s at least", e.Holder, e.Until.UTC().Format(time.RFC3339))
}

// TimeoutError means that waiting for the posting's Lease took too long.
type TimeoutError struct {
	HeldError
	// Waited is how long.
	Waited time.Duration
}

// Error names the holder and when it can expire.
func (e *TimeoutError) Error() string {
	return fmt.Sprintf("gave up after %s: %s", e.Waited, e.HeldError.Error())
}

// Unwrap gives the *HeldError.
func (e *TimeoutError) Unwrap() error { return &e.HeldError }

// CooldownError means that a bid on the posting was settled too short a time ago.
type CooldownError struct {
	// Until is the end of the cooldown, on the API server's clock.
	Until time.Time
	// Outcome is how the settled Bid ended.
	Outcome onebidv1.BidState
	// BidUID is the settled Bid; a Bid that meets its own tombstone has nothing left to do.
	BidUID types.UID
}

// Error says until when and why.
func (e *CooldownError) Error() string {
	return fmt.Sprintf("the posting cools down until %s: Bid %s ended as %s",
		e.Until.UTC().Format(time.RFC3339), e.BidUID, e.Outcome)
}

// TerminatingError means that the namespace is going or gone, so no Lease can be made there any more. Outcomes of
// withdrawals there must be treated as unknown.
type TerminatingError struct {
	Namespace string
	cause     error
}

// Error names the namespace.
func (e *TerminatingError) Error() string {
	return fmt.Sprintf("namespace %s is terminating, so no Lease can be created: %v", e.Namespace, e.cause)
}

// Unwrap gives the API server's error.
func (e *TerminatingError) Unwrap() error { return e.cause }

// LapsedError means that no call may start now, although the claim may still be ours: assert it again, once the
// heartbeat is back.
type LapsedError struct {
	// Reason says what ran out.
	Reason string
}

// Error says what ran out.
func (e *LapsedError) Error() string { return "no call may start: " + e.Reason }

// UnseenIntentsError means that the Lease carries intents which the caller has not seen, so that writing would erase
// the only note of calls that nobody resolved. Acquire again and resolve them first.
type UnseenIntentsError struct {
	// Intents are all that are on the Lease.
	Intents Intents
}

// Error lists them.
func (e *UnseenIntentsError) Error() string {
	return "the posting's Lease carries intents that were not seen before: " + e.Intents.Format()
}
