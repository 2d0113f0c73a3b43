package redis

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/onebid-dev/onebid/pkg/scanner/lock"
)

// waiter waits for a lock that is held.
type waiter struct {
	held    *held
	req     *lock.Request
	started time.Time
	// owner and left are the holder and the remaining time of the key when it was last read.
	owner string
	left  time.Duration
}

// await returns nil once the lock is taken. It subscribes, tries again, and only then waits, so that no release is missed.
func (w *waiter) await(ctx context.Context) error {
	if err := w.inspect(ctx); err != nil {
		return err
	}
	if w.req.Timeout <= 0 {
		return w.timedOut()
	}
	w.req.Wait(w.owner)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	subscription := w.subscribe(ctx)
	err := w.receive(ctx, subscription, w.req.Timeout)
	for err == nil {
		if taken, err := w.held.take(ctx); taken || err != nil {
			return err
		}
		if err := w.inspect(ctx); err != nil {
			return err
		}
		remaining := w.req.Timeout - time.Since(w.started)
		if remaining <= 0 || w.req.GaveUp() {
			return w.timedOut()
		}
		err = w.receive(ctx, subscription, min(w.left, remaining))
	}
	return err
}

// subscribe subscribes to the releases of the lock. Closing the connection ends a read, the end of a context does not.
func (w *waiter) subscribe(ctx context.Context) *redis.PubSub {
	subscription := w.held.backend.client.Subscribe(ctx, channelOf(w.held.key))
	go func() {
		select {
		case <-ctx.Done():
		case <-w.req.GiveUp:
		}
		_ = subscription.Close()
	}()
	return subscription
}

// receive returns nil at each message, which may be the subscription's confirmation, and after most without one.
func (w *waiter) receive(ctx context.Context, subscription *redis.PubSub, most time.Duration) error {
	// A timeout of zero would wait for ever.
	_, err := subscription.ReceiveTimeout(ctx, max(most, time.Millisecond))
	timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	if w.req.GaveUp() || (ok && timeout.Timeout()) {
		return nil
	}
	return err
}

func (w *waiter) timedOut() error {
	return &lock.TimeoutError{Holder: w.owner, Until: time.Now().Add(w.left), Waited: time.Since(w.started)}
}

// forever stands for the remaining time of a key without a time to live.
const forever = time.Hour

// inspect reads the holder and the remaining time of the key.
func (w *waiter) inspect(ctx context.Context) error {
	var value *redis.StringCmd
	var ttl *redis.DurationCmd
	_, err := w.held.backend.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		value, ttl = pipe.Get(ctx, w.held.key), pipe.PTTL(ctx, w.held.key)
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	w.owner, w.left = "unknown", max(0, ttl.Val())
	if ttl.Val() == -1 {
		w.left = forever
	}
	if len(value.Val()) > tokenLength {
		w.owner = value.Val()[tokenLength:]
	}
	return nil
}
