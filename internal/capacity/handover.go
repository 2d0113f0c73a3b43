package capacity

import (
	"context"
	"errors"
	"maps"

	"k8s.io/apimachinery/pkg/types"

	"github.com/onebid-dev/onebid/internal/ownership"
)

// ShardKey is the key by which replicas share Marketplaces with limits.
func ShardKey(marketplace types.NamespacedName) string { return "capacity/" + marketplace.String() }

// Run reports Marketplaces that have capacity for waiting Bids, and hands over what could not be handed over before, until the
// context is done. It blocks.
func (l *Ledger) Run(ctx context.Context, freed func(marketplace types.NamespacedName)) {
	go l.handOvers.Run(ctx, func(types.NamespacedName) {
		select {
		case <-ctx.Done():
		case <-l.clock.After(RetryDelay):
			l.HandOver(ctx)
		}
	})
	l.freed.Run(ctx, freed)
}

// HandOver releases the capacity Leases of the Marketplaces that this replica no longer owns. Call it when the members change.
func (l *Ledger) HandOver(ctx context.Context) {
	l.mu.Lock()
	markets := maps.Clone(l.markets)
	l.mu.Unlock()
	for key, m := range markets {
		l.handOver(ctx, key, m)
	}
}

// handOver forgets the reservations first: what was reserved and not sent is not sent then, and of what was sent the intent
// tells the next replica.
func (l *Ledger) handOver(ctx context.Context, key types.NamespacedName, m *market) {
	m.mu.Lock()
	request := m.request
	if request == nil || l.members.Owns(ShardKey(key)) {
		m.mu.Unlock()
		return
	}
	m.claim, m.usage = nil, nil
	m.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), handOverFor)
	defer cancel()
	if err := l.release(ctx, *request); err != nil {
		// While this process lives no other one can take the Lease, and all Bids of the Marketplace wait for that.
		l.handOvers.Report(types.NamespacedName{})
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.request == request {
		m.request = nil
	}
}

// release releases a capacity Lease, also one that this process may have taken without having seen the reply.
func (l *Ledger) release(ctx context.Context, request ownership.Request) error {
	name := request.Capacity.LeaseName()
	if !l.leases.HeldOrUnconfirmed(request.Namespace, name) {
		return nil
	}
	claim, held := l.leases.Held(request.Namespace, name)
	if !held {
		var err error
		claim, err = l.leases.Acquire(ctx, request)
		_, other := errors.AsType[*ownership.HeldError](err)
		_, terminating := errors.AsType[*ownership.TerminatingError](err)
		switch {
		case other || terminating:
			return nil // another replica holds it, or it goes with its namespace
		case err != nil:
			return err
		}
	}
	if err := l.leases.Release(ctx, claim); !errors.Is(err, ownership.ErrLost) {
		return err
	}
	return nil
}
