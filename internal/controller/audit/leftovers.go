package audit

import (
	"context"
	"errors"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/marketplace/account"
	"github.com/onebid-dev/onebid/internal/ownership"
)

const (
	// unconnectedWait is the wait where no connection tells how long calls take.
	unconnectedWait = time.Minute
	// releaseRetry is how soon a Lease is released once more after the API server did not take it.
	releaseRetry = 5 * time.Second
)

// leftover is a posting's Lease that this process holds for a Bid that is gone, or that it could not release.
type leftover struct {
	lease string
	uid   types.UID
	due   time.Time
}

// leftovers by the Marketplace of the posting. A process that lives would hold such a Lease for ever, and no other one
// could act on what the Bid left. They are safe for concurrent use.
type leftovers struct {
	mu sync.Mutex
	by map[types.NamespacedName][]leftover
}

func newLeftovers() *leftovers { return &leftovers{by: map[types.NamespacedName][]leftover{}} }

func (l *leftovers) add(mkt types.NamespacedName, one leftover) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.by[mkt] = append(l.by[mkt], one)
}

// take returns those that are due, and how long until the next one is; 0 when there is none.
func (l *leftovers) take(mkt types.NamespacedName, now time.Time) (due []leftover, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var later []leftover
	for _, one := range l.by[mkt] {
		if one.due.After(now) {
			later = append(later, one)
			wait = sooner(one.due.Sub(now), wait)
			continue
		}
		due = append(due, one)
	}
	if l.by[mkt] = later; len(later) == 0 {
		delete(l.by, mkt)
	}
	return due, wait
}

// callsEnd is how long it takes until every call that was started for a Bid which is gone by now, by any process, has ended
// and is shown.
func (r *Reconciler) callsEnd(conn *account.Account) time.Duration {
	return conn.SettleTime() + r.Slack
}

// bidGone notes a Bid that went without its Lease having become a tombstone: its finalizer was removed by hand. It returns
// how long to wait before the Lease is released; 0 when there is nothing to do.
func (r *Reconciler) bidGone(bid *onebidv1.Bid) time.Duration {
	name, err := bidding.KeyOf(bid).LeaseName()
	if err != nil {
		return 0
	}
	claim, held := r.Leases.Held(bid.Namespace, name)
	if !held || claim.BidUID != bid.UID {
		return 0
	}
	mkt := types.NamespacedName{Namespace: bid.Namespace, Name: bid.Spec.Marketplace}
	wait := unconnectedWait
	if conn, ok := r.Connections.Get(mkt); ok {
		wait = r.callsEnd(conn)
	}
	r.leftovers.add(mkt, leftover{lease: name, uid: bid.UID, due: r.Clock.Now().Add(wait)})
	return wait
}

// releaseLeftovers releases the Leases of Bids that are gone, once no call of this process can be under way for them, but
// not those that an open case holds: the case releases them. The Lease goes on naming the Bid.
func (r *Reconciler) releaseLeftovers(
	ctx context.Context, mkt types.NamespacedName, inCases map[string]bool,
) (released bool, wait time.Duration) {
	due, wait := r.leftovers.take(mkt, r.Clock.Now())
	for _, one := range due {
		claim, held := r.Leases.Held(mkt.Namespace, one.lease)
		if held && claim.BidUID == one.uid && !inCases[one.lease] {
			released = true
			wait = sooner(r.release(ctx, mkt, claim), wait)
		}
	}
	return released, wait
}

// releaseCases gives up all open cases. It returns when to try again what could not be released.
func (r *Reconciler) releaseCases(ctx context.Context, mkt types.NamespacedName, m *memory) (wait time.Duration) {
	for _, f := range m.cases {
		wait = sooner(wait, r.release(ctx, mkt, f.claim))
	}
	m.cases = nil
	return wait
}

// release gives a Lease back, and says when to try again where that failed. A claim of nil is none.
func (r *Reconciler) release(ctx context.Context, mkt types.NamespacedName, claim *ownership.Claim) time.Duration {
	if claim == nil {
		return 0
	}
	err := r.Leases.Release(context.WithoutCancel(ctx), claim)
	if err == nil || errors.Is(err, ownership.ErrLost) {
		return 0
	}
	ctrl.LoggerFrom(ctx).Info("Could not release a posting's Lease", "lease", claim.Name, "error", err.Error())
	r.leftovers.add(mkt, leftover{lease: claim.Name, uid: claim.BidUID, due: r.Clock.Now().Add(releaseRetry)})
	return releaseRetry
}
