package ownership

import (
	"errors"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// ErrLost means that the claim has ended: another process took the Lease, it was deleted, or this process released it or
// made it a tombstone. A caller that still wants the posting must acquire it again.
var ErrLost = errors.New("the posting's Lease is no longer held by this claim")

// lostError is ErrLost with what was found instead.
type lostError struct{ lease *coordinationv1.Lease }

func (e *lostError) Error() string {
	return fmt.Sprintf("%v: it is held by %q now", ErrLost, HolderOf(e.lease))
}

func (*lostError) Unwrap() error { return ErrLost }

// HeldError means that another process holds the posting's Lease.
type HeldError struct {
	// Holder is its holderIdentity.
	Holder string
	// Until is when it can expire at the earliest, on this process's clock; a renewal moves it.
	Until time.Time
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("the posting is held by %s until %s at least", e.Holder, e.Until.UTC().Format(time.RFC3339))
}

// TimeoutError means that waiting for the posting's Lease took too long.
type TimeoutError struct {
	HeldError
	// Waited is how long.
	Waited time.Duration
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("gave up after %s: %s", e.Waited, e.HeldError.Error())
}

func (e *TimeoutError) Unwrap() error { return &e.HeldError }

// CooldownError means that the posting's last Bid ended too short a time ago.
type CooldownError struct {
	// Until is the end of the cooldown, on the API server's clock.
	Until time.Time
	// Outcome is how that Bid ended.
	Outcome onebidv1.BidState
	// BidUID is that Bid; a Bid that meets its own tombstone has nothing left to do.
	BidUID types.UID
}

func (e *CooldownError) Error() string {
	return fmt.Sprintf("the posting cools down until %s: Bid %s ended as %s",
		e.Until.UTC().Format(time.RFC3339), e.BidUID, e.Outcome)
}

// TerminatingError means that the namespace is terminating or gone, so no Lease can be created there any more. Outcomes
// of withdrawals there must be treated as unknown.
type TerminatingError struct {
	Namespace string
	cause     error
}

func (e *TerminatingError) Error() string {
	return fmt.Sprintf("namespace %s is terminating, so no Lease can be created: %v", e.Namespace, e.cause)
}

func (e *TerminatingError) Unwrap() error { return e.cause }

// LapsedError means that no call may start now, although the claim may not be lost: assert it again, once the heartbeat
// is back.
type LapsedError struct {
	// Reason says what ran out.
	Reason string
}

func (e *LapsedError) Error() string { return "no call may start: " + e.Reason }

// UnseenIntentsError means that the Lease carries intents which the caller has not seen: the write would erase the only
// note of unresolved calls. Acquire again and resolve them first.
type UnseenIntentsError struct {
	// Intents are all that are on the Lease.
	Intents Intents
}

func (e *UnseenIntentsError) Error() string {
	return "the posting's Lease carries intents that were not seen before: " + e.Intents.Format()
}

// leaseChanged reports whether the API server refused a write because the Lease is not as it was when it was read.
func leaseChanged(err error) bool {
	if _, gone := errors.AsType[*TerminatingError](err); gone {
		return false
	}
	return apierrors.IsAlreadyExists(err) || apierrors.IsConflict(err) || apierrors.IsNotFound(err)
}
