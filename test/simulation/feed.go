package simulation

import (
	"context"
	"sync"
	"time"
)

// feed brings what happened at the API server to one watcher: in order, with a delay, and not while its process is paused,
// cut off or stale.
type feed[T any] struct {
	p       *process
	name    string
	slow    []fault
	deliver func(context.Context, T)
	signal  chan struct{}

	mu    sync.Mutex
	items []T
}

func newFeed[T any](p *process, name string, deliver func(context.Context, T), slow ...fault) *feed[T] {
	return &feed[T]{p: p, name: name, slow: slow, deliver: deliver, signal: make(chan struct{}, 1)}
}

func (f *feed[T]) push(items ...T) {
	f.mu.Lock()
	f.items = append(f.items, items...)
	f.mu.Unlock()
	select {
	case f.signal <- struct{}{}:
	default:
	}
}

func (f *feed[T]) pop() (item T, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.items) == 0 {
		return item, false
	}
	item, f.items = f.items[0], f.items[1:]
	return item, true
}

// run delivers until the context is done.
func (f *feed[T]) run(ctx context.Context) {
	for {
		item, ok := f.pop()
		if !ok {
			select {
			case <-f.signal:
				continue
			case <-ctx.Done():
				return
			}
		}
		l := f.p.randoms.of(f.p.name, f.name)
		wait := l.between(100*time.Microsecond, 20*time.Millisecond)
		if f.p.faulty() && l.chance(0.05) {
			wait = l.between(0, 2*time.Second)
		}
		for ; wait > 0; wait = f.p.faultLeft(f.slow...) {
			if f.p.sleep(ctx, wait) != nil {
				return
			}
		}
		f.deliver(ctx, item)
	}
}
