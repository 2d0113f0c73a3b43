package registry

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/utils/clock"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

// Limiter spaces the calls of one account: this process takes its share of the account's rate, and nobody calls while
// the marketplace wants to be left alone. It is safe for concurrent use.
type Limiter struct {
	clock    clock.Clock
	replicas func() int

	mu      sync.Mutex
	bucket  *rate.Limiter
	limit   onebidv1.RateLimit // of the account; zero is none
	paused  time.Time
	resumed chan struct{} // closed when a pause ends early
}

func newLimiter(c clock.Clock, replicas func() int) *Limiter {
	return &Limiter{clock: c, replicas: replicas, bucket: rate.NewLimiter(rate.Inf, 1), resumed: make(chan struct{})}
}

// configure sets the account's limit; nil is none.
func (l *Limiter) configure(limit *onebidv1.RateLimit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limit = onebidv1.RateLimit{}
	if limit != nil {
		l.limit = *limit
	}
}

// Wait returns when one request may be sent. It fails when the context ends first, or would: then at once, with how
// long it would have taken as the error's RetryAfter. The error is Transient; nothing was sent.
func (l *Limiter) Wait(ctx context.Context) error {
	if err := l.waitForResume(ctx); err != nil {
		return err
	}
	now := l.clock.Now()
	turn := l.reserve(now)
	if wait := turn.DelayFrom(now); wait > 0 {
		if err := l.wait(ctx, wait, nil); err != nil {
			turn.CancelAt(l.clock.Now())
			return err
		}
	}
	return l.waitForResume(ctx) // a pause may have begun while we queued
}

// reserve takes a turn at this process's share of the limit as it is now.
func (l *Limiter) reserve(now time.Time) *rate.Reservation {
	replicas := max(l.replicas(), 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	every, burst := rate.Inf, 1
	if l.limit.RequestsPerSecond > 0 {
		every = rate.Limit(float64(l.limit.RequestsPerSecond) / float64(replicas))
		burst = max(int(l.limit.Burst)/replicas, 1)
	}
	switch {
	case l.bucket.Limit() == rate.Inf: // it counted nothing so far
		l.bucket = rate.NewLimiter(every, burst)
	case l.bucket.Limit() != every || l.bucket.Burst() != burst:
		l.bucket.SetLimitAt(now, every)
		l.bucket.SetBurstAt(now, burst)
	}
	return l.bucket.ReserveN(now, 1)
}

// Pause keeps every call waiting until then. A pause never makes an earlier one shorter.
func (l *Limiter) Pause(until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if until.After(l.paused) {
		l.paused = until
	}
}

// Resume ends a pause.
func (l *Limiter) Resume() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.paused = time.Time{}
	close(l.resumed)
	l.resumed = make(chan struct{})
}

// PausedUntil is when the latest pause ends, or ended; zero when there was none.
func (l *Limiter) PausedUntil() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.paused
}

// waitForResume waits out pauses, those too that are made longer meanwhile.
func (l *Limiter) waitForResume(ctx context.Context) error {
	for {
		l.mu.Lock()
		wait, resumed := l.paused.Sub(l.clock.Now()), l.resumed
		l.mu.Unlock()
		if wait <= 0 {
			return nil
		}
		if err := l.wait(ctx, wait, resumed); err != nil {
			return err
		}
	}
}

// wait waits so long, or until the channel is closed.
func (l *Limiter) wait(ctx context.Context, d time.Duration, early <-chan struct{}) error {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < d {
		return tooLong(d, nil)
	}
	t := l.clock.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C():
		return nil
	case <-early:
		return nil
	case <-ctx.Done():
		return tooLong(d, ctx.Err())
	}
}

func tooLong(d time.Duration, cause error) error {
	return &marketplace.Error{
		Class: onebidv1.ErrorTransient, Operation: "wait", RetryAfter: d, Err: cause,
		Message: fmt.Sprintf("the account's turn would have come in %s; nothing was sent", d.Round(time.Millisecond)),
	}
}
