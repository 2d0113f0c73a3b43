package bidding

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// Withdrawn notes that the marketplace was read back and shows no live bid of ours.
func Withdrawn() Change {
	return Change{apply: func(e *edit) { e.withdrawn("Read back from the marketplace: no live bid of ours is left") }}
}

// NeverPlaced notes that a withdrawal found nothing to withdraw.
func NeverPlaced() Change {
	return Change{apply: func(e *edit) {
		e.set(onebidv1.ConditionPlaced, metav1.ConditionFalse, onebidv1.ReasonNotNeeded, "Withdrawn before it was placed")
		e.withdrawn("Nothing had been placed")
	}}
}

func (e *edit) withdrawn(message string) {
	reason := onebidv1.ReasonWithdrawn
	switch {
	case e.status.Remote == nil:
		reason = onebidv1.ReasonNeverPlaced
	case !Withdrawing(e.bid):
		reason = onebidv1.ReasonWithdrawnElsewhere
	}
	e.set(onebidv1.ConditionWithdrawn, metav1.ConditionTrue, reason, message)
	at := metav1.NewTime(e.now)
	e.status.WithdrawalTimestamp = &at
	if w := e.bid.Spec.Withdraw; w != nil {
		e.status.WithdrawnReason = w.Reason
	}
	e.end(onebidv1.StateWithdrawn)
}

// WithdrawFailed notes an attempt to withdraw that did not end with the bid gone.
func WithdrawFailed(f Failure) Change {
	return Change{apply: func(e *edit) {
		e.set(onebidv1.ConditionWithdrawn, metav1.ConditionFalse, reasonOf(f.Class), f.Message)
		e.attempts(onebidv1.OperationWithdraw, f.Attempt, f.Next, f.Message)
		if f.Class == onebidv1.ErrorNotWithdrawable {
			e.stalled = &note{
				onebidv1.ReasonNotWithdrawable,
				"The marketplace does not let the bid be withdrawn: settle it there; it is read again from time to time: " + f.Message,
			}
			return
		}
		e.retrying(f, "Withdrawing")
	}}
}

// Stuck notes that nothing can be withdrawn or looked up, and what a person can do.
func Stuck(reason, message string) Change {
	return Change{apply: func(e *edit) {
		if Withdrawing(e.bid) {
			e.set(onebidv1.ConditionWithdrawn, metav1.ConditionFalse, reason, message)
		}
		e.stalled = &note{reason, message}
	}}
}

// Seen changes nothing but the answer to the annotation onebid.dev/reconcile-requested-at, which every change gives.
func Seen() Change {
	return Change{apply: func(e *edit) { e.asBefore() }}
}

func (e *edit) asBefore() {
	e.reconciling = e.current(onebidv1.ConditionReconciling)
	e.stalled = e.current(onebidv1.ConditionStalled)
}

// Hindered notes that what an earlier Bid left at the marketplace must be settled first, and why it is not yet.
func Hindered(class onebidv1.ErrorClass, message string) Change {
	return Change{apply: func(e *edit) {
		text := "What an earlier Bid on this posting left at the marketplace must be settled first: " + message
		if PlacedStatus(e.bid) == metav1.ConditionFalse {
			e.set(onebidv1.ConditionPlaced, metav1.ConditionFalse, reasonOf(class), text)
		}
		if class == onebidv1.ErrorNotWithdrawable {
			e.stalled = &note{onebidv1.ReasonNotWithdrawable, text + "; settle it there"}
			return
		}
		e.reconciling = &note{onebidv1.ReasonResolving, text}
	}}
}
