package registry

import (
	"context"
	"slices"
	"time"
)

// Rank orders those who wait for the account's turn.
type Rank int

const (
	// Idle calls only learn something, as polls do.
	Idle Rank = iota - 1
	// Normal calls are those for placing a bid.
	Normal
	// Urgent calls take bids back. They probe a marketplace that does not answer sooner than others.
	Urgent
)

// Turn says who goes first when several wait: by rank, then who is too late first, then who came first.
type Turn struct {
	Rank Rank
	// By is when the call is of no use any more; zero is never.
	By time.Time
}

type turnKey struct{}

// WithTurn gives the calls under a context their place among those who wait; it is Normal by default.
func WithTurn(ctx context.Context, turn Turn) context.Context {
	return context.WithValue(ctx, turnKey{}, turn)
}

func turnOf(ctx context.Context) Turn {
	turn, _ := ctx.Value(turnKey{}).(Turn)
	return turn
}

func (t Turn) before(other Turn) bool {
	switch {
	case t.Rank != other.Rank:
		return t.Rank > other.Rank
	case t.By.IsZero() || other.By.IsZero():
		return !t.By.IsZero() && other.By.IsZero()
	}
	return t.By.Before(other.By)
}

// waiter is somebody in a queue.
type waiter struct {
	turn Turn
	// first is closed once it is at the head.
	first chan struct{}
}

// queue holds those who wait. The one at its head takes the account's next turn; who is there already stays there.
type queue []*waiter

// join says how many go before the new one, too.
func (q *queue) join(turn Turn) (w *waiter, ahead int) {
	w = &waiter{turn: turn, first: make(chan struct{})}
	if len(*q) == 0 {
		close(w.first)
		*q = append(*q, w)
		return w, 0
	}
	at := 1
	for at < len(*q) && !turn.before((*q)[at].turn) {
		at++
	}
	*q = slices.Insert(*q, at, w)
	return w, at
}

// leave makes room for the next one.
func (q *queue) leave(w *waiter) {
	at := slices.Index(*q, w)
	*q = slices.Delete(*q, at, at+1)
	if at == 0 && len(*q) > 0 {
		close((*q)[0].first)
	}
}
