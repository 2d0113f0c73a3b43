package account

import (
	"time"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

const (
	// openAfter so many calls in a row without an answer no more are made.
	openAfter = 5
	// withdrawSooner divides the delay after which a withdrawal may probe.
	withdrawSooner = 4
)

// breaker is a circuit breaker. Documented refusals are answers.
//
// It opens after openAfter calls in a row without an answer. Then no call is made for a delay; after that one call that can
// do no harm, a read or a withdrawal, probes the marketplace. An answer closes the breaker; without one the delay doubles.
// Its methods take the time and are not safe for concurrent use.
type breaker struct {
	// first and most bound the delay.
	first, most time.Duration

	failures int // in a row
	opens    int // since the process began
	since    time.Time
	open     bool
	answered bool // ever
	probing  bool
	delay    time.Duration
	tried    time.Time // when the latest call got no answer
}

func (b *breaker) state() onebidv1.BreakerState {
	switch {
	case !b.open:
		return onebidv1.BreakerClosed
	case b.probing:
		return onebidv1.BreakerHalfOpen
	}
	return onebidv1.BreakerOpen
}

// probeAt is when a call of this class may probe the marketplace; zero while the breaker is closed.
func (b *breaker) probeAt(class PriorityClass, now time.Time) time.Time {
	if !b.open {
		return time.Time{}
	}
	delay := b.delay
	if class >= PriorityWithdraw {
		delay /= withdrawSooner
	}
	if b.probing {
		return now.Add(delay)
	}
	return b.tried.Add(delay)
}

// begin is true when a call may be made; probe is to be given to end.
func (b *breaker) begin(class PriorityClass, harmless bool, now time.Time) (ok, probe bool) {
	if !b.open {
		return true, false
	}
	if !harmless || now.Before(b.probeAt(class, now)) {
		return false, false
	}
	b.probing = true
	return true, true
}

// result is what a call shows of the marketplace.
type result int

const (
	// noResult: nothing was sent.
	noResult result = iota
	// answered, whatever the answer says.
	answered
	// unanswered, or the marketplace failed.
	unanswered
	// unreadable: an answer that reports success and cannot be read. It does not open the breaker, as a few postings with
	// such answers must not hold up the others, and does not close it either.
	unreadable
)

// end takes in the result of a call. It is true when the state changed.
func (b *breaker) end(probe bool, r result, now time.Time) bool {
	was := *b
	b.probing = b.probing && !probe
	if r == unreadable && probe {
		r = unanswered
	}
	switch {
	case r == answered:
		b.failures, b.answered = 0, true
		if b.open {
			b.open, b.since = false, now
		}
	case r == unanswered && !b.open:
		b.failures++
		if b.failures >= openAfter {
			b.open, b.since, b.tried, b.delay = true, now, now, b.first
			b.opens++
		}
	case r == unanswered && probe:
		b.failures++
		b.tried, b.delay = now, min(2*b.delay, max(b.most, b.first))
	}
	return was.open != b.open || was.answered != b.answered || !was.tried.Equal(b.tried)
}
