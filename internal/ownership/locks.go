package ownership

import (
	"context"
	"sync"
)

// nameLocks serialises this process's writes to one Lease. Goroutines of one process share an identity, so the API
// server cannot tell them apart.
type nameLocks struct {
	mu    sync.Mutex
	byRef map[string]chan struct{} // closed by the unlock
}

// lock blocks until the name is free, or returns the context's error.
func (l *nameLocks) lock(ctx context.Context, ref string) (unlock func(), err error) {
	for {
		l.mu.Lock()
		busy := l.byRef[ref]
		if busy == nil {
			l.byRef[ref] = make(chan struct{})
			l.mu.Unlock()
			return func() { l.unlock(ref) }, nil
		}
		l.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (l *nameLocks) unlock(ref string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.byRef[ref])
	delete(l.byRef, ref)
}
