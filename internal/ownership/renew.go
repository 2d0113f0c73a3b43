package ownership

import (
	"context"

	coordinationv1 "k8s.io/api/coordination/v1"
)

// Renew writes the claim's Lease again although nothing in it changes, so that others see a sign of life and count its
// duration anew. It is for scanners, who have no heartbeat, and whose work may outlast the Lease.
//
// Requests: one update; a read and an update more after a conflict. Errors: ErrLost when somebody else has it or it is
// gone, and those of the API server, after which it may be called again.
func (c *Client) Renew(ctx context.Context, claim *Claim) error {
	unlock, err := c.locks.lock(ctx, claim.lockName())
	if err != nil {
		return err
	}
	defer unlock()
	return c.rewrite(ctx, claim.holding, func(base *coordinationv1.Lease) (*coordinationv1.Lease, error) {
		return asserted(base, c.wall.Now()), nil
	})
}
