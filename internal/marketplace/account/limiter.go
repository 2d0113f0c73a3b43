package account

import (
	"context"
	"errors"
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

// Limiter holds back the calls of one account: this process takes its share of the account's rate limit, in the order of
// the calls' priorities, and makes none during a pause, and only probes while the marketplace does not answer. It is safe
// for concurrent use.
type Limiter struct {
	clock    clock.Clock
	replicas func() int
	changed  func() // what Health says

	mu       sync.Mutex
	bucket   *rate.Limiter
	limit    onebidv1.RateLimit // of the account; zero is none
	queue    queue
	paused   pause
	pauses   map[string]int   // by reason
	resumed  chan struct{}    // closed when a pause ends early
	reported *ratelimit.State // by the marketplace
	breaker  breaker
	// quotaUntil is when a bid may probe whether the account has bids left; zero unless they were used up.
	quotaUntil   time.Time
	quotaProbing bool // one bid does
	concurrency  concurrency
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

// configure sets the account's limit, of which nil is none, and the bounds of the circuit breaker's delay.
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

// Wait returns when one request may be sent. It fails when the context ends first, or would: then at once, with how long it
// would have taken as the error's RetryAfter. The error is Transient; nothing was sent.
func (l *Limiter) Wait(ctx context.Context, p Priority) error {
	l.mu.Lock()
	w, ahead := l.queue.join(p)
	estimate := l.estimate(ahead)
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.queue.leave(w)
	}()
	if err := w.waitForHead(ctx, estimate); err != nil {
		return err
	}
	if err := l.waitForResume(ctx); err != nil {
		return err
	}
	now := l.clock.Now()
	slot := l.reserve(now)
	if wait := slot.DelayFrom(now); wait > 0 {
		if err := l.wait(ctx, wait, nil); err != nil {
			slot.CancelAt(l.clock.Now())
			return err
		}
	}
	return l.waitForResume(ctx) // a pause may have begun while we queued
}

// Waiting is how many calls wait for a request slot.
func (l *Limiter) Waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue)
}

// waitForHead waits until the call is the next one.
func (w *waiter) waitForHead(ctx context.Context, estimate time.Duration) error {
	select {
	case <-w.first:
		return nil
	default:
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < estimate {
		return unsent(estimate, "", nil)
	}
	select {
	case <-w.first:
		return nil
	case <-ctx.Done():
		return unsent(estimate, "", ctx.Err())
	}
}

// estimate is how long a call with so many ahead will wait, at least.
func (l *Limiter) estimate(ahead int) time.Duration {
	wait := max(l.paused.until.Sub(l.clock.Now()), 0)
	if every := l.bucket.Limit(); every != rate.Inf && ahead > 0 {
		wait += time.Duration(float64(ahead) / float64(every) * float64(time.Second))
	}
	return wait
}

// reserve takes a request slot of this process's share of the limit as it is now.
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

// resume ends a pause, and what is known of the quota: both may have been another account's.
func (l *Limiter) resume() {
	l.mu.Lock()
	was := !l.paused.until.IsZero() || !l.quotaUntil.IsZero()
	l.paused, l.quotaUntil, l.quotaProbing = pause{}, time.Time{}, false
	close(l.resumed)
	l.resumed = make(chan struct{})
	l.mu.Unlock()
	if was {
		l.changed()
	}
}

// observe takes in what the headers of a reply say of the marketplace's own limit. When it is used up the account pauses,
// so that no call has to be refused first.
func (l *Limiter) observe(h http.Header) {
	now := l.clock.Now()
	state, ok := ratelimit.Read(h, now)
	if !ok {
		return
	}
	l.mu.Lock()
	l.reported = &state
	l.mu.Unlock()
	if state.Remaining == 0 {
		l.Pause(now.Add(max(state.Reset, rateLimitPause)), onebidv1.ReasonRateLimited)
	}
}

// waitForResume waits out pauses, also one that is made longer meanwhile.
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
		return unsent(d, "", nil)
	}
	t := l.clock.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C():
		return nil
	case <-early:
		return nil
	case <-ctx.Done():
		return unsent(d, "", ctx.Err())
	}
}

// unsentError is the cause of an error of a call that was not made.
type unsentError struct{ cause error }

func (e *unsentError) Error() string {
	if e.cause != nil {
		return e.cause.Error()
	}
	return "held back"
}

func (e *unsentError) Unwrap() error { return e.cause }

// Unsent is true for the error of a call that was not made: it says nothing about the marketplace.
func Unsent(err error) bool {
	var e *unsentError
	return errors.As(err, &e)
}

func unsent(d time.Duration, operation string, cause error) error {
	if operation == "" {
		operation = "wait"
	}
	return &marketplace.Error{
		Class: onebidv1.ErrorTransient, Operation: operation, RetryAfter: d, Err: &unsentError{cause},
		Message: fmt.Sprintf("the account's next call may be made in %s; nothing was sent", d.Round(time.Millisecond)),
	}
}
