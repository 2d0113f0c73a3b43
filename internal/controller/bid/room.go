package bid

import (
	"context"
	"errors"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/controller/wake"
	"github.com/onebid-dev/onebid/internal/ownership"
)

// rooms let Bids through the limits on all Bids of a Marketplace together. One replica at a time does: the one that holds
// the Marketplace's room Lease, fenced as postings' Leases are. When it takes that Lease it reads once, live, what counts;
// from then on nobody else lets any Bid through, so what it remembers is exact and costs no request.
type rooms struct {
	mu    sync.Mutex
	byKey map[types.NamespacedName]*room
	freed *wake.Keys
	// owed is reported, without a key, when a room could not be given up.
	owed *wake.Keys
}

// room is one Marketplace's.
type room struct {
	// mu makes counting and letting through one step.
	mu sync.Mutex
	// claim is what count rests on; nil until this process has the Lease.
	claim *ownership.Claim
	count *bidding.Room
	// asked is what the Lease was asked for with, until it is certain that this process has it no more.
	asked *ownership.Request
	// owner is the Marketplace that the Lease belongs to.
	owner types.UID
	// elsewhere is until when not to ask for the Lease, since another replica has it.
	elsewhere time.Time
}

func newRooms() *rooms {
	return &rooms{byKey: map[types.NamespacedName]*room{}, freed: wake.NewKeys(), owed: wake.NewKeys()}
}

func (r *rooms) of(key types.NamespacedName) *room {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.byKey[key]
	if m == nil {
		m = &room{}
		r.byKey[key] = m
	}
	return m
}

// known is nil where this process never let a Bid through.
func (r *rooms) known(key types.NamespacedName) *room {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byKey[key]
}

func marketplaceOf(bid *onebidv1.Bid) types.NamespacedName {
	return types.NamespacedName{Namespace: bid.Namespace, Name: bid.Spec.Marketplace}
}

// roomKey is the key by which replicas share Marketplaces with limits.
func roomKey(mkt types.NamespacedName) string { return "room/" + mkt.String() }

// roomRetry is how soon to ask again for a room that another replica has. It gives it up at once when it learns that it is
// not its turn any more, or loses it with its heartbeat.
const roomRetry = time.Second

// enter lets a Bid through the limits, or says why it waits. It fails with *ownership.HeldError where another replica lets
// Bids through.
func (r *Reconciler) enter(ctx context.Context, s *situation, in bidding.GuardInput) (*bidding.Hold, error) {
	m := r.rooms.of(marketplaceOf(s.bid))
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := r.openRoom(ctx, s, m); err != nil {
		return nil, err
	}
	in.Others = m.count.Others(s.bid, in.Marketplace.Spec.Limits)
	hold := bidding.Guard(in)
	if hold != nil {
		m.count.Wait(s.bid)
		return hold, nil
	}
	if in.Marketplace.Spec.Mode == onebidv1.ModeDryRun {
		// Nothing is sent, so nothing is taken: those who are shown at the same time would be in each other's way without end.
		if m.count.Leave(s.bid.UID) {
			r.rooms.freed.Report(marketplaceOf(s.bid))
		}
		return nil, nil
	}
	s.room, s.took = m.claim, m.count.Take(s.bid)
	return nil, nil
}

// openRoom makes sure that this process lets Bids through, and knows what counts. The room's mutex is held.
func (r *Reconciler) openRoom(ctx context.Context, s *situation, m *room) error {
	mkt, now := s.marketplace, r.Clock.Now()
	if now.Before(m.elsewhere) || !r.Members.Owns(roomKey(marketplaceOf(s.bid))) {
		return &ownership.HeldError{Holder: "another replica", Until: now.Add(roomRetry)}
	}
	wanted := ownership.CapacityLeaseOf(mkt)
	if m.owner != mkt.UID {
		r.Leases.Forget(mkt.Namespace, wanted.LeaseName()) // what a Marketplace of the same name left
		m.owner = mkt.UID
	}
	m.asked = &ownership.Request{Namespace: mkt.Namespace, Capacity: wanted, TTL: s.leaseTTL()}
	claim, err := r.Leases.Acquire(ctx, *m.asked)
	if err == nil {
		err = r.Leases.Assert(ctx, claim)
	}
	var held *ownership.HeldError
	if errors.As(err, &held) {
		m.elsewhere = now.Add(roomRetry)
	}
	if err != nil {
		return err
	}
	if m.claim == nil || m.claim.Token != claim.Token {
		count, err := r.countLive(ctx, mkt)
		if err != nil {
			return err
		}
		m.count = count
		r.rooms.freed.Report(marketplaceOf(s.bid))
	}
	m.claim = claim
	return nil
}

