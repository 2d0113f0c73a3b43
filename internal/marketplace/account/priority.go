package account

import (
	"slices"
	"time"
)

// PriorityClass orders the calls that wait for the account's rate limit.
type PriorityClass int

const (
	// PriorityBackground is for calls that only learn something, as polls do.
	PriorityBackground PriorityClass = iota - 1
	// PriorityPlace is for calls on the way to a placed bid.
	PriorityPlace
	// PriorityWithdraw is for withdrawals. They probe a marketplace that does not answer sooner than others.
	PriorityWithdraw
)

// Priority orders the calls of one account that wait for its rate limit: by class, then by deadline, then by arrival.
type Priority struct {
	Class PriorityClass
	// Deadline is when the call loses its use; zero is never.
	Deadline time.Time
}

func (p Priority) before(other Priority) bool {
	switch {
	case p.Class != other.Class:
		return p.Class > other.Class
	case p.Deadline.IsZero() || other.Deadline.IsZero():
		return !p.Deadline.IsZero() && other.Deadline.IsZero()
	}
	return p.Deadline.Before(other.Deadline)
}

// waiter is one call in a queue.
type waiter struct {
	priority Priority
	// first is closed once the call is at the head.
	first chan struct{}
}

// queue holds the calls that wait. The one at its head takes the next request slot; a later one never displaces it.
type queue []*waiter

// join also returns how many calls go before the new one.
func (q *queue) join(p Priority) (w *waiter, ahead int) {
	w = &waiter{priority: p, first: make(chan struct{})}
	if len(*q) == 0 {
		close(w.first)
		*q = append(*q, w)
		return w, 0
	}
	at := 1
	for at < len(*q) && !p.before((*q)[at].priority) {
		at++
	}
	*q = slices.Insert(*q, at, w)
	return w, at
}

// leave removes the call, so that the next one gets to the head.
func (q *queue) leave(w *waiter) {
	at := slices.Index(*q, w)
	*q = slices.Delete(*q, at, at+1)
	if at == 0 && len(*q) > 0 {
		close((*q)[0].first)
	}
}
