package redis

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/onebid-dev/onebid/pkg/scanner/lock"
)

// waiter waits for a lock that somebody else has.
type waiter struct {
	held    *held
	req     *lock.Request
	started time.Time
	// owner has the lock, and its key lasts for left, as of the latest look.
	owner string
	left  time.Duration
}

// await returns nil once the lock is taken. It subscribes, tries again, and only then waits: in this order no release is
// missed.
func (w *waiter) await(ctx context.Context) error {
	if err := w.look(ctx); err != nil {
		return err
	}
	if w.req.Timeout <= 0 {
		return w.timedOut()
	}
	w.req.Wait(w.owner)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	bell := w.listen(ctx)
	err := w.hear(ctx, bell, w.req.Timeout)
	for err == nil {
		if taken, err := w.held.take(ctx); taken || err != nil {
			return err
		}
		if err := w.look(ctx); err != nil {
			return err
		}
		patience := w.req.Timeout - time.Since(w.started)
		if patience <= 0 || w.req.GaveUp() {
			return w.timedOut()
		}
		err = w.hear(ctx, bell, min(w.left, patience))
	}
	return err
}

// listen subscribes to the releases of the lock. Reading from a connection does not end with a context, but when somebody
// closes it.
func (w *waiter) listen(ctx context.Context) *redis.PubSub {
	bell := w.held.backend.client.Subscribe(ctx, channelOf(w.held.key))
	go func() {
		select {
		case <-ctx.Done():
		case <-w.req.GiveUp:
		}
		_ = bell.Close()
	}()
	return bell
}

// hear returns nil at each message, the subscription's own confirmation among them, and when there was none for so long.
func (w *waiter) hear(ctx context.Context, bell *redis.PubSub, most time.Duration) error {
	// A timeout of zero would wait for ever.
	_, err := bell.ReceiveTimeout(ctx, max(most, time.Millisecond))
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

// forever is how long a key lasts that somebody made without a time to live.
const forever = time.Hour

// look notes who has the key and for how long.
func (w *waiter) look(ctx context.Context) error {
	var value *redis.StringCmd
	var ttl *redis.DurationCmd
	_, err := w.held.backend.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		value, ttl = pipe.Get(ctx, w.held.key), pipe.PTTL(ctx, w.held.key)
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	w.owner, w.left = "somebody", max(0, ttl.Val())
	if ttl.Val() == -1 {
		w.left = forever
	}
	if len(value.Val()) > tokenLength {
		w.owner = value.Val()[tokenLength:]
	}
	return nil
}
