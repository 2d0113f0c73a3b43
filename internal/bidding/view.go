package bidding

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// View is what Next and Decide read of one version of a Bid. It is plain data, so that the controller, the model of the
// protocol and tests call the same two functions.
type View struct {
	// Placed is the status of the condition Placed: False, True, or Unknown while a call may have placed a bid.
	Placed metav1.ConditionStatus
	// Outcome is the terminal state, "" while there is none.
	Outcome onebidv1.BidState
	// HasRemote is true when the marketplace's ID of the bid is recorded.
	HasRemote bool
	// Attempts counts place attempts whose outcome is recorded; see PlaceAttemptsClosed.
	Attempts int32
	// PlaceAttemptsClosed is true once a withdrawal was tried: then the outcome of every place attempt is recorded.
	PlaceAttemptsClosed bool
	// PlaceAt and WithdrawAt are when the next attempt is due; zero is now.
	PlaceAt, WithdrawAt time.Time
	// Settling is true while status.settlingSince is set.
	Settling bool
	// Indeterminate is true when only a person can tell; Answered when that person did.
	Indeterminate, Answered bool
	// LeaseLost is true while only the missing Lease makes the outcome unknown.
	LeaseLost bool
	// Deleting, Withdrawing and Abandoned are the owner's wishes; Withdrawing includes Deleting.
	Deleting, Withdrawing, Abandoned bool
	// Finalizer is true while our finalizer is there.
	Finalizer bool
	// Requested is true when a person asks for a reconcile that the status does not acknowledge yet.
	Requested bool
	// DeniedBefore is true when the status names a guard other than the cooldown that was in the way.
	DeniedBefore bool
}

// ViewOf reads a Bid.
func ViewOf(bid *onebidv1.Bid) View {
	accepted := meta.FindStatusCondition(bid.Status.Conditions, onebidv1.ConditionAccepted)
	attempts := bid.Status.Attempts
	return View{
		Placed: PlacedStatus(bid), Outcome: bid.Status.Outcome, HasRemote: bid.Status.Remote != nil,
		Attempts:            Attempts(bid, onebidv1.OperationPlace),
		PlaceAttemptsClosed: attempts != nil && attempts.Operation == onebidv1.OperationWithdraw,
		PlaceAt:             nextAttempt(bid, onebidv1.OperationPlace), WithdrawAt: nextAttempt(bid, onebidv1.OperationWithdraw),
		Settling:      bid.Status.SettlingSince != nil,
		Indeterminate: Indeterminate(bid), Answered: Answer(bid) != "", LeaseLost: leaseLost(bid),
		Deleting: !bid.DeletionTimestamp.IsZero(), Withdrawing: Withdrawing(bid),
		Abandoned: bid.Annotations[onebidv1.AnnotationAbandon] != "",
		Finalizer: slices.Contains(bid.Finalizers, onebidv1.FinalizerWithdraw),
		Requested: Requested(bid) != bid.Status.LastHandledReconcileAt,
		DeniedBefore: accepted != nil && accepted.Status == metav1.ConditionFalse &&
			accepted.Reason != onebidv1.ReasonCooldown,
	}
}

// Terminal is true once the Bid ended.
func (v View) Terminal() bool { return v.Outcome != "" }

// recorded is true when the outcome of the given place attempt is recorded.
func (v View) recorded(attempt int32) bool {
	return v.Placed != metav1.ConditionUnknown && (v.PlaceAttemptsClosed || v.Attempts >= attempt)
}

// PlaceRecorded is true when the status holds the outcome of the given place attempt, so that an intent for it is history.
func PlaceRecorded(bid *onebidv1.Bid, attempt int32) bool { return ViewOf(bid).recorded(attempt) }
