package bid

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/ownership"
)

// A namespace that is being deleted takes its Leases at once, with whatever they knew of open calls, and refuses new
// ones. Its Bids wait for us. So there a missing Lease means "unknown": the Bid is fenced, what may be under way settles,
// and the marketplace is asked. No other Bid can be created there any more; the live Bid alone authorises.

// terminatingRetry is how soon to look again at a Bid that is about to be deleted with its namespace.
const terminatingRetry = 10 * time.Second

// withoutLease owns a Bid whose namespace is being deleted, as far as that goes. One that is not deleted itself yet will
// be in a moment.
func (r *Reconciler) withoutLease(ctx context.Context, s *situation, intent *ownership.Intent) (*owned, reconcile.Result, error) {
	readAt := r.Clock.Now()
	live, err := r.readLive(ctx, s.bid)
	switch {
	case err != nil:
		return nil, reconcile.Result{}, err
	case intent != nil || live.DeletionTimestamp.IsZero():
		s.log.V(1).Info("The namespace is being deleted; waiting for the Bid to be deleted too")
		return nil, reconcile.Result{RequeueAfter: terminatingRetry}, nil
	}
	return &owned{situation: s, live: live, readAt: readAt}, reconcile.Result{}, nil
}

// lost is true when nothing can tell any more whether a place call was made.
func (o *owned) lost() bool { return o.claim == nil && o.live.Status.Remote == nil }

// maybeLost is true for a deleted Bid without a Lease when its namespace may have taken that, and the status knows of no
// bid by which to withdraw. It costs a read, and only where there is no Lease.
func (r *Reconciler) maybeLost(ctx context.Context, s *situation) (bool, error) {
	if s.bid.DeletionTimestamp.IsZero() || s.bid.Status.Remote != nil {
		return false, nil
	}
	// Read after the Lease was not found: a namespace that took it was terminating by then.
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	if err := r.Live.Get(ctx, types.NamespacedName{Name: s.bid.Namespace}, namespace); err != nil {
		return false, err
	}
	return !namespace.DeletionTimestamp.IsZero(), nil
}

// resolveLost finds out what may have been placed for a Bid whose Lease went with its namespace.
func (r *Reconciler) resolveLost(ctx context.Context, o *owned) (reconcile.Result, error) {
	if !o.lost() {
		return reconcile.Result{}, errMoved
	}
	if bidding.PlacedStatus(o.live) != metav1.ConditionUnknown || o.live.Status.SettlingSince == nil {
		change := bidding.LeaseLost()
		if flight, ok := r.flights.get(o.live.UID); ok {
			change = bidding.Unknown(flight.attempt, "its outcome was not recorded")
		}
		if err := r.record(ctx, o.situation, o.live, change); err != nil {
			return reconcile.Result{}, err
		}
	}
	if wait := r.settlingLost(o); wait > 0 {
		return reconcile.Result{RequeueAfter: wait}, nil
	}
	if result, ok := r.awake(o.situation); !ok {
		return result, nil
	}
	return r.lookAndConclude(ctx, o)
}

// settlingLost is the settle wait where no take-over begins it. It counts from the fence, by the API server's clock, so
// that a restart does not begin it anew. Without a take-over, which takes as long as a heartbeat, a call may start as late
// as a live read allows: by that, and by the margin that the wait relies on, it is longer. Times in the API are cut to
// seconds.
func (r *Reconciler) settlingLost(o *owned) time.Duration {
	longer := time.Second + readFor + r.Leases.Margin()
	wait := o.live.Status.SettlingSince.Add(o.conn.SettleTime() + longer).Sub(r.Wall.Now())
	if flight, ok := r.flights.get(o.live.UID); ok && !flight.ended.IsZero() {
		wait = max(wait, flight.ended.Add(o.conn.SettleTime()).Sub(r.Clock.Now()))
	}
	return wait
}

// authorize allows a call to start now. Without a Lease it is the live Bid that does, when it was read just now.
func (r *Reconciler) authorize(o *owned) error {
	if o.room != nil {
		if err := r.Leases.Authorize(o.room, o.timeout()); err != nil {
			return err
		}
	}
	if o.claim != nil {
		return r.Leases.Authorize(o.claim, o.timeout())
	}
	if r.Clock.Since(o.readAt) >= readFor {
		return errMoved
	}
	return nil
}

// looked ends what the claim remembers of open calls.
func (r *Reconciler) looked(o *owned) {
	if o.claim != nil {
		r.Leases.Resolved(o.claim)
	}
}

// verdict records that nothing of ours is there. A Bid that goes with its namespace just goes: recorded, the verdict would
// be as good as none the next time, since there is no Lease to say that it was the last word.
func (r *Reconciler) verdict(ctx context.Context, o *owned, change bidding.Change) error {
	if o.claim == nil {
		return r.release(ctx, o, onebidv1.StateWithdrawn)
	}
	return r.conclude(ctx, o.situation, o.live, change)
}
