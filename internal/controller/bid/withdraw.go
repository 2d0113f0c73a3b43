package bid

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

// withdraw takes the live bid back by its recorded ID and believes it only when the marketplace was read back. For a
// deleted Bid that costs two API-server writes: the tombstone and the finalizer.
func (r *Reconciler) withdraw(ctx context.Context, s *situation) (reconcile.Result, error) {
	if s.conn == nil {
		return reconcile.Result{}, r.stuck(ctx, s)
	}
	if result, why := r.paced(ctx, s); why != "" {
		return result, nil
	}
	o, result, err := r.own(ctx, s, nil)
	switch {
	case o == nil || err != nil:
		return result, err
	case !withdrawable(o.live):
		return reconcile.Result{}, errMoved
	case len(o.foreignIntents()) > 0:
		return r.resolveForeign(ctx, o)
	}
	if err := r.authorize(o); err != nil {
		return reconcile.Result{}, err
	}
	return r.takeBack(ctx, o)
}

func withdrawable(live *onebidv1.Bid) bool {
	return bidding.Withdrawing(live) && !bidding.Terminal(live) && live.Status.Remote != nil &&
		bidding.PlacedStatus(live) == metav1.ConditionTrue
}

func (r *Reconciler) takeBack(ctx context.Context, o *owned) (reconcile.Result, error) {
	attempt := bidding.Attempts(o.live, onebidv1.OperationWithdraw) + 1
	state, err := r.retract(ctx, o.situation, refOf(o.live), withdrawReason(o.live))
	if err != nil {
		f := r.failure(o.situation, err, attempt)
		if marketplace.ClassOf(err) == onebidv1.ErrorNotWithdrawable {
			// Only the marketplace can change that, in hours or days.
			f.Next = r.Wall.Now().Add(o.longestWait())
		}
		return reconcile.Result{RequeueAfter: r.until(f.Next)}, r.record(ctx, o.situation, o.live, bidding.WithdrawFailed(f))
	}
	return reconcile.Result{}, r.takenBack(ctx, o, state)
}

// takenBack ends a Bid whose remote bid is not live any more: withdrawn, or otherwise ended before we came. A deleted
// Bid gets no status write of its own: the tombstone and the Posting's history say what happened.
func (r *Reconciler) takenBack(ctx context.Context, o *owned, state onebidv1.RemoteState) error {
	change := bidding.Withdrawn()
	if outcome := bidding.OutcomeOf(state); outcome != "" && outcome != onebidv1.StateWithdrawn {
		change = bidding.Observed(state)
	}
	if o.live.DeletionTimestamp.IsZero() {
		return r.conclude(ctx, o.situation, o.live, change)
	}
	change.Apply(o.live, r.Wall.Now())
	if err := r.ended(ctx, o.live, o.live.Status.Outcome); err != nil {
		return err
	}
	if o.claim != nil {
		if err := r.bury(ctx, o, o.live.Status.Outcome); err != nil {
			return err
		}
	}
	return r.removeFinalizer(ctx, o.live)
}

// retract withdraws and reads back.
func (r *Reconciler) retract(ctx context.Context, s *situation, ref marketplace.Ref, reason string) (onebidv1.RemoteState, error) {
	return s.conn.Retract(ctx, s.query(), ref, placedAt(s.bid), reason)
}

func withdrawReason(bid *onebidv1.Bid) string {
	if w := bid.Spec.Withdraw; w != nil {
		return w.Reason
	}
	return "the Bid was deleted"
}