// leave ends enter, once it is certain whether the Bid counts. What was sent and not heard of goes on counting.
func (r *Reconciler) leave(ctx context.Context, s *situation) {
	key := marketplaceOf(s.bid)
	m := r.rooms.known(key)
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	ended := s.cleared || s.took && !s.sent
	if m.count != nil && ended && !r.flights.open(s.bid.UID) && m.count.Free(s.bid.UID) {
		r.rooms.freed.Report(key)
	}
	r.yield(ctx, key, m)
}

// noted keeps what was just recorded of a Bid. One that was found at the marketplace counts although this time nothing was sent.
func (s *situation) noted(bid *onebidv1.Bid) {
	counts := bidding.Counts(bid)
	s.cleared, s.sent = !counts, s.sent || counts
}

// pass is for a Bid that does not wait for room, whatever else it waits for.
func (r *Reconciler) pass(bid *onebidv1.Bid) {
	key := marketplaceOf(bid)
	if m := r.rooms.known(key); m != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.count != nil && m.count.Leave(bid.UID) {
			r.rooms.freed.Report(key)
		}
	}
}

// yield gives the room to the replica whose turn it is. A Bid that was let through and not sent yet is not sent then; of
// one that was sent the intent tells. The room's mutex is held.
func (r *Reconciler) yield(ctx context.Context, key types.NamespacedName, m *room) {
	if m.asked == nil || r.Members.Owns(roomKey(key)) {
		return
	}
	m.claim, m.count = nil, nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := r.giveUp(ctx, *m.asked); err != nil {
		// While this process lives nobody else can take the Lease, and all Bids of the Marketplace wait for that.
		r.rooms.owed.Report(types.NamespacedName{})
		return
	}
	m.asked = nil
}

// giveUp lets a room's Lease go, also one that this process may have taken without hearing so.
func (r *Reconciler) giveUp(ctx context.Context, asked ownership.Request) error {
	name := asked.Capacity.LeaseName()
	if !r.Leases.HeldOrUnconfirmed(asked.Namespace, name) {
		return nil
	}
	claim, sure := r.Leases.Held(asked.Namespace, name)
	if !sure {
		var held *ownership.HeldError
		var terminating *ownership.TerminatingError
		var err error
		claim, err = r.Leases.Acquire(ctx, asked)
		switch {
		case errors.As(err, &held), errors.As(err, &terminating):
			return nil // it is another one's, or goes with its namespace
		case err != nil:
			return err
		}
	}
	if err := r.Leases.Release(ctx, claim); !errors.Is(err, ownership.ErrLost) {
		return err
	}
	return nil
}

// yieldAgain gives up what could not be given up before.
func (r *Reconciler) yieldAgain(ctx context.Context) {
	r.rooms.owed.Run(ctx, func(types.NamespacedName) {
		select {
		case <-ctx.Done():
		case <-r.Clock.After(roomRetry):
			r.yieldAll(ctx)
		}
	})
}

// yieldAll is called when the replicas changed.
func (r *Reconciler) yieldAll(ctx context.Context) {
	r.rooms.mu.Lock()
	all := make(map[types.NamespacedName]*room, len(r.rooms.byKey))
	for key, m := range r.rooms.byKey {
		all[key] = m
	}
	r.rooms.mu.Unlock()
	for key, m := range all {
		m.mu.Lock()
		r.yield(ctx, key, m)
		m.mu.Unlock()
	}
}

// notGuarded says what to do when it is not known whether a Bid may be placed.
func (r *Reconciler) notGuarded(ctx context.Context, s *situation, err error) (reconcile.Result, error) {
	var held *ownership.HeldError
	var terminating *ownership.TerminatingError
	switch {
	case errors.As(err, &held):
		result, err := r.notLetIn(ctx, s)
		return settleErrors(s, result, err)
	case errors.As(err, &terminating):
		return reconcile.Result{RequeueAfter: terminatingRetry}, nil // the Bid is about to be deleted too
	default:
		return settleErrors(s, reconcile.Result{}, err)
	}
}

// notLetIn is for a Bid that another replica is to let through. A posting that this one holds for it is given back, once
// nothing sent for it is an open question.
func (r *Reconciler) notLetIn(ctx context.Context, s *situation) (reconcile.Result, error) {
	var again reconcile.Result
	if r.Members.Owns(roomKey(marketplaceOf(s.bid))) {
		again.RequeueAfter = roomRetry + time.Duration(r.Jitter()*float64(roomRetry))
	}
	if !r.claimed(s) {
		return again, nil
	}
	o, result, err := r.unsent(ctx, s)
	if o == nil || err != nil {
		return result, err
	}
	if o.claim == nil || again.RequeueAfter > 0 {
		return again, nil
	}
	if err := r.unintend(ctx, o); err != nil {
		return again, err
	}
	return again, r.Leases.Release(ctx, o.claim)
}
