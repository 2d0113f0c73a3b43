package bid

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

// withdraw withdraws the open bid by its recorded ID, and believes it only when the marketplace was read back.
func (st steps) withdraw(ctx context.Context, o *owned) (effect, error) {
	if err := st.authorize(o); err != nil {
		return effect{}, err
	}
	attempt := bidding.Attempts(o.live, onebidv1.OperationWithdraw) + 1
	state, err := o.account.Retract(ctx, o.query(), refOf(o.live), placedAt(o.live), withdrawReason(o.live))
	if err != nil {
		f := st.failure(o, err, attempt)
		if f.Class == onebidv1.ErrorNotWithdrawable {
			f.Next = st.Wall.Now().Add(o.longestWait()) // only the marketplace can change that, in hours or days
		}
		change := bidding.WithdrawFailed(f)
		return effect{change: &change, after: st.until(f.Next)}, nil
	}
	return withdrawn(o, state), nil
}

// withdrawn ends a Bid whose bid is not open any more: withdrawn, or otherwise ended before. A deleted Bid gets no status write
// of its own: the tombstone and the Posting's history say what happened.
func withdrawn(o *owned, state onebidv1.RemoteState) effect {
	change, outcome := bidding.Withdrawn(), bidding.OutcomeOf(state)
	if outcome == "" || outcome == onebidv1.StateWithdrawn {
		outcome = onebidv1.StateWithdrawn
	} else {
		change = bidding.Observed(state)
	}
	if o.live.DeletionTimestamp.IsZero() {
		return effect{change: &change, forget: true}
	}
	return effect{change: &change, letGo: outcome, history: true}
}

func refOf(bid *onebidv1.Bid) marketplace.Ref {
	return marketplace.Ref{BidID: bid.Status.Remote.BidID, PostingID: bid.Spec.PostingID}
}

// placedAt is since when the Bid is known to be placed; zero when it is not. The marketplace may not show a new bid yet.
func placedAt(bid *onebidv1.Bid) time.Time {
	if meta.IsStatusConditionTrue(bid.Status.Conditions, onebidv1.ConditionPlaced) {
		return meta.FindStatusCondition(bid.Status.Conditions, onebidv1.ConditionPlaced).LastTransitionTime.Time
	}
	return time.Time{}
}

func withdrawReason(bid *onebidv1.Bid) string {
	if w := bid.Spec.Withdraw; w != nil {
		return w.Reason
	}
	return "the Bid was deleted"
}
