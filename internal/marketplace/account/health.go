package account

import (
	"time"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/ratelimit"
)

// Health is the state of one account in this process.
type Health struct {
	// Reported is what the marketplace said last of its own limit; nil when it never did.
	Reported *ratelimit.State
	// PausedUntil is when the latest pause ends, or ended, and PauseReason why it began; zero when there was none.
	PausedUntil time.Time
	PauseReason string
	// QuotaUntil is until when nothing is placed because the account's bids are used up; zero unless they are.
	QuotaUntil time.Time
	// Breaker is open while the marketplace does not answer, since that time; zero when it never was.
	Breaker onebidv1.BreakerState
	Since   time.Time
	// NextProbe is when a call may try again; zero while the breaker is closed.
	NextProbe time.Time
	// Failures in a row.
	Failures int
	// Answered is true once the marketplace answered a call of this process.
	Answered bool
}

// Health gives what is known now.
func (l *Limiter) Health() Health {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := &l.breaker
	h := Health{
		Reported: l.reported, PausedUntil: l.paused.until, PauseReason: l.paused.reason, QuotaUntil: l.quotaUntil,
		Breaker: b.state(), Since: b.since, Failures: b.failures, Answered: b.answered,
	}
	if b.open {
		h.NextProbe = b.tried.Add(b.delay)
	}
	return h
}

// denied says whether a call of this class that can do no harm is denied now: a read or a withdrawal.
func (l *Limiter) denied(class PriorityClass) Denial {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	if l.paused.until.After(now) {
		return Denial{l.paused.until, onebidv1.ReasonAccountPaused}
	}
	if at := l.breaker.probeAt(class, now); at.After(now) {
		return Denial{at, onebidv1.ReasonCircuitOpen}
	}
	return Denial{}
}

// Answering is false while the circuit breaker is open. Bids are placed only while it is true: a place without an answer
// costs most.
func (l *Limiter) Answering() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.breaker.open
}

// begin asks the circuit breaker for a call. It returns what is to be called with the call's result.
func (l *Limiter) begin(r *request) (end func(result), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, class := l.clock.Now(), r.priority.Class
	ok, probe := l.breaker.begin(class, r.operation != marketplace.OpPlace, now)
	if !ok {
		return nil, unsent(max(l.breaker.probeAt(class, now).Sub(now), time.Second), r.operation, nil)
	}
	return func(r result) {
		l.mu.Lock()
		changed := l.breaker.end(probe, r, l.clock.Now())
		l.mu.Unlock()
		if changed {
			l.changed()
		}
	}, nil
}
