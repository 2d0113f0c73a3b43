// Package wake triggers controllers when no object changed, but the work of this process may have: a replica came or
// went, a connection was made, capacity was released.
package wake

import (
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"
)

// On returns a channel for source.Channel that gets one event for all reports that come before it is read. A report never
// blocks.
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

// Keys collects the keys that changed, each once until it is handed over. Report never blocks. It is safe for concurrent
// use.
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
