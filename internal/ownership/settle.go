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

// WriteTombstone ends the claim for good: the Lease becomes a tombstone, with no holder and no intents. The caller says by it
// that every intent in claim.Intents is resolved; the tombstone's BidUID is the claim's unless it is set.
//
// Requests: one update; a read and perhaps an update more after a conflict. Errors: ErrLost, *UnseenIntentsError, and
// those of the API server, after which it may be called again: a tombstone that was written although its reply was lost
// counts as success.
func (c *Client) WriteTombstone(ctx context.Context, claim *Claim, stone Tombstone) error {
	unlock, err := c.locks.lock(ctx, claim.lockName())
	if err != nil {
		return err
	}
	defer unlock()
	if stone.BidUID == "" {
		stone.BidUID = claim.BidUID
	}
	failpoint.Before(failpoint.LeaseTombstone)
	err = c.rewrite(ctx, claim.holding, func(base *coordinationv1.Lease) (*coordinationv1.Lease, error) {
		if err := claim.saw(base); err != nil {
			return nil, err
		}
		return settled(base, stone, c.wall.Now()), nil
	})
	failpoint.After(failpoint.LeaseTombstone, err)
	if lost, ok := errors.AsType[*lostError](err); ok && isTombstone(lost.lease, claim.Token, stone) {
		err = nil
	}
	if err != nil {
		return err
	}
	c.end(claim.holding)
	return nil
}

func isTombstone(lease *coordinationv1.Lease, token Token, stone Tombstone) bool {
	if TokenOf(lease) != token || HolderOf(lease) != "" {
		return false
	}
	for name, value := range stone.Format() {
		if lease.Annotations[name] != value {
			return false
		}
	}
	return true
}

// Release gives the posting back to whoever comes next. The Lease is deleted, in the version that this process knows,
// unless it carries an intent, a tombstone or a Bid's claim: such a Lease only loses its holder.
//
// Requests: one delete or update; a read and another one after a conflict. Errors: ErrLost when somebody else has it, or
// this process uses it for another Bid by now, so that nothing is left to release (a controller takes it from its
// scanner as soon as the Bid exists); those of the API server, after which it may be called again, or left to expire.
func (c *Client) Release(ctx context.Context, claim *Claim) error {
	unlock, err := c.locks.lock(ctx, claim.lockName())
	if err != nil {
		return err
	}
	defer unlock()
	h := claim.holding
	for round := 0; ; round++ {
		c.mu.Lock()
		over, base := h.over || h.bidUID != claim.BidUID, h.lease
		if !over {
			// From now on somebody else may have it, whatever becomes of the reply: no call starts before it is asserted again.
			h.assertedAt = time.Time{}
		}
		c.mu.Unlock()
		if over {
			return ErrLost
		}
		failpoint.Before(failpoint.LeaseRelease)
		err = c.giveBack(ctx, base)
		failpoint.After(failpoint.LeaseRelease, err)
		if err == nil || apierrors.IsNotFound(err) {
			c.end(h)
			return nil
		}
		if !apierrors.IsConflict(err) || round == maxRounds {
			return err
		}
		if _, err = c.reread(ctx, h); err != nil {
			return err
		}
	}
}

func (c *Client) giveBack(ctx context.Context, base *coordinationv1.Lease) error {
	leases := c.leases.Leases(base.Namespace)
	if protected(base) {
		_, err := leases.Update(ctx, vacated(base, c.wall.Now()), metav1.UpdateOptions{})
		return err
	}
	return leases.Delete(ctx, base.Name, exactly(base))
}

// exactly lets a delete succeed only against this very version.
func exactly(lease *coordinationv1.Lease) metav1.DeleteOptions {
	return metav1.DeleteOptions{Preconditions: &metav1.Preconditions{
		UID: &lease.UID, ResourceVersion: &lease.ResourceVersion,
	}}
}
