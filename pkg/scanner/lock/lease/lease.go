// Package lease is the lock backend that needs nothing but the API server: the posting's Lease, by the same protocol as
// the controller's (docs/decisions/0005-lease-protocol.md). So it respects cooldowns, and once the Bid exists the controller
// takes the Lease over without waiting.
package lease

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/utils/clock"

	"github.com/onebid-dev/onebid/internal/ownership"
	"github.com/onebid-dev/onebid/pkg/scanner/lock"
)

// Options of a Backend. All are needed.
type Options struct {
	// Leases reads and writes them.
	Leases coordinationv1client.LeasesGetter
	// Host is the name of the pod or the host, for people who read a Lease.
	Host string
	// Clock measures how long a holder has not renewed its Lease.
	Clock clock.Clock
	// Wall is the API server's time, by which cooldowns are judged.
	Wall clock.PassiveClock
	// Log gets what explains a slow request.
	Log logr.Logger
}

// Backend locks postings by their Leases. Use New.
type Backend struct {
	client *ownership.Client
	clock  clock.PassiveClock
}

var _ lock.Backend = (*Backend)(nil)

// New returns a Backend with an identity of its own. It does no I/O.
func New(o Options) *Backend {
	me := ownership.NewIdentity(ownership.RoleScanner, o.Host)
	return &Backend{
		client: ownership.NewClient(o.Leases, me, nil, o.Clock, o.Log, ownership.WithWallClock(o.Wall)),
		clock:  o.Clock,
	}
}

// Name is "lease".
func (*Backend) Name() string { return lock.Lease }

// Acquire implements lock.Backend. It costs one request when the posting is not locked; otherwise it reads the Lease, and
// watches it. A dead holder's Lease is free once this process has seen it unchanged for the holder's TTL; clocks of hosts
// are not compared.
func (b *Backend) Acquire(ctx context.Context, req lock.Request) (lock.Lock, error) {
	request := ownership.Request{
		Namespace: req.Namespace, Key: req.Key, TTL: req.TTL, GiveUp: req.GiveUp, Occupied: req.Occupied,
	}
	request.Waiting = func(held ownership.HeldError) { req.Wait(held.Holder) }
	claim, err := b.acquire(ctx, request, req.Timeout)
	if err != nil {
		return nil, translate(err)
	}
	return &held{client: b.client, claim: claim}, nil
}

func (b *Backend) acquire(ctx context.Context, req ownership.Request, timeout time.Duration) (*ownership.Claim, error) {
	if timeout > 0 {
		return b.client.AcquireWait(ctx, req, timeout)
	}
	return b.client.Acquire(ctx, req)
}

// translate keeps the types of the internal package out of the public one.
func translate(err error) error {
	if timeout, ok := errors.AsType[*ownership.TimeoutError](err); ok {
		return &lock.TimeoutError{Holder: timeout.Holder, Until: timeout.Until, Waited: timeout.Waited}
	}
	if held, ok := errors.AsType[*ownership.HeldError](err); ok {
		return &lock.TimeoutError{Holder: held.Holder, Until: held.Until}
	}
	if cooldown, ok := errors.AsType[*ownership.CooldownError](err); ok {
		return &lock.CooldownError{Until: cooldown.Until, Outcome: cooldown.Outcome}
	}
	return err
}

type held struct {
	client *ownership.Client
	claim  *ownership.Claim
}

// Backend implements lock.Lock.
func (*held) Backend() string { return lock.Lease }

// Renew implements lock.Lock, with one request.
func (h *held) Renew(ctx context.Context) error { return lost(h.client.Renew(ctx, h.claim)) }

// Release implements lock.Lock, with one request: the Lease is deleted, unless it is the record of a Bid.
func (h *held) Release(ctx context.Context) error { return lost(h.client.Release(ctx, h.claim)) }

// HandOver implements lock.Lock, without a request.
func (h *held) HandOver(context.Context) error {
	h.client.Forget(h.claim.Namespace, h.claim.Name)
	return nil
}

func lost(err error) error {
	if errors.Is(err, ownership.ErrLost) {
		return errors.Join(lock.ErrLost, err)
	}
	return err
}
