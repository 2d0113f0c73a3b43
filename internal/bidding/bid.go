package bidding

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/text"
)

// KeyOf returns the posting that a Bid is for.
func KeyOf(bid *onebidv1.Bid) onebidv1.Key {
	return onebidv1.Key{Marketplace: bid.Spec.Marketplace, PostingID: bid.Spec.PostingID}
}

// IdempotencyKey is sent with every place attempt of one Bid: stable over attempts and take-overs, new for a Bid that was
// deleted and created again. NUL bytes separate the fields and none of them can hold one, so no two Bids share a key.
func IdempotencyKey(namespace string, key onebidv1.Key, uid types.UID) string {
	sum := sha256.Sum256([]byte(namespace + "\x00" + key.Marketplace + "\x00" + key.PostingID + "\x00" + string(uid)))
	return hex.EncodeToString(sum[:])
}

// Terminal is true once the Bid ended: no bid of it is open, and nothing more is sent for it.
func Terminal(bid *onebidv1.Bid) bool { return bid.Status.Outcome != "" }

// Withdrawing is true when the Bid's owner wants its bid withdrawn.
func Withdrawing(bid *onebidv1.Bid) bool {
	return !bid.DeletionTimestamp.IsZero() || bid.Spec.Withdraw != nil
}

// maxRequested bounds how much of the annotation onebid.dev/reconcile-requested-at is read and repeated in the status, in
// bytes.
const maxRequested = 64

// Requested is the value of the annotation that asks for a reconcile now.
func Requested(bid *onebidv1.Bid) string {
	value := bid.Annotations[onebidv1.AnnotationReconcileRequestedAt]
	return value[:min(len(value), maxRequested)]
}

func placedCondition(bid *onebidv1.Bid) *metav1.Condition {
	return meta.FindStatusCondition(bid.Status.Conditions, onebidv1.ConditionPlaced)
}

// PlacedStatus is True when a bid of ours is known at the marketplace, Unknown when a call may have placed one.
func PlacedStatus(bid *onebidv1.Bid) metav1.ConditionStatus {
	if c := placedCondition(bid); c != nil {
		return c.Status
	}
	return metav1.ConditionFalse
}

// Indeterminate is true when only a person can say what became of a place call.
func Indeterminate(bid *onebidv1.Bid) bool {
	c := placedCondition(bid)
	return c != nil && c.Status == metav1.ConditionUnknown && c.Reason == onebidv1.ReasonIndeterminate
}

// leaseLost is true while only the missing Lease makes the outcome unknown.
func leaseLost(bid *onebidv1.Bid) bool {
	c := placedCondition(bid)
	return c != nil && c.Reason == onebidv1.ReasonLeaseLost
}

// UsesCapacity is true for a Bid that is open at the marketplace, or may be, as far as its status knows.
func UsesCapacity(bid *onebidv1.Bid) bool {
	return !Terminal(bid) && PlacedStatus(bid) != metav1.ConditionFalse
}

// AwaitsCapacity is true for a Bid that waits for others to end, by its status.
func AwaitsCapacity(bid *onebidv1.Bid) bool {
	c := meta.FindStatusCondition(bid.Status.Conditions, onebidv1.ConditionAccepted)
	return !Terminal(bid) && !Withdrawing(bid) && c != nil && c.Status == metav1.ConditionFalse &&
		(c.Reason == onebidv1.ReasonTooManyActiveBids || c.Reason == onebidv1.ReasonBudgetExhausted)
}

// Attempts counts the attempts of an operation whose outcome is recorded. Once withdrawing began, all place attempts are
// recorded. A bid that the first attempt placed keeps no attempts in its status.
func Attempts(bid *onebidv1.Bid, operation onebidv1.AttemptOperation) int32 {
	switch a := bid.Status.Attempts; {
	case a != nil && a.Operation == operation:
		return a.Count
	case a == nil && operation == onebidv1.OperationPlace && PlacedStatus(bid) == metav1.ConditionTrue:
		return 1
	}
	return 0
}

// nextAttempt is when the next attempt of an operation is due; zero is now.
func nextAttempt(bid *onebidv1.Bid, operation onebidv1.AttemptOperation) time.Time {
	a := bid.Status.Attempts
	if a == nil || a.Operation != operation || a.NextTime == nil {
		return time.Time{}
	}
	return a.NextTime.Time
}

// maxAnswer bounds how much of the annotation onebid.dev/resolve is read and repeated in the status, in bytes.
const maxAnswer = 256

// Answer is what a person says of an Indeterminate Bid by the annotation onebid.dev/resolve, "" when there is nothing new.
// A value that was there before the Bid became Indeterminate may answer an earlier question, so it does not count.
func Answer(bid *onebidv1.Bid) string {
	if given := givenAnswer(bid); Indeterminate(bid) && given != bid.Status.LastHandledResolve {
		return given
	}
	return ""
}

// AnswerWord is the part of an answer that decides; the text after a colon is for the record.
func AnswerWord(answer string) string {
	word, _, _ := strings.Cut(answer, ":")
	return strings.TrimSpace(word)
}

func givenAnswer(bid *onebidv1.Bid) string {
	return text.Cut(bid.Annotations[onebidv1.AnnotationResolve], maxAnswer)
}
