package capacity

import (
	"context"
	"errors"
	"maps"
	"slices"

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
			l.HandOverAll(ctx)
		}
	})
	l.freed.Run(ctx, freed)
}

// HandOverAll hands over all Marketplaces that this replica no longer owns. Call it when the members change.
func (l *Ledger) HandOverAll(ctx context.Context) {
	l.mu.Lock()
	markets := slices.Collect(maps.Keys(l.markets))
	l.mu.Unlock()
	for _, key := range markets {
		l.HandOver(ctx, key)
	}
}

// HandOver releases the capacity Lease of a Marketplace that this replica no longer owns. It forgets the reservations first:
// what was reserved and not sent is not sent then, and of what was sent the intent tells the next replica.
func (l *Ledger) HandOver(ctx context.Context, key types.NamespacedName) {
	l.mu.Lock()
	m := l.markets[key]
	l.mu.Unlock()
	if m == nil {
		return
	}
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
	if err := l.releaseLease(ctx, *request); err != nil {
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

// releaseLease releases a capacity Lease, also one that this process may have taken without having seen the reply.
func (l *Ledger) releaseLease(ctx context.Context, request ownership.Request) error {
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
