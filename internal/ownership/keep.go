package ownership

import (
	"context"
	"errors"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/onebid-dev/onebid/internal/failpoint"
)

// Assert makes sure that the claim is still this process's, before a call. The return of a heartbeat after a lapse does
// not revive claims: other processes may have taken the Leases meanwhile, so each is written again by compare-and-swap;
// likewise one whose own duration is about to run out.
//
// Requests: none while the epoch is unchanged and the last write is recent; otherwise one update, and a read and an
// update more after a conflict. Errors: ErrLost when another process has it or it is gone, *LapsedError while this
// replica's heartbeat is not acknowledged, and those of the API server, after which the claim is not asserted.
func (c *Client) Assert(ctx context.Context, claim *Claim) error { return c.assert(ctx, claim, false) }

// Renew writes the claim's Lease again although nothing in it changes, so that other processes count its duration anew.
// It is for scanners, which have no heartbeat, and whose work may outlast the Lease.
//
// Requests: one update; a read and an update more after a conflict. Errors: ErrLost when another process has it or it is
// gone, and those of the API server, after which it may be called again.
func (c *Client) Renew(ctx context.Context, claim *Claim) error { return c.assert(ctx, claim, true) }

func (c *Client) assert(ctx context.Context, claim *Claim, always bool) error {
	unlock, err := c.locks.lock(ctx, claim.ref())
	if err != nil {
		return err
	}
	defer unlock()
	epoch, err := c.epoch()
	if err != nil {
		return err
	}
	c.mu.Lock()
	h := claim.held
	ended, fresh := h.ended, h.epoch == epoch && !c.expiring(h, c.clock.Now())
	c.mu.Unlock()
	switch {
	case ended:
		return ErrLost
	case fresh && !always:
		return nil
	}
	failpoint.Before(failpoint.LeaseAssert)
	err = c.update(ctx, h, func(base *coordinationv1.Lease) (*coordinationv1.Lease, error) {
		return touched(base, c.wall.Now()), nil
	})
	failpoint.After(failpoint.LeaseAssert, err)
	return err
}

// Authorize says whether a call may start now. It is the last thing before the call: no request, no blocking. nil means
// that the heartbeat is valid for the margin at least and has not lapsed since the claim was last asserted, and that the
// Lease's own duration has not run out. The call may outlive all of that: the settle time of a successor covers it. Only
// a call with a timeout can be waited out.
//
// Errors: ErrLost, and *LapsedError, after which Assert may help.
func (c *Client) Authorize(claim *Claim, callTimeout time.Duration) error {
	if callTimeout <= 0 {
		return &LapsedError{Reason: "a call without a timeout cannot be waited out by a successor"}
	}
	now := c.clock.Now()
	epoch, err := c.epoch()
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	h := claim.held
	switch {
	case h.ended:
		return ErrLost
	case h.epoch != epoch:
		return &LapsedError{Reason: "this replica's heartbeat had lapsed since the posting was claimed"}
	case now.After(c.reliableUntil(h)):
		return &LapsedError{Reason: "the duration of the posting's Lease has run out"}
	}
	return nil
}

// SetIntents replaces the intents on the Lease, for example to drop a resolved one, and updates the claim. It also
// asserts the claim. Prior loses what is replaced or removed, since the caller has resolved that; when nothing is left,
// Inherited ends.
//
// Requests: one update; a read and an update more after a conflict. Errors: ErrLost; *UnseenIntentsError when the Lease
// carries an intent that claim.Intents does not; those of the API server, after which either may be on the Lease.
func (c *Client) SetIntents(ctx context.Context, claim *Claim, intents Intents) error {
	unlock, err := c.locks.lock(ctx, claim.ref())
	if err != nil {
		return err
	}
	defer unlock()
	h := claim.held
	failpoint.Before(failpoint.LeaseIntents)
	err = c.update(ctx, h, func(base *coordinationv1.Lease) (*coordinationv1.Lease, error) {
		lease := touched(base, c.wall.Now())
		setIntents(lease, intents)
		return lease, claim.checkSeen(base)
	})
	failpoint.After(failpoint.LeaseIntents, err)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	h.prior = h.prior.kept(intents)
	h.inherited = len(h.prior) > 0
	claim.Intents, claim.Prior, claim.Inherited = intents, h.prior, h.inherited
	return nil
}

