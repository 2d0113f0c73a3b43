package ownership

import (
	"context"
	"errors"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/clock"
)

// watchPause comes before the next watch after one that ended, so that a server which ends each at once is not overrun.
const watchPause = 100 * time.Millisecond

var (
	errTimeout    = errors.New("timed out")
	errWatchEnded = errors.New("the watch ended")
)

// AcquireWait is Acquire, but waits until the posting's Lease becomes free: it watches that one Lease, and looks again
// when the holder can have expired. It never polls. What it observed is remembered after it gave up, so that a short
// wait repeated often sees a long duration expire.
//
// Requests: those of Acquire; when the Lease is held also one watch and a live read, and at each chance to take it
// those of Acquire again. It blocks for the timeout at most, on the injected clock, apart from the requests themselves.
//
// Errors: *TimeoutError, which names the holder and when it can expire; all those of Acquire but *HeldError, at once; the
// context's.
func (c *Client) AcquireWait(ctx context.Context, req Request, timeout time.Duration) (*Claim, error) {
	started := c.clock.Now()
	a, err := c.newAttempt(&req)
	if err != nil {
		return nil, err
	}
	claim, err := a.try(ctx)
	held, ok := errors.AsType[*HeldError](err)
	if !ok {
		return claim, err
	}
	a.occupied = nil
	w := &waiter{attempt: a, held: held}
	err = errTimeout
	if !req.gaveUp() {
		if req.Waiting != nil {
			req.Waiting(*held)
		}
		w.deadline = c.clock.NewTimer(timeout)
		defer w.deadline.Stop()
		claim, err = w.run(ctx)
	}
	if errors.Is(err, errTimeout) {
		return nil, &TimeoutError{HeldError: *w.held, Waited: c.clock.Since(started)}
	}
	return claim, err
}

// waiter is an AcquireWait that waits.
type waiter struct {
	*attempt

	deadline clock.Timer
	// held is the latest refusal.
	held *HeldError
}

func (w *waiter) run(ctx context.Context) (*Claim, error) {
	for {
		claim, err := w.watchOnce(ctx)
		if !errors.Is(err, errWatchEnded) {
			return claim, err
		}
		if _, err := w.sleep(ctx, watchPause, nil); err != nil {
			return nil, err
		}
	}
}

// watchOnce waits with one watch: it begins the watch, looks again, then waits. In this order no release can be missed.
func (w *waiter) watchOnce(ctx context.Context) (*Claim, error) {
	watcher, err := w.c.leases.Leases(w.req.Namespace).Watch(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, w.name).String(),
	})
	if err != nil {
		return nil, fmt.Errorf("watch Lease %s: %w", w.ref, err)
	}
	defer watcher.Stop()

	for w.hint, w.readFirst = nil, true; ; w.readFirst = false {
		claim, err := w.try(ctx)
		held, ok := errors.AsType[*HeldError](err)
		if !ok {
			return claim, err
		}
		w.held = held
		if err := w.wait(ctx, watcher.ResultChan()); err != nil {
			return nil, err
		}
	}
}

// wait returns nil when the Lease may be had now.
func (w *waiter) wait(ctx context.Context, events <-chan watch.Event) error {
	for {
		event, err := w.sleep(ctx, w.held.Until.Sub(w.c.clock.Now()), events)
		switch {
		case err != nil || event == nil:
			return err
		case event.Type == "" || event.Type == watch.Error:
			return errWatchEnded
		case w.onEvent(*event):
			return nil
		}
	}
}

// sleep returns the next event, of type "" when the channel was closed, or nil after the given time. The error says that
// the wait as a whole is over.
func (w *waiter) sleep(ctx context.Context, d time.Duration, events <-chan watch.Event) (*watch.Event, error) {
	timer := w.c.clock.NewTimer(d)
	defer timer.Stop()
	select {
	case event := <-events:
		return &event, nil
	case <-timer.C():
		return nil, nil
	case <-w.deadline.C():
		return nil, errTimeout
	case <-w.req.GiveUp:
		return nil, errTimeout
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// onEvent reports whether the event is a chance to take the Lease. The Lease that came with it is the hint of the next
// attempt, so that a take-over is one update.
func (w *waiter) onEvent(event watch.Event) bool {
	lease, ok := event.Object.(*coordinationv1.Lease)
	if !ok {
		return false
	}
	if w.hint = lease; event.Type == watch.Deleted {
		w.hint = nil
		return true
	}
	v, until := decide(lease, w.c.me, w.facts(lease), w.c.clock.Now())
	if v == verdictHeld {
		w.held = &HeldError{Holder: HolderOf(lease), Until: until}
	}
	return v != verdictHeld
}
