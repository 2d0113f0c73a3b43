package simulation

import (
	"context"
	"sync"
	"time"
)

// queue is a controller's work queue: one reconcile of a name at a time, retries further and further apart.
type queue struct {
	p         *process
	reconcile func(ctx context.Context, name string) (again time.Duration, err error)

	mu    sync.Mutex
	names map[string]*queued
}

type queued struct {
	due      time.Time // zero when nothing is planned
	plan     int       // distinguishes the present plan from those it replaced
	running  bool
	dirty    bool // came again while it was running
	failures int
}

func newQueue(p *process, reconcile func(context.Context, string) (time.Duration, error)) *queue {
	return &queue{p: p, reconcile: reconcile, names: map[string]*queued{}}
}

// soon is a moment that lies behind what happens now.
const soon = 50 * time.Microsecond

// add plans a reconcile for now.
func (q *queue) add(ctx context.Context, name string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	item := q.names[name]
	if item == nil {
		item = &queued{}
		q.names[name] = item
	}
	if item.running {
		item.dirty = true
		return
	}
	q.schedule(ctx, name, item, soon)
}

// schedule plans a reconcile, unless an earlier one is planned. The caller holds mu.
func (q *queue) schedule(ctx context.Context, name string, item *queued, after time.Duration) {
	due := time.Now().Add(after)
	if q.p.isDead() || !item.due.IsZero() && !due.Before(item.due) {
		return
	}
	item.due = due
	item.plan++
	plan := item.plan
	q.p.after(after, func() { q.fire(ctx, name, plan) })
}

func (q *queue) fire(ctx context.Context, name string, plan int) {
	q.mu.Lock()
	item := q.names[name]
	if q.p.isDead() || item.plan != plan || item.due.IsZero() {
		q.mu.Unlock()
		return
	}
	item.due = time.Time{}
	if item.running {
		item.dirty = true
		q.mu.Unlock()
		return
	}
	item.running = true
	q.p.running.Add(1)
	q.mu.Unlock()
	defer q.p.running.Done()
	q.p.waitWhilePaused(ctx)
	again, err := q.reconcile(ctx, name)
	q.finish(ctx, name, item, again, err)
}

func (q *queue) finish(ctx context.Context, name string, item *queued, again time.Duration, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	item.running = false
	if err != nil {
		again = min(100*time.Millisecond<<min(item.failures, 10), 30*time.Second)
		item.failures++
	} else {
		item.failures = 0
	}
	if item.dirty {
		item.dirty = false
		again = soon
	}
	if again > 0 {
		q.schedule(ctx, name, item, again)
	}
}
