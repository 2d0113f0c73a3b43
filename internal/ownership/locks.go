package ownership

import (
	"context"
	"sync"
)

// nameLocks serialises this process's writes to one Lease. Goroutines of one process share an identity, so the API
// server cannot tell them apart.
type nameLocks struct {
	mu     sync.Mutex
	byName map[string]*nameLock
}

type nameLock struct {
	held  chan struct{} // full while locked
	users int
}

// lock blocks until the name is free or the context is done, then with the context's error.
func (l *nameLocks) lock(ctx context.Context, name string) (unlock func(), err error) {
	l.mu.Lock()
	lock, found := l.byName[name]
	if !found {
		lock = &nameLock{held: make(chan struct{}, 1)}
		l.byName[name] = lock
	}
	lock.users++
	l.mu.Unlock()

	select {
	case lock.held <- struct{}{}:
		return func() {
			<-lock.held
			l.leave(name, lock)
		}, nil
	case <-ctx.Done():
		l.leave(name, lock)
		return nil, ctx.Err()
	}
}

func (l *nameLocks) leave(name string, lock *nameLock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	lock.users--
	if lock.users == 0 {
		delete(l.byName, name)
	}
}
