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

// watchPause comes before a watch that ended is begun again, so that a server which ends each at once is not overrun.
const watchPause = 100 * time.Millisecond

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
	claim, err := c.try(ctx, a)
	held, ok := errors.AsType[*HeldError](err)
	if !ok {
		return claim, err
	}
	if req.gaveUp() {
		return nil, &TimeoutError{HeldError: *held, Waited: c.clock.Since(started)}
	}
	if req.Waiting != nil {
		req.Waiting(*held)
	}
	deadline := c.clock.NewTimer(timeout)
	defer deadline.Stop()
	w := &waiter{c: c, first: a, deadline: deadline, held: held}
	for {
		claim, err = w.watchOnce(ctx)
		switch {
		case errors.Is(err, errTimeout):
			return nil, &TimeoutError{HeldError: *w.held, Waited: c.clock.Since(started)}
		case !errors.Is(err, errWatchEnded):
			return claim, err
		}
		pause := c.clock.NewTimer(watchPause)
		select {
		case <-pause.C():
		case <-deadline.C():
			pause.Stop()
			return nil, &TimeoutError{HeldError: *w.held, Waited: c.clock.Since(started)}
		case <-req.GiveUp:
			pause.Stop()
			return nil, &TimeoutError{HeldError: *w.held, Waited: c.clock.Since(started)}
		case <-ctx.Done():
			pause.Stop()
			return nil, ctx.Err()
		}
	}
}

// tellOccupied tells the requester, once, that there is a Lease already. The error says that it is not interested any more.
func (a *attempt) tellOccupied() error {
	if a.occupied == nil {
		return nil
	}
	a.occupied()
	a.occupied = nil
	if a.req.gaveUp() {
		return &HeldError{Holder: "somebody", Until: a.c.clock.Now()}
	}
	return nil
}

func (r *Request) gaveUp() bool {
	select {
	case <-r.GiveUp:
		return true
	default:
		return false
	}
}

var (
	errTimeout    = errors.New("timed out")
	errWatchEnded = errors.New("the watch ended")
)

// waiter is one AcquireWait.
type waiter struct {
	c        *Client
	first    *attempt
	deadline clock.Timer
	// held is the latest refusal.
	held *HeldError
	// lease is as it was last seen; nil when it must be created.
	lease *coordinationv1.Lease
}

// watchOnce waits with one watch: register, look again, then wait. In this order no release can be missed.
func (w *waiter) watchOnce(ctx context.Context) (*Claim, error) {
	a := w.first.next(nil)
	watcher, err := w.c.leases.Leases(a.req.Namespace).Watch(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, a.name).String(),
	})
	if err != nil {
		return nil, fmt.Errorf("watch Lease %s: %w", a.lockName, err)
	}
	defer watcher.Stop()

	for a.live = true; ; a = a.next(w.lease) {
		claim, err := w.c.try(ctx, a)
		held, ok := errors.AsType[*HeldError](err)
		if !ok {
			return claim, err
		}
		w.held = held
		if err := w.wait(ctx, watcher); err != nil {
			return nil, err
		}
	}
}

// wait returns nil when the Lease may be had now.
func (w *waiter) wait(ctx context.Context, watcher watch.Interface) error {
	for {
		expiry := w.c.clock.NewTimer(w.held.Until.Sub(w.c.clock.Now()))
		select {
		case event, open := <-watcher.ResultChan():
			expiry.Stop()
			if !open || event.Type == watch.Error {
				return errWatchEnded
			}
			if w.onEvent(event) {
				return nil
			}
		case <-expiry.C():
			return nil
		case <-w.deadline.C():
			expiry.Stop()
			return errTimeout
		case <-w.first.req.GiveUp:
			expiry.Stop()
			return errTimeout
		case <-ctx.Done():
			expiry.Stop()
			return ctx.Err()
		}
	}
}

// onEvent reports whether the event is a chance. The Lease that came with it is the hint of the next attempt, so that
// taking over is one update.
func (w *waiter) onEvent(event watch.Event) bool {
	lease, ok := event.Object.(*coordinationv1.Lease)
	if !ok {
		return false
	}
	if w.lease = lease; event.Type == watch.Deleted {
		w.lease = nil
		return true
	}
	decision := Decide(lease, w.c.me, w.c.facts(lease, w.first.lockName, w.first.req), w.c.clock.Now())
	if decision.Verdict == Held {
		w.held = &HeldError{Holder: decision.Holder, Until: decision.Until}
	}
	return decision.Verdict != Held
}
