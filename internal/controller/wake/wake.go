// Package wake brings controllers to look again when no object changed, but what this process is to do may have: another
// replica came or went, a connection was made, room was freed.
package wake

import (
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"
)

// On returns a channel for source.Channel that gets one event for any number of reports that come while it waits to be
// read. Whoever reports is never blocked.
func On(subscribe func(changed func())) <-chan event.GenericEvent {
	changed := make(chan event.GenericEvent, 1)
	subscribe(func() {
		select {
		case changed <- event.GenericEvent{}:
		default:
		}
	})
	return changed
}

// Keys hands over which keys changed, without ever blocking who reports them; a key that is reported twice before it is
// handed over is handed over once. It is safe for concurrent use.
type Keys struct {
	mu      sync.Mutex
	pending map[types.NamespacedName]struct{}
	signal  chan struct{}
}

// NewKeys returns Keys without any.
func NewKeys() *Keys {
	return &Keys{pending: map[types.NamespacedName]struct{}{}, signal: make(chan struct{}, 1)}
}

// Report notes that a key changed.
func (k *Keys) Report(key types.NamespacedName) {
	k.mu.Lock()
	k.pending[key] = struct{}{}
	k.mu.Unlock()
	select {
	case k.signal <- struct{}{}:
	default:
	}
}

// Run hands the keys over until the context is done. It blocks.
func (k *Keys) Run(ctx context.Context, do func(types.NamespacedName)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.signal:
		}
		for key := range k.take() {
			do(key)
		}
	}
}

func (k *Keys) take() map[types.NamespacedName]struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	taken := k.pending
	k.pending = map[types.NamespacedName]struct{}{}
	return taken
}
