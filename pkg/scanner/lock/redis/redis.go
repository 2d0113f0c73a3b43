// Package redis is a lock backend on a Redis or Valkey server: a lock costs the API server nothing.
//
// A lock is a key with a random token and a time to live; taking, renewing and releasing it are atomic scripts that
// compare the token. A waiting scanner subscribes to a channel of that key and is woken by the release, or by a timer when
// the key runs out. A server that loses a key, as in a failover before replication, lets a second scanner in; see package
// lock for why that costs an evaluation and no bid.
package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bsm/redislock"
	"github.com/redis/go-redis/v9"

	"github.com/onebid-dev/onebid/pkg/scanner/lock"
)

// tokenLength is how long the random token is that begins a key's value; the holder's name follows.
const tokenLength = 22

// Backend keeps locks in Redis. Use New, and Close when it is not needed any more.
type Backend struct {
	client redis.UniversalClient
	locks  *redislock.Client
	holder string
}

var _ lock.Backend = (*Backend)(nil)

// New returns a Backend that uses, and with Close closes, the client; Open makes one from a URL. The holder's name is for
// people who read a key. It does no I/O.
func New(client redis.UniversalClient, holder string) *Backend {
	return &Backend{client: client, locks: redislock.New(client), holder: holder}
}

// Name is "redis".
func (*Backend) Name() string { return lock.Redis }

// Ping returns nil when the server answers.
func (b *Backend) Ping(ctx context.Context) error { return b.client.Ping(ctx).Err() }

// Close ends all connections.
func (b *Backend) Close() error { return b.client.Close() }

// Acquire implements lock.Backend. It costs one command when the lock is free. Each goroutine that waits has a connection
// of its own, beyond those of the pool.
func (b *Backend) Acquire(ctx context.Context, req lock.Request) (lock.Lock, error) {
	if err := req.Key.Validate(); err != nil {
		return nil, err
	}
	h := &held{backend: b, key: keyOf(req), ttl: req.TTL}
	started := time.Now()
	taken, err := h.take(ctx)
	switch {
	case err != nil:
		return nil, unavailable(ctx, err)
	case taken:
		return h, nil
	}
	w := &waiter{held: h, req: &req, started: started}
	if err := w.await(ctx); err != nil {
		if timeout, ok := errors.AsType[*lock.TimeoutError](err); ok {
			return nil, timeout
		}
		return nil, unavailable(ctx, err)
	}
	return h, nil
}

// keyOf names the lock. The namespace comes first, since tenants may share a server.
func keyOf(req lock.Request) string { return "onebid:" + req.Namespace + ":" + req.Key.LockKey() }

func channelOf(key string) string { return key + ":released" }

func unavailable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &lock.UnavailableError{Backend: lock.Redis, Err: err}
}

type held struct {
	backend *Backend
	key     string
	ttl     time.Duration
	lock    *redislock.Lock
}

// take makes one attempt.
func (h *held) take(ctx context.Context) (taken bool, err error) {
	h.lock, err = h.backend.locks.Obtain(ctx, h.key, h.ttl, &redislock.Options{Metadata: h.backend.holder})
	if errors.Is(err, redislock.ErrNotObtained) {
		return false, nil
	}
	return err == nil, err
}

// Backend implements lock.Lock.
func (*held) Backend() string { return lock.Redis }

// Renew implements lock.Lock, with one command.
func (h *held) Renew(ctx context.Context) error {
	return lost(h.lock.Refresh(ctx, h.ttl, nil))
}

// Release implements lock.Lock, with two commands: the second one wakes the waiting scanners. If it is lost, they wait until
// the key would have run out.
func (h *held) Release(ctx context.Context) error {
	if err := lost(h.lock.Release(ctx)); err != nil {
		return err
	}
	if err := h.backend.client.Publish(ctx, channelOf(h.key), "released").Err(); err != nil {
		return fmt.Errorf("released, but not announced: %w", err)
	}
	return nil
}

// HandOver implements lock.Lock, as Release.
func (h *held) HandOver(ctx context.Context) error { return h.Release(ctx) }

func lost(err error) error {
	if errors.Is(err, redislock.ErrNotObtained) || errors.Is(err, redislock.ErrLockNotHeld) {
		return errors.Join(lock.ErrLost, err)
	}
	return err
}
