package bidding

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// summarize derives state and the trio Ready, Reconciling, Stalled from the conditions that are the truth, and says of
// everything which generation it speaks of.
func (e *edit) summarize() {
	status, reason, message := e.ready()
	e.set(onebidv1.ConditionReady, status, reason, message)
	e.abnormal(onebidv1.ConditionReconciling, e.reconciling)
	e.abnormal(onebidv1.ConditionStalled, e.stalled)
	e.status.State = e.state()
	e.status.ObservedGeneration = e.bid.Generation
	for i := range e.status.Conditions {
		e.status.Conditions[i].ObservedGeneration = e.bid.Generation
	}
}

// abnormal conditions are there only while they are True.
func (e *edit) abnormal(kind string, n *note) {
	if n == nil {
		meta.RemoveStatusCondition(&e.status.Conditions, kind)
		return
	}
	e.set(kind, metav1.ConditionTrue, n.reason, n.message)
}

func (e *edit) condition(kind string) metav1.Condition {
	return *meta.FindStatusCondition(e.status.Conditions, kind)
}

func (e *edit) state() onebidv1.BidState {
	placed := e.condition(onebidv1.ConditionPlaced)
	switch {
	case e.status.Outcome != "":
		return e.status.Outcome
	case Indeterminate(e.bid):
		return onebidv1.StateIndeterminate
	case Withdrawing(e.bid):
		return onebidv1.StateWithdrawing
	case placed.Status == metav1.ConditionTrue:
		return onebidv1.StateActive
	default:
		return onebidv1.StatePending
	}
}

func (e *edit) ready() (status metav1.ConditionStatus, reason, message string) {
	accepted, placed := e.condition(onebidv1.ConditionAccepted), e.condition(onebidv1.ConditionPlaced)
	switch {
	case e.status.Outcome != "":
		return metav1.ConditionTrue, string(e.status.Outcome), e.outcomeMessage()
	case placed.Status == metav1.ConditionUnknown:
		return metav1.ConditionUnknown, placed.Reason, placed.Message
	case Withdrawing(e.bid):
		withdrawn := e.condition(onebidv1.ConditionWithdrawn)
		return metav1.ConditionFalse, withdrawn.Reason, withdrawn.Message
	case placed.Status == metav1.ConditionTrue:
		return metav1.ConditionTrue, onebidv1.ReasonActive, placed.Message
	case accepted.Status == metav1.ConditionFalse:
		return metav1.ConditionFalse, accepted.Reason, accepted.Message
	default:
		return metav1.ConditionFalse, placed.Reason, placed.Message
	}
}

func (e *edit) outcomeMessage() string {
	accepted, placed := e.condition(onebidv1.ConditionAccepted), e.condition(onebidv1.ConditionPlaced)
	switch {
	case e.status.Outcome == onebidv1.StateDuplicate:
		return e.condition(onebidv1.ConditionDuplicate).Message
	case e.status.Outcome == onebidv1.StateWithdrawn:
		return e.condition(onebidv1.ConditionWithdrawn).Message
	case placed.Status == metav1.ConditionTrue:
		return fmt.Sprintf("The marketplace reports the bid as %s", e.status.Outcome)
	case accepted.Status == metav1.ConditionFalse:
		return accepted.Message
	default:
		return placed.Message
	}
}
