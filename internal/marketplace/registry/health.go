package registry

import (
	"context"
	"errors"
	"time"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace/ratelimit"
)

// Unsent is true for the error of a call that was not made because it was not its turn: the marketplace has no part in
// it.
func Unsent(err error) bool {
	var e *noTurnError
	return errors.As(err, &e)
}

// Health is how this process gets on with one account.
type Health struct {
	// Told is what the marketplace said last of its own limit; nil when it never did.
	Told *ratelimit.State
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
		Told: l.told, PausedUntil: l.paused.until, PauseReason: l.paused.reason, QuotaUntil: l.quotaUntil,
		Breaker: b.state(), Since: b.since, Failures: b.failures, Answered: b.answered,
	}
	if b.open {
		h.NextProbe = b.tried.Add(b.delay)
	}
	return h
}

// Block says why no call is made now, and until when at least; the zero value is that calls are made.
type Block struct {
	Until time.Time
	// Reason of a condition: that of the pause, or CircuitOpen.
	Reason string
}

// Blocked says whether a call of this rank that can do no harm would be turned away now: a read, or a withdrawal.
func (l *Limiter) Blocked(rank Rank) Block {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	if l.paused.until.After(now) {
		return Block{l.paused.until, l.paused.reason}
	}
	if at := l.breaker.probeAt(rank, now); at.After(now) {
		return Block{at, onebidv1.ReasonCircuitOpen}
	}
	return Block{}
}

// Answering is true unless the marketplace left the latest calls unanswered. Bids are placed only then: a place without
// an answer is the one that costs most.
func (l *Limiter) Answering() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.breaker.open
}

// begin asks for leave to make a call now, and gives what is to be called with its result.
func (l *Limiter) begin(ctx context.Context, operation string, harmless bool) (end func(result), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	rank := turnOf(ctx).Rank
	ok, probe := l.breaker.begin(rank, harmless, now)
	if !ok {
		return nil, noTurn(max(l.breaker.probeAt(rank, now).Sub(now), time.Second), operation, nil)
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
