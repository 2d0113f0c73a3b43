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
	"github.com/onebid-dev/onebid/internal/ownership"
)

// stray is a posting's Lease that this process still holds for a Bid that is gone.
type stray struct {
	lease string
	uid   types.UID
	due   time.Time
}

// strays by the Marketplace of the posting. A process that lives would hold such a Lease for ever, and nobody else could
// act on what the Bid left.
type strays struct {
	mu sync.Mutex
	by map[types.NamespacedName][]stray
}

func newStrays() *strays { return &strays{by: map[types.NamespacedName][]stray{}} }

func (s *strays) note(mkt types.NamespacedName, st stray) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.by[mkt] = append(s.by[mkt], st)
}

// take returns those that are due, and how long until the next one is; 0 when there is none.
func (s *strays) take(mkt types.NamespacedName, now time.Time) (due []stray, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var later []stray
	for _, st := range s.by[mkt] {
		if st.due.After(now) {
			later = append(later, st)
			wait = sooner(st.due.Sub(now), wait)
			continue
		}
		due = append(due, st)
	}
	if s.by[mkt] = later; len(later) == 0 {
		delete(s.by, mkt)
	}
	return due, wait
}

// bidGone notes a Bid that went without its Lease having become a tombstone: somebody took its finalizer off. It returns
// how long to wait before the Lease is let go; 0 when there is nothing to do.
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
	wait := unconnected
	if conn, ok := r.Connections.Get(mkt); ok {
		wait = r.calm(conn)
	}
	r.strays.note(mkt, stray{lease: name, uid: bid.UID, due: r.Clock.Now().Add(wait)})
	return wait
}

const (
	// unconnected is the wait where no connection tells how long calls take.
	unconnected = time.Minute
	// releaseRetry is how soon a Lease is let go once more after the API server did not take it.
	releaseRetry = 5 * time.Second
)

// letGo gives back the Leases of Bids that are gone, once no call of this process can be under way for them. The Lease
// goes on naming the Bid.
func (r *Reconciler) letGo(ctx context.Context, mkt types.NamespacedName) (released bool, wait time.Duration) {
	due, wait := r.strays.take(mkt, r.Clock.Now())
	for _, st := range due {
		claim, held := r.Leases.Held(mkt.Namespace, st.lease)
		if held && claim.BidUID == st.uid {
			released = true
			wait = sooner(r.release(ctx, mkt, claim), wait)
		}
	}
	return released, wait
}

// release gives a Lease back, and says when to try again where that failed.
func (r *Reconciler) release(ctx context.Context, mkt types.NamespacedName, claim *ownership.Claim) time.Duration {
	err := r.Leases.Release(context.WithoutCancel(ctx), claim)
	if err == nil || errors.Is(err, ownership.ErrLost) {
		return 0
	}
	ctrl.LoggerFrom(ctx).Info("Could not release a posting's Lease", "lease", claim.Name, "error", err.Error())
	r.strays.note(mkt, stray{lease: claim.Name, uid: claim.BidUID, due: r.Clock.Now().Add(releaseRetry)})
	return releaseRetry
}
