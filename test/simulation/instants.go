package simulation

import (
	"context"
	"sync"
	"time"
)

// instants gives every event a moment of its own. Where no two things happen at once there is one order of them, whatever
// the scheduler does.
type instants struct {
	mu    sync.Mutex
	taken map[int64]struct{}
}

func newInstants() *instants { return &instants{taken: map[int64]struct{}{}} }

// reserve returns how long it is to the first free moment that is so far away, or a little further.
func (i *instants) reserve(d time.Duration) time.Duration {
	now := time.Now().UnixNano()
	at := now + max(int64(d), 1)
	i.mu.Lock()
	defer i.mu.Unlock()
	for {
		if _, taken := i.taken[at]; !taken {
			i.taken[at] = struct{}{}
			return time.Duration(at - now)
		}
		at++
	}
}

// sleep waits; it ends sooner, with the context's error, when the context does.
func (i *instants) sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(i.reserve(d))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// after runs a function later, in a goroutine of its own.
func (i *instants) after(d time.Duration, do func()) { time.AfterFunc(i.reserve(d), do) }
