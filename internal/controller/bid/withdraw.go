package bid

import (
	"context"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/failpoint"
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

// retract withdraws and reads back. It fails unless the marketplace shows the bid as not live; the state that it
// shows is returned.
func (r *Reconciler) retract(ctx context.Context, s *situation, ref marketplace.Ref, reason string) (onebidv1.RemoteState, error) {
	failpoint.Before(failpoint.Withdraw)
	_, refused := call(ctx, r, s, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.conn.Driver.Withdraw(ctx, ref, reason)
	})
	failpoint.After(failpoint.Withdraw, refused)
	switch marketplace.ClassOf(refused) {
	case "", onebidv1.ErrorNotFound, onebidv1.ErrorAlreadyWithdrawn, onebidv1.ErrorNotWithdrawable, onebidv1.ErrorUnknownOutcome:
	default:
		return "", refused
	}
	accepted := refused == nil || marketplace.ClassOf(refused) == onebidv1.ErrorAlreadyWithdrawn
	bid, err := r.readBack(ctx, s, ref, accepted)
	switch {
	case err != nil:
		return "", err
	case !bid.Live() && bid.State != onebidv1.RemoteUnknown:
		return bid.State, nil
	case refused != nil:
		return "", refused
	default:
		return "", &marketplace.Error{
			Class: onebidv1.ErrorTransient, Operation: "withdraw",
			Message: "the marketplace accepted the withdrawal and still shows the bid as " + bid.Word,
		}
	}
}

// readBack reads one bid. "Not found" is believed only when the posting's look-up does not show it as live either, and
// of a bid that was just placed only when the marketplace also accepted its withdrawal: it may not show it yet.
func (r *Reconciler) readBack(ctx context.Context, s *situation, ref marketplace.Ref, withdrawn bool) (marketplace.Bid, error) {
	failpoint.Before(failpoint.ReadBack)
	bid, err := call(ctx, r, s, func(ctx context.Context) (marketplace.Bid, error) {
		return s.conn.Driver.Get(ctx, ref)
	})
	failpoint.After(failpoint.ReadBack, err)
	if marketplace.ClassOf(err) != onebidv1.ErrorNotFound {
		return bid, err
	}
	found, err := r.lookup(ctx, s)
	if err != nil {
		return marketplace.Bid{}, err
	}
	for _, b := range found {
		if b.ID == ref.BidID {
			return b, nil
		}
	}
	if placed := meta.FindStatusCondition(s.bid.Status.Conditions, onebidv1.ConditionPlaced); !withdrawn && placed != nil &&
		placed.Status == metav1.ConditionTrue && r.Wall.Now().Before(placed.LastTransitionTime.Add(s.conn.Settle)) {
		return marketplace.Bid{}, &marketplace.Error{
			Class: onebidv1.ErrorTransient, Operation: "get", Message: "the marketplace does not show the bid yet",
		}
	}
	return marketplace.Bid{ID: ref.BidID, State: onebidv1.RemoteWithdrawn}, nil
}

func withdrawReason(bid *onebidv1.Bid) string {
	if w := bid.Spec.Withdraw; w != nil {
		return w.Reason
	}
	return "the Bid was deleted"
}