// Resolved says that the history of the claim was looked up and recorded: Prior and Inherited end, for this process and
// this term. No request.
func (c *Client) Resolved(claim *Claim) {
	c.mu.Lock()
	defer c.mu.Unlock()
	claim.held.prior, claim.held.inherited = nil, false
	claim.Prior, claim.Inherited = nil, false
}

// WriteTombstone ends the claim for good: the Lease becomes a tombstone, with no holder and no intents. The caller says
// by it that every intent in claim.Intents is resolved; the tombstone's BidUID is the claim's unless it is set.
//
// Requests: one update; a read and perhaps an update more after a conflict. Errors: ErrLost, *UnseenIntentsError, and
// those of the API server, after which it may be called again: a tombstone that was written although its reply was lost
// counts as success.
func (c *Client) WriteTombstone(ctx context.Context, claim *Claim, t Tombstone) error {
	unlock, err := c.locks.lock(ctx, claim.ref())
	if err != nil {
		return err
	}
	defer unlock()
	if t.BidUID == "" {
		t.BidUID = claim.BidUID
	}
	failpoint.Before(failpoint.LeaseTombstone)
	err = c.update(ctx, claim.held, func(base *coordinationv1.Lease) (*coordinationv1.Lease, error) {
		return withTombstone(base, t, c.wall.Now()), claim.checkSeen(base)
	})
	failpoint.After(failpoint.LeaseTombstone, err)
	if lost, ok := errors.AsType[*lostError](err); ok && isTombstone(lost.lease, claim.Token, t) {
		err = nil
	}
	if err != nil {
		return err
	}
	c.end(claim.held)
	return nil
}

func isTombstone(lease *coordinationv1.Lease, token Token, t Tombstone) bool {
	if tokenOf(lease) != token || HolderOf(lease) != "" {
		return false
	}
	for name, value := range t.Format() {
		if lease.Annotations[name] != value {
			return false
		}
	}
	return true
}

// Release gives the posting to the next holder. The Lease is deleted, in the version that this process knows, unless it
// carries an intent, a tombstone or a Bid's claim: such a Lease only loses its holder.
//
// Requests: one delete or update; a read and another one after a conflict. Errors: ErrLost when another process has it, or
// this process uses it for another Bid by now, so that nothing is left to release (a controller takes it from its scanner
// as soon as the Bid exists); those of the API server, after which it may be called again, or left to expire.
func (c *Client) Release(ctx context.Context, claim *Claim) error {
	unlock, err := c.locks.lock(ctx, claim.ref())
	if err != nil {
		return err
	}
	defer unlock()
	h := claim.held
	c.mu.Lock()
	lost := h.ended || h.bidUID != claim.BidUID
	if !lost {
		// Even if the reply is lost, another process may have it from now on: no call starts before it is asserted again.
		h.assertedAt = time.Time{}
	}
	c.mu.Unlock()
	if lost {
		return ErrLost
	}
	err = c.swap(ctx, h, func(base *coordinationv1.Lease) error {
		failpoint.Before(failpoint.LeaseRelease)
		err := c.letGo(ctx, base)
		failpoint.After(failpoint.LeaseRelease, err)
		return err
	})
	if err == nil {
		c.end(h)
	}
	return err
}

func (c *Client) letGo(ctx context.Context, base *coordinationv1.Lease) (err error) {
	leases := c.leases.Leases(base.Namespace)
	if protected(base) {
		_, err = leases.Update(ctx, vacated(base, c.wall.Now()), metav1.UpdateOptions{})
	} else {
		err = leases.Delete(ctx, base.Name, exactly(base))
	}
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
