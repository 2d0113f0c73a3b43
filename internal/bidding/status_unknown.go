package bidding

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// OutcomeUnknown fences: it records that a place call may have taken effect, so that a sender that records late meets a
// conflict.
func OutcomeUnknown(attempt int32, message string) Change {
	return Change{apply: func(e *edit) {
		text := "A place call may have taken effect; it is looked up after the settle time: " + message
		e.accept()
		e.settling(onebidv1.ReasonOutcomeUnknown, attempt, message, text)
	}}
}

// LeaseLost fences as well, where only the missing Lease suggests a place call.
func LeaseLost() Change {
	return Change{apply: func(e *edit) {
		const message = "the namespace is being deleted, and the Lease that would tell is gone"
		text := "A place call may have been made; it is looked up after the settle time: " + message
		e.settling(onebidv1.ReasonLeaseLost, 0, message, text)
	}}
}

func (e *edit) settling(reason string, attempt int32, message, text string) {
	attempt = e.placeAttempts(attempt)
	if e.status.SettlingSince == nil || PlacedStatus(e.bid) != metav1.ConditionUnknown {
		at := metav1.NewTime(e.now)
		e.status.SettlingSince = &at
	}
	e.set(onebidv1.ConditionPlaced, metav1.ConditionUnknown, reason, text)
	e.status.Outcome = ""
	e.attempts(onebidv1.OperationPlace, attempt, time.Time{}, message)
	e.reconciling = &note{onebidv1.ReasonResolving, text}
}

// Unresolved records that finding out about an unknown outcome failed, and when it is tried again.
func Unresolved(f Failure) Change {
	return Change{apply: func(e *edit) {
		text := "A place call may have taken effect, and looking it up failed: " + f.Message
		reason := onebidv1.ReasonOutcomeUnknown
		if leaseLost(e.bid) {
			reason = onebidv1.ReasonLeaseLost
		}
		e.set(onebidv1.ConditionPlaced, metav1.ConditionUnknown, reason, text)
		e.attempts(onebidv1.OperationPlace, e.placeAttempts(0), f.Next, f.Message)
		if f.Attempt >= f.ReviewAfter {
			e.stalled = &note{onebidv1.ReasonManualReview, "Still retried, at the longest interval. Find the cause. " + text}
			return
		}
		e.reconciling = &note{onebidv1.ReasonResolving, text}
	}}
}

// Absent records that an unknown outcome was looked up and no bid of ours is there. In class IdempotencyKey that suffices to
// send the same key again, but does not prove that the first call never takes effect: settlingSince stays.
func Absent(attempt int32, class onebidv1.MarketplaceClass) Change {
	return Change{apply: func(e *edit) {
		since := e.status.SettlingSince
		e.absent(attempt, "Looked up after an unknown outcome: nothing was placed")
		if class == onebidv1.ClassIdempotencyKey {
			e.status.SettlingSince = since
		}
	}}
}

func (e *edit) absent(attempt int32, message string) {
	attempt = e.placeAttempts(attempt)
	e.set(onebidv1.ConditionPlaced, metav1.ConditionFalse, onebidv1.ReasonNotPlaced, message)
	e.status.SettlingSince = nil
	e.attempts(onebidv1.OperationPlace, attempt, time.Time{}, "")
	e.reconciling = &note{onebidv1.ReasonProgressing, "Nothing was placed; placing is tried again"}
}

// Undecidable records that only a person can say what became of a place call, and how to say it. The present value of the
// annotation onebid.dev/resolve does not count as the answer.
func Undecidable(why string) Change {
	return Change{apply: func(e *edit) {
		e.status.LastHandledResolve = givenAnswer(e.bid)
		text := fmt.Sprintf("%s. Look at the marketplace. If this bid is open there: %#q; if not: %#q",
			why, e.command(onebidv1.ResolvePlaced), e.command(onebidv1.ResolveNotPlaced))
		e.set(onebidv1.ConditionPlaced, metav1.ConditionUnknown, onebidv1.ReasonIndeterminate, text)
		e.stalled = &note{onebidv1.ReasonIndeterminate, text}
	}}
}

// command is what a person types to answer. Where the annotation has a value already, the new one differs from it.
func (e *edit) command(word string) string {
	flag := ""
	if used := e.status.LastHandledResolve; used != "" {
		_, rest, _ := strings.Cut(used, ":")
		count, _ := strconv.ParseUint(rest, 10, 16) // no number counts as none
		flag, word = "--overwrite ", fmt.Sprintf("%s:%d", word, max(count, 1)+1)
	}
	return fmt.Sprintf("kubectl annotate %s-n %s bid %s %s=%s", flag, e.bid.Namespace, e.bid.Name, onebidv1.AnnotationResolve, word)
}

// NotPlaced records that, by a person's answer, an unknown outcome had no effect.
func NotPlaced(attempt int32, answer string) Change {
	return Change{apply: func(e *edit) {
		e.status.LastHandledResolve = answer
		e.absent(attempt, "Answered by "+onebidv1.AnnotationResolve+": nothing was placed")
	}}
}

// Unanswered records that a person's answer is not carried out yet, and why. It stays an open one.
func Unanswered(answer, why string) Change {
	return Change{apply: func(e *edit) {
		e.stalled = &note{onebidv1.ReasonIndeterminate, fmt.Sprintf(
			"%s says %q; the lookup for the bid failed and is retried: %s", onebidv1.AnnotationResolve, answer, why)}
	}}
}

// EarlierUnresolved records that what an earlier Bid left at the marketplace must be resolved first, and why it is not yet.
func EarlierUnresolved(class onebidv1.ErrorClass, message string) Change {
	return Change{apply: func(e *edit) {
		text := "A bid that an earlier Bid on this posting left at the marketplace must be resolved first: " + message
		if PlacedStatus(e.bid) == metav1.ConditionFalse {
			e.set(onebidv1.ConditionPlaced, metav1.ConditionFalse, reasonOf(class), text)
		}
		if class == onebidv1.ErrorNotWithdrawable {
			e.stalled = &note{onebidv1.ReasonNotWithdrawable, text + "; end it there"}
			return
		}
		e.reconciling = &note{onebidv1.ReasonResolving, text}
	}}
}
