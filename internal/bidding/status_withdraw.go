package bidding

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// Withdrawn records that the marketplace was read back and shows no open bid of ours.
func Withdrawn() Change {
	return Change{apply: func(e *edit) { e.withdrawn("Read back from the marketplace: no open bid of ours is left") }}
}

// NeverPlaced records that there was nothing to withdraw.
func NeverPlaced() Change {
	return Change{apply: func(e *edit) {
		e.set(onebidv1.ConditionPlaced, metav1.ConditionFalse, onebidv1.ReasonNotNeeded, "Withdrawn before it was placed")
		e.withdrawn("Nothing had been placed")
	}}
}

// WithdrawFailed records an attempt to withdraw after which the bid is not known to be gone.
func WithdrawFailed(f Failure) Change {
	return Change{apply: func(e *edit) {
		e.set(onebidv1.ConditionWithdrawn, metav1.ConditionFalse, reasonOf(f.Class), f.Message)
		e.attempts(onebidv1.OperationWithdraw, f.Attempt, f.Next, f.Message)
		if f.Class == onebidv1.ErrorNotWithdrawable {
			e.stalled = &note{
				onebidv1.ReasonNotWithdrawable,
				"The marketplace does not let the bid be withdrawn: end it there. It is read again from time to time: " + f.Message,
			}
			return
		}
		e.retrying(f, "Withdrawing")
	}}
}

// Blocked records that nothing can be withdrawn or looked up, and what a person can do.
func Blocked(reason, message string) Change {
	return Change{apply: func(e *edit) {
		if Withdrawing(e.bid) {
			e.set(onebidv1.ConditionWithdrawn, metav1.ConditionFalse, reason, message)
		}
		e.stalled = &note{reason, message}
	}}
}
