package bid

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
)

// EventRecorder writes events for people. See k8s.io/client-go/tools/events.
type EventRecorder interface {
	Eventf(regarding, related runtime.Object, eventtype, reason, action, note string, args ...any)
}

// Reasons of events that are no reasons of a condition. All others are the reason of the condition that changed.
const (
	// EventApproved is written when a Bid goes on that a person has approved, and says who.
	EventApproved = "Approved"
	// EventAbandoned is written when the annotation onebid.dev/abandon released a Bid.
	EventAbandoned = "Abandoned"
	// EventResolved is written when the annotation onebid.dev/resolve decided what became of a place.
	EventResolved = "Resolved"
	// EventNotResolved is written when that annotation could not decide it.
	EventNotResolved = "NotResolved"
	// EventPlacedTwice is written when a sender that came too late placed a second bid, which class None cannot prevent.
	EventPlacedTwice = "PlacedTwice"
)

// report writes an event when a status change is one that a person should know of. The happy path makes none: an event is an
// API-server write, and the conditions say it.
func (c commits) report(s *situation, before *onebidv1.BidStatus, bid *onebidv1.Bid) {
	asked := s.marketplace != nil && s.marketplace.Spec.Approval == onebidv1.ApprovalManual
	if note := bidding.NewlyApproved(before, bid); asked && note != "" {
		c.Events.Eventf(bid, nil, corev1.EventTypeNormal, EventApproved, "Approve", "%s", note)
	}
	reason, note := notable(before, &bid.Status)
	if reason == "" {
		return
	}
	kind := corev1.EventTypeWarning
	if bid.Status.Outcome == onebidv1.StateWon || bid.Status.Outcome == onebidv1.StateLost || reason == onebidv1.ReasonDryRun {
		kind = corev1.EventTypeNormal
	}
	s.log.Info("Bid", "state", bid.Status.State, "reason", reason)
	c.Events.Eventf(bid, nil, kind, reason, "Reconcile", "%s", note)
}

// notable picks what changed for people between two statuses; "" when nothing did.
func notable(before, after *onebidv1.BidStatus) (reason, note string) {
	stalled := meta.FindStatusCondition(after.Conditions, onebidv1.ConditionStalled)
	was := meta.FindStatusCondition(before.Conditions, onebidv1.ConditionStalled)
	if stalled != nil && (was == nil || was.Reason != stalled.Reason) {
		return stalled.Reason, stalled.Message
	}
	if isUnknown(after) && !isUnknown(before) {
		placed := meta.FindStatusCondition(after.Conditions, onebidv1.ConditionPlaced)
		return placed.Reason, placed.Message
	}
	if after.Outcome != before.Outcome && after.Outcome != "" {
		return ending(after)
	}
	if after.Preview != nil && !equality.Semantic.DeepEqual(before.Preview, after.Preview) {
		return onebidv1.ReasonDryRun, fmt.Sprintf("Would send %s %s with a body of %d bytes: see status.preview",
			after.Preview.Method, after.Preview.URL, len(after.Preview.Body))
	}
	return failing(before, after)
}

// ending is how a Bid ended, "" when just as it was to end.
func ending(after *onebidv1.BidStatus) (reason, note string) {
	ready := meta.FindStatusCondition(after.Conditions, onebidv1.ConditionReady)
	withdrawn := meta.FindStatusCondition(after.Conditions, onebidv1.ConditionWithdrawn)
	accepted := meta.FindStatusCondition(after.Conditions, onebidv1.ConditionAccepted)
	switch {
	case after.Outcome == onebidv1.StateWithdrawn && withdrawn.Reason == onebidv1.ReasonWithdrawnElsewhere:
		return withdrawn.Reason, withdrawn.Message
	case after.Outcome == onebidv1.StateWithdrawn:
		return "", ""
	case accepted.Reason == onebidv1.ReasonMissedDeadline:
		return accepted.Reason, accepted.Message
	}
	return ready.Reason, ready.Message
}

func isUnknown(status *onebidv1.BidStatus) bool {
	return meta.IsStatusConditionPresentAndEqual(status.Conditions, onebidv1.ConditionPlaced, metav1.ConditionUnknown)
}

// failing reports the first failure of a row.
func failing(before, after *onebidv1.BidStatus) (reason, note string) {
	if after.Attempts == nil || after.Attempts.LastError == "" || after.Outcome != "" {
		return "", ""
	}
	if before.Attempts != nil && before.Attempts.LastError != "" && before.Attempts.Operation == after.Attempts.Operation {
		return "", ""
	}
	return string(after.Attempts.Operation) + "Failed", after.Attempts.LastError
}
