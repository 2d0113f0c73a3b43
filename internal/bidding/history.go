package bidding

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// Terminal is true once the Bid ended: nothing of it is live, nothing more will be sent for it.
func Terminal(bid *onebidv1.Bid) bool { return bid.Status.Outcome != "" }

// Withdrawing is true when the Bid's owner wants it gone from the marketplace.
func Withdrawing(bid *onebidv1.Bid) bool {
	return !bid.DeletionTimestamp.IsZero() || bid.Spec.Withdraw != nil
}

// maxRequested is how much of the annotation onebid.dev/reconcile-requested-at is looked at and repeated in the status, in bytes.
const maxRequested = 64

// Requested is the value of the annotation that asks for a reconcile now.
func Requested(bid *onebidv1.Bid) string {
	value := bid.Annotations[onebidv1.AnnotationReconcileRequestedAt]
	return value[:min(len(value), maxRequested)]
}

// PlacedStatus is True when a bid of ours is known at the marketplace, Unknown when a call's effect is open.
func PlacedStatus(bid *onebidv1.Bid) metav1.ConditionStatus {
	if c := meta.FindStatusCondition(bid.Status.Conditions, onebidv1.ConditionPlaced); c != nil {
		return c.Status
	}
	return metav1.ConditionFalse
}

// Indeterminate is true when only a person can say what became of a place.
func Indeterminate(bid *onebidv1.Bid) bool {
	c := meta.FindStatusCondition(bid.Status.Conditions, onebidv1.ConditionPlaced)
	return c != nil && c.Status == metav1.ConditionUnknown && c.Reason == onebidv1.ReasonIndeterminate
}

// Attempts of an operation whose outcome is recorded. Once withdrawing began, placing is over and all its attempts are
// recorded.
func Attempts(bid *onebidv1.Bid, operation onebidv1.AttemptOperation) int32 {
	if a := bid.Status.Attempts; a != nil && a.Operation == operation {
		return a.Count
	}
	return 0
}

// PlaceRecorded is true when the outcome of the given place attempt stands in the Bid's status, so that an intent for it
// is history and not an open question.
func PlaceRecorded(bid *onebidv1.Bid, attempt int32) bool {
	if PlacedStatus(bid) == metav1.ConditionUnknown {
		return false
	}
	if a := bid.Status.Attempts; a != nil && a.Operation == onebidv1.OperationWithdraw {
		return true
	}
	return Attempts(bid, onebidv1.OperationPlace) >= attempt
}
