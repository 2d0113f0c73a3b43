package ownership

import (
	"context"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// swap writes a Lease that this process holds, by compare-and-swap. After a conflict it goes on with the live version if
// that is still of the same term: the reply was lost, or an edit left the holder in place.
func (c *Client) swap(ctx context.Context, h *heldLease, write func(base *coordinationv1.Lease) error) error {
	c.mu.Lock()
	ended, base := h.ended, h.lease
	c.mu.Unlock()
	if ended {
		return ErrLost
	}
	for round := 0; ; round++ {
		err := write(base)
		if !leaseChanged(err) || round == maxRounds {
			return err
		}
		if base, err = c.reread(ctx, h); err != nil {
			return err
		}
	}
}

// update is swap with an update, which also asserts the claim.
func (c *Client) update(
	ctx context.Context, h *heldLease, change func(*coordinationv1.Lease) (*coordinationv1.Lease, error),
) error {
	return c.swap(ctx, h, func(base *coordinationv1.Lease) error {
		next, err := change(base)
		if err != nil {
			return err
		}
		sent := c.beforeSend()
		lease, err := c.leases.Leases(base.Namespace).Update(ctx, next, metav1.UpdateOptions{})
		if err != nil {
			return err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		h.lease, h.assertedAt, h.epoch = lease, sent.at, sent.epoch
		return nil
	})
}

// reread returns the live Lease if it is still of this term, else ErrLost.
func (c *Client) reread(ctx context.Context, h *heldLease) (*coordinationv1.Lease, error) {
	lease, err := c.Get(ctx, h.lease.Namespace, h.lease.Name)
	switch {
	case apierrors.IsNotFound(err):
		// It stays in memory: if this process acquires the posting again, it restores the intents that were deleted.
		c.mu.Lock()
		defer c.mu.Unlock()
		h.ended = true
		return nil, ErrLost
	case err != nil:
		return nil, err
	case tokenOf(lease) != tokenOf(h.lease) || HolderOf(lease) != c.me.String():
		c.end(h)
		return nil, &lostError{lease: lease}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	h.addPrior(intentsOf(lease))
	h.lease = lease
	return lease, nil
}
