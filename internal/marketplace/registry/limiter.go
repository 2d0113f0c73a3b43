package registry

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/utils/clock"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/ratelimit"
)

// Limiter spaces the calls of one account: this process takes its share of the account's rate, in the order of the
// callers' turns, nobody calls while the marketplace wants to be left alone, and hardly anybody while it does not answer.
// It is safe for concurrent use.
type Limiter struct {
	clock    clock.Clock
	replicas func() int
	changed  func() // what Health says

	mu      sync.Mutex
	bucket  *rate.Limiter
	limit   onebidv1.RateLimit // of the account; zero is none
	queue   queue
	paused  pause
	pauses  map[string]int // by reason
	resumed chan struct{}  // closed when a pause ends early
	told    *ratelimit.State
	breaker breaker
	// quotaUntil is when a bid may try again whether the account has any left; zero unless they were used up.
	quotaUntil time.Time
	leading    bool // since then one bid tries
}

// pause is a time in which no call is made.
type pause struct {
	until  time.Time
	reason string
}

func newLimiter(c clock.Clock, replicas func() int, changed func()) *Limiter {
	return &Limiter{
		clock: c, replicas: replicas, changed: changed, bucket: rate.NewLimiter(rate.Inf, 1), resumed: make(chan struct{}),
		pauses: map[string]int{},
	}
}

// configure sets the account's limit, of which nil is none, and how long a marketplace that does not answer is left alone.
func (l *Limiter) configure(spec *onebidv1.MarketplaceSpec) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limit = onebidv1.RateLimit{}
	if spec.RateLimit != nil {
		l.limit = *spec.RateLimit
	}
	l.breaker.first = max(time.Duration(spec.Retry.InitialSeconds)*time.Second, time.Second)
	l.breaker.most = time.Duration(spec.Retry.MaxSeconds) * time.Second
}

// Wait returns when one request may be sent, in the order of WithTurn. It fails when the context ends first, or would:
// then at once, with how long it would have taken as the error's RetryAfter. The error is Transient; nothing was sent.
func (l *Limiter) Wait(ctx context.Context) error {
	l.mu.Lock()
	w, others := l.queue.join(turnOf(ctx))
	ahead := l.estimate(others)
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.queue.leave(w)
	}()
	if err := w.head(ctx, ahead); err != nil {
		return err
	}
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

// Waiting is how many wait for their turn.
func (l *Limiter) Waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue)
}

// head waits until the caller is the next one.
func (w *waiter) head(ctx context.Context, estimate time.Duration) error {
	select {
	case <-w.first:
		return nil
	default:
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < estimate {
		return noTurn(estimate, "", nil)
	}
	select {
	case <-w.first:
		return nil
	case <-ctx.Done():
		return noTurn(estimate, "", ctx.Err())
	}
}

// estimate is how long a caller with so many before it will wait, at least.
func (l *Limiter) estimate(ahead int) time.Duration {
	wait := max(l.paused.until.Sub(l.clock.Now()), 0)
	if every := l.bucket.Limit(); every != rate.Inf && ahead > 0 {
		wait += time.Duration(float64(ahead) / float64(every) * float64(time.Second))
	}
	return wait
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

// Pause keeps every call waiting until then, for one of the reasons of conditions. A pause never makes an earlier one
// shorter.
func (l *Limiter) Pause(until time.Time, reason string) {
	l.mu.Lock()
	longer, begins := until.After(l.paused.until), !l.paused.until.After(l.clock.Now())
	if longer {
		l.paused = pause{until, reason}
		if begins {
			l.pauses[reason]++
		}
	}
	l.mu.Unlock()
	if longer {
		l.changed()
	}
}

// Resume ends a pause, and what was known of the bids that are left: both may have been another account's.
func (l *Limiter) Resume() {
	l.mu.Lock()
	was := !l.paused.until.IsZero() || !l.quotaUntil.IsZero()
	l.paused, l.quotaUntil, l.leading = pause{}, time.Time{}, false
	close(l.resumed)
	l.resumed = make(chan struct{})
	l.mu.Unlock()
	if was {
		l.changed()
	}
}

// heard heeds what the headers of a reply say of the marketplace's own limit: when it is used up, so that nobody has to
// be refused first.
func (l *Limiter) heard(h http.Header) {
	now := l.clock.Now()
	state, ok := ratelimit.Read(h, now)
	if !ok {
		return
	}
	l.mu.Lock()
	l.told = &state
	l.mu.Unlock()
	if state.Remaining == 0 {
		l.Pause(now.Add(max(state.Reset, rateLimitPause)), onebidv1.ReasonRateLimited)
	}
}

// waitForResume waits out pauses, those too that are made longer meanwhile.
func (l *Limiter) waitForResume(ctx context.Context) error {
	for {
		l.mu.Lock()
		wait, resumed := l.paused.until.Sub(l.clock.Now()), l.resumed
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
		return noTurn(d, "", nil)
	}
	t := l.clock.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C():
		return nil
	case <-early:
		return nil
	case <-ctx.Done():
		return noTurn(d, "", ctx.Err())
	}
}

// noTurnError is the cause of an error of a call that was not made.
type noTurnError struct{ cause error }

func (e *noTurnError) Error() string {
	if e.cause != nil {
		return e.cause.Error()
	}
	return "not its turn"
}

func (e *noTurnError) Unwrap() error { return e.cause }

func noTurn(d time.Duration, operation string, cause error) error {
	if operation == "" {
		operation = "wait"
	}
	return &marketplace.Error{
		Class: onebidv1.ErrorTransient, Operation: operation, RetryAfter: d, Err: &noTurnError{cause},
		Message: fmt.Sprintf("the account's turn would have come in %s; nothing was sent", d.Round(time.Millisecond)),
	}
}
