package registry

import (
	"time"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

const (
	// openAfter so many calls in a row without an answer no more are made.
	openAfter = 5
	// urgency is by how much sooner an urgent call may try a marketplace that did not answer.
	urgency = 4
)

// breaker keeps calls from a marketplace that does not answer. Documented refusals are answers.
//
// It opens after openAfter calls in a row without one. Then nothing is sent for a while; after that one call that can do
// no harm, a read or a withdrawal, tries whether the marketplace is back. An answer closes the breaker, and whenever there
// is none the while is doubled. Its methods take the time and are for one goroutine at a time.
type breaker struct {
	// first and most bound how long nothing is sent.
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

// probeAt is when a call of this rank may try the marketplace; zero while the breaker is closed.
func (b *breaker) probeAt(rank Rank, now time.Time) time.Time {
	if !b.open {
		return time.Time{}
	}
	delay := b.delay
	if rank >= Urgent {
		delay /= urgency
	}
	if b.probing {
		return now.Add(delay)
	}
	return b.tried.Add(delay)
}

// begin is true when a call may be made; what it is told of the call is to be given to end.
func (b *breaker) begin(rank Rank, harmless bool, now time.Time) (ok, probe bool) {
	if !b.open {
		return true, false
	}
	if !harmless || now.Before(b.probeAt(rank, now)) {
		return false, false
	}
	b.probing = true
	return true, true
}

// result is what a call told of the marketplace.
type result int

const (
	// nothing was sent, or nothing was to be sent.
	nothing result = iota
	// answer came, whatever it said.
	answer
	// silence: no answer, or a failure of the marketplace's own.
	silence
	// garbled: an answer that reports success and cannot be read. Some postings with such answers must not hold up the
	// others; but a marketplace that was silent is not back by that.
	garbled
)

// end takes a call's result in. It is true when the state changed.
func (b *breaker) end(probe bool, r result, now time.Time) bool {
	was := *b
	b.probing = b.probing && !probe
	if r == garbled && probe {
		r = silence
	}
	switch {
	case r == answer:
		b.failures, b.answered = 0, true
		if b.open {
			b.open, b.since = false, now
		}
	case r == silence && !b.open:
		b.failures++
		if b.failures >= openAfter {
			b.open, b.since, b.tried, b.delay = true, now, now, b.first
			b.opens++
		}
	case r == silence && probe:
		b.failures++
		b.tried, b.delay = now, min(2*b.delay, max(b.most, b.first))
	}
	return was.open != b.open || was.answered != b.answered || !was.tried.Equal(b.tried)
}
