package bidding

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// Unknown fences: it notes that a place may have had its effect, so that whoever comes late to record meets a conflict.
func Unknown(attempt int32, message string) Change {
	return Change{apply: func(e *edit) {
		e.accept()
		text := "A place call may have taken effect; looking it up once the marketplace has settled: " + message
		e.settling(onebidv1.ReasonOutcomeUnknown, attempt, message, text)
	}}
}

// LeaseLost fences as well, where nothing but the missing Lease speaks for a place call.
func LeaseLost() Change {
	return Change{apply: func(e *edit) {
		message := "the namespace is being deleted, and has taken the Lease that would tell"
		text := "A place call may have been made; looking it up once the marketplace has settled: " + message
		e.settling(onebidv1.ReasonLeaseLost, 0, message, text)
	}}
}

// LosesLease is true while nothing but LeaseLost makes the outcome unknown.
func LosesLease(bid *onebidv1.Bid) bool {
	c := meta.FindStatusCondition(bid.Status.Conditions, onebidv1.ConditionPlaced)
	return c != nil && c.Reason == onebidv1.ReasonLeaseLost
}

// Unproven is true while a call whose outcome was unknown, and that a look-up did not find, may still take effect: later
// than all bounds allow, but then it would be live after the Bid has gone. The key's next answer settles it.
func Unproven(bid *onebidv1.Bid) bool {
	return PlacedStatus(bid) == metav1.ConditionFalse && bid.Status.SettlingSince != nil
}

func (e *edit) settling(reason string, attempt int32, message, text string) {
	if e.status.SettlingSince == nil || PlacedStatus(e.bid) != metav1.ConditionUnknown {
		at := metav1.NewTime(e.now)
		e.status.SettlingSince = &at
	}
	e.set(onebidv1.ConditionPlaced, metav1.ConditionUnknown, reason, text)
	e.status.Outcome = ""
	e.attempts(onebidv1.OperationPlace, max(attempt, Attempts(e.bid, onebidv1.OperationPlace)), time.Time{}, message)
	e.reconciling = &note{onebidv1.ReasonResolving, text}
}

// Unsettled notes that the look-up after an unknown outcome failed and when it is tried again.
func Unsettled(f Failure) Change {
	return Change{apply: func(e *edit) {
		text := "A place call may have taken effect, and looking it up failed: " + f.Message
		reason := onebidv1.ReasonOutcomeUnknown
		if LosesLease(e.bid) {
			reason = onebidv1.ReasonLeaseLost
		}
		e.set(onebidv1.ConditionPlaced, metav1.ConditionUnknown, reason, text)
		e.attempts(onebidv1.OperationPlace, Attempts(e.bid, onebidv1.OperationPlace), f.Next, f.Message)
		if f.Attempt >= f.ReviewAfter {
			e.stalled = &note{onebidv1.ReasonManualReview, "Still tried at the longest interval; look into it. " + text}
			return
		}
		e.reconciling = &note{onebidv1.ReasonResolving, text}
	}}
}
