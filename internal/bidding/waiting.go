package bidding

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// Silent is true for a Bid whose status does not say yet what is in the way of placing it. Whatever it says already
// stays: a further reason to wait is not worth a write.
func Silent(bid *onebidv1.Bid) bool {
	placed := meta.FindStatusCondition(bid.Status.Conditions, onebidv1.ConditionPlaced)
	return placed == nil || placed.Status == metav1.ConditionFalse && (placed.Reason == onebidv1.ReasonNotPlaced)
}

// Waiting notes that a Bid passed all guards and waits for its account: RateLimited, AccountPaused,
// QuotaExhausted or CircuitOpen.
func Waiting(marketplace, why string) Change {
	return Change{apply: func(e *edit) {
		e.accept()
		text := fmt.Sprintf("Marketplace %q %s; this bid is placed when its turn comes: see status.rateLimit and status.breaker there",
			marketplace, waitingFor[why])
		e.set(onebidv1.ConditionPlaced, metav1.ConditionFalse, why, text)
		e.reconciling = &note{onebidv1.ReasonProgressing, text}
	}}
}

// outdated is true for a Bid between two attempts whose status calls a guard as being in the way that is not any more. The
// cooldown is no guard's, but what the Bid waits for.
func outdated(bid *onebidv1.Bid) bool {
	accepted := meta.FindStatusCondition(bid.Status.Conditions, onebidv1.ConditionAccepted)
	return accepted != nil && accepted.Status == metav1.ConditionFalse && accepted.Reason != onebidv1.ReasonCooldown
}

// LetThrough notes that no guard is in the way of a Bid any more, whose next attempt is not due yet.
func LetThrough() Change {
	return Change{apply: func(e *edit) {
		e.accept()
		text := "Placing is tried again at status.attempts.nextTime: " + e.condition(onebidv1.ConditionPlaced).Message
		e.reconciling = &note{onebidv1.ReasonRetrying, text}
	}}
}

var waitingFor = map[string]string{
	onebidv1.ReasonRateLimited:   "has a rate limit, and others go first",
	onebidv1.ReasonAccountPaused: "is paused",
	onebidv1.ReasonCircuitOpen:   "does not answer",
	// Of a bid that did not ask itself; see PlaceFailed for one that did.
	onebidv1.ReasonQuotaExhausted: "has no bids left for the account",
}

// missed says what a Bid waited for while its posting closed; "" when the posting was closed before there was the Bid.
func missed(in GuardInput) string {
	bid := in.Bid
	accepted := meta.FindStatusCondition(bid.Status.Conditions, onebidv1.ConditionAccepted)
	if accepted == nil && !bid.CreationTimestamp.Time.Before(in.Freshness.ClosedAt) {
		return ""
	}
	if accepted != nil && accepted.Status == metav1.ConditionFalse {
		return awaited(accepted.Reason)
	}
	placed := meta.FindStatusCondition(bid.Status.Conditions, onebidv1.ConditionPlaced)
	if placed == nil {
		return "its turn"
	}
	return awaited(placed.Reason)
}

// awaited puts into words what a reason of Accepted or Placed waits for.
func awaited(reason string) string {
	switch reason {
	case onebidv1.ReasonAwaitingApproval, onebidv1.ReasonApprovalMismatch:
		return "its approval"
	case onebidv1.ReasonMarketplaceSuspended, onebidv1.ReasonDryRun:
		return "the Marketplace's spec.mode to be Live"
	case onebidv1.ReasonRateLimited:
		return "its turn at the account's rate limit"
	case onebidv1.ReasonAccountPaused:
		return "the end of the account's pause"
	case onebidv1.ReasonCircuitOpen:
		return "the marketplace to answer again"
	case onebidv1.ReasonQuotaExhausted:
		return "the account to have bids left"
	case onebidv1.ReasonNotPlaced, onebidv1.ReasonAccepted:
		return "its turn"
	default: // limits, cooldown, credentials, failed attempts
		return "what its status called " + reason
	}
}
