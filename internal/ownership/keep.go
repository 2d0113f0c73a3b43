package ownership

import (
	"context"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/onebid-dev/onebid/internal/failpoint"
)

// stale reports whether the Lease's own duration may soon be over for the holder, so that it must be written again
// before the next call. Client.mu is held.
func (c *Client) stale(h *holding, now time.Time) bool {
	return now.After(h.assertedAt.Add(c.timing.Bound(h.ttl) - c.timing.Margin))
}

// Assert makes sure that the claim is still this process's, before a call. Once the heartbeat has lapsed its return
// does not revive what was held: others may have taken it in the meantime, so each Lease is written again by
// compare-and-swap; the same goes for one whose own duration is about to run out.
//
// Requests: none while the epoch is unchanged and the last write is recent; otherwise one update, and a read and an
// update more when that meets a conflict. Errors: ErrLost when somebody else has it or it is gone, *LapsedError while
// this replica's heartbeat is not acknowledged, and those of the API server, after which the claim is not asserted.
func (c *Client) Assert(ctx context.Context, claim *Claim) error {
	unlock, err := c.locks.lock(ctx, claim.lockName())
	if err != nil {
		return err
	}
	defer unlock()
	now := c.clock.Now()
	epoch, err := c.valid(now)
	if err != nil {
		return err
	}
	c.mu.Lock()
	h := claim.holding
	over, fresh := h.over, h.epoch == epoch && !c.stale(h, now)
	c.mu.Unlock()
	switch {
	case over:
		return ErrLost
	case fresh:
		return nil
	}
	failpoint.Before(failpoint.LeaseAssert)
	err = c.rewrite(ctx, h, func(base *coordinationv1.Lease) (*coordinationv1.Lease, error) {
		return asserted(base, c.wall.Now()), nil
	})
	failpoint.After(failpoint.LeaseAssert, err)
	return err
}

// Authorize says whether a call may start now. It is the last thing before the call: no request, no blocking. nil means
// that the heartbeat is good for the margin at least, has not lapsed since the claim was last asserted, and that the
// Lease's own duration has not run out. The call may outlive all of that, which is what the settle wait of a successor
// is for; but only a call with a timeout can be waited out.
//
// Errors: ErrLost, and *LapsedError, after which Assert may help.
func (c *Client) Authorize(claim *Claim, callTimeout time.Duration) error {
	if callTimeout <= 0 {
		return &LapsedError{Reason: "a call without a timeout cannot be waited out by a successor"}
	}
	now := c.clock.Now()
	epoch, err := c.valid(now)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	h := claim.holding
	switch {
	case h.over:
		return ErrLost
	case h.epoch != epoch:
		return &LapsedError{Reason: "this replica's heartbeat had lapsed since the posting was claimed"}
	case now.After(h.assertedAt.Add(c.timing.Bound(h.ttl))):
		return &LapsedError{Reason: "the duration of the posting's Lease has run out"}
	}
	return nil
}

// SetIntents replaces the intents on the Lease, for example to turn a place into a withdrawal or to drop what was
// resolved, and updates the claim. It also asserts the claim. Prior loses what is replaced or removed, since whoever does
// that has resolved it; when nothing is left, Inherited ends.
//
// Requests: one update; a read and an update more after a conflict. Errors: ErrLost; *UnseenIntentsError when the Lease
// carries an intent that claim.Intents does not; those of the API server, after which either may be on the Lease.
func (c *Client) SetIntents(ctx context.Context, claim *Claim, intents Intents) error {
	unlock, err := c.locks.lock(ctx, claim.lockName())
	if err != nil {
		return err
	}
	defer unlock()
	failpoint.Before(failpoint.LeaseIntents)
	err = c.rewrite(ctx, claim.holding, func(base *coordinationv1.Lease) (*coordinationv1.Lease, error) {
		if err := claim.saw(base); err != nil {
			return nil, err
		}
		lease := asserted(base, c.wall.Now())
		setIntents(lease, intents)
		return lease, nil
	})
	failpoint.After(failpoint.LeaseIntents, err)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	h := claim.holding
	h.prior = h.prior.kept(intents)
	h.inherited = len(h.prior) > 0
	claim.Intents, claim.Prior, claim.Inherited = intents, h.prior, h.inherited
	return nil
}

// Resolved says that the history of the claim was looked up and recorded: Prior and Inherited end, for this process and
// this tenure. No request.
func (c *Client) Resolved(claim *Claim) {
	c.mu.Lock()
	defer c.mu.Unlock()
	claim.holding.prior, claim.holding.inherited = nil, false
	claim.Prior, claim.Inherited = nil, false
}

// saw reports as an error that the Lease carries intents which the claim's owner has not seen.
func (c *Claim) saw(lease *coordinationv1.Lease) error {
	present := intentsOf(lease)
	if len(present.not(c.Intents)) > 0 {
		return &UnseenIntentsError{Intents: present}
	}
	return nil
}

func (c *Claim) lockName() string { return lockName(c.Namespace, c.Name) }

// rewrite changes a Lease that this process holds, by compare-and-swap. After a conflict it goes on with the live
// version if that is still the same tenure: its own reply was lost, or somebody edited the Lease without taking it.
func (c *Client) rewrite(
	ctx context.Context, h *holding, change func(*coordinationv1.Lease) (*coordinationv1.Lease, error),
) error {
	c.mu.Lock()
	over, base := h.over, h.lease
	c.mu.Unlock()
	if over {
		return ErrLost
	}
	for round := 0; ; round++ {
		next, err := change(base)
		if err != nil {
			return err
		}
		sent := c.sending()
		lease, err := c.leases.Leases(h.namespace).Update(ctx, next, metav1.UpdateOptions{})
		if err == nil {
			c.mu.Lock()
			h.lease, h.assertedAt, h.epoch = lease, sent.at, sent.epoch
			c.mu.Unlock()
			return nil
		}
		if !overtaken(err) || round == maxRounds {
			return err
		}
		if base, err = c.reread(ctx, h); err != nil {
			return err
		}
	}
}

// reread returns the live Lease if it is still in the holding's tenure, else ErrLost.
func (c *Client) reread(ctx context.Context, h *holding) (*coordinationv1.Lease, error) {
	lease, err := c.Get(ctx, h.namespace, h.name)
	switch {
	case apierrors.IsNotFound(err):
		// Remembered all the same: if this process acquires the posting again, it recalls the intents that were deleted.
		c.mu.Lock()
		defer c.mu.Unlock()
		h.over = true
		return nil, ErrLost
	case err != nil:
		return nil, err
	case TokenOf(lease) != h.token || HolderOf(lease) != c.me.String():
		c.end(h)
		return nil, &lostError{lease: lease}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	h.find(intentsOf(lease))
	h.lease = lease
	return lease, nil
}

// lostError is ErrLost with what was found instead.
type lostError struct{ lease *coordinationv1.Lease }

// Error names the present holder.
func (e *lostError) Error() string {
	return ErrLost.Error() + ": it is held by \"" + HolderOf(e.lease) + "\" now"
}

// Unwrap gives ErrLost.
func (*lostError) Unwrap() error { return ErrLost }

// sending is the state of this process just before a write is sent; it is what the write proves.
type sending struct {
	at    time.Time
	epoch uint64
}

func (a *attempt) sending() sending { return a.c.sending() }

func (c *Client) sending() sending {
	s := sending{at: c.clock.Now()}
	if c.members != nil {
		_, s.epoch = c.members.Validity()
	}
	return s
}
