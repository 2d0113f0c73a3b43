package bidding

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/text"
)

// maxMessage bounds a condition's message and lastError, in bytes.
const maxMessage = 1024

// Change is one fact for a Bid's status. The files status_*.go make them.
type Change struct {
	// Learned is true when the fact is a bid at the marketplace. It may be added to any later version of the status; every
	// other change counts only for the version of the Bid that was read.
	Learned bool

	apply func(*edit)
	// secondID, when set, is the ID of a bid that does not replace another recorded one.
	secondID string
}

// Second is true when the change names a bid that is open beside the one that the Bid has.
func (c Change) Second(bid *onebidv1.Bid) bool {
	remote := bid.Status.Remote
	return c.secondID != "" && PlacedStatus(bid) == metav1.ConditionTrue && remote != nil && remote.BidID != c.secondID
}

// Apply writes the fact to the Bid, in memory, and updates everything that is derived from it.
func (c Change) Apply(bid *onebidv1.Bid, now time.Time) {
	e := &edit{bid: bid, status: &bid.Status, now: now}
	e.init()
	c.apply(e)
	e.summarize()
}

// edit is a status under change.
type edit struct {
	bid    *onebidv1.Bid
	status *onebidv1.BidStatus
	now    time.Time
	// reconciling and stalled become the conditions of that name; at most one is set.
	reconciling, stalled *note
}

type note struct{ reason, message string }

// init sets the conditions that are always present to their first value. Duplicate and Withdrawn are absent until they apply.
func (e *edit) init() {
	if meta.FindStatusCondition(e.status.Conditions, onebidv1.ConditionAccepted) == nil {
		e.set(onebidv1.ConditionAccepted, metav1.ConditionUnknown, onebidv1.ReasonPending, "Not examined yet")
	}
	if placedCondition(e.bid) == nil {
		e.set(onebidv1.ConditionPlaced, metav1.ConditionFalse, onebidv1.ReasonNotPlaced, "Not placed yet")
	}
	if e.status.AtomicEventID == "" {
		e.status.AtomicEventID = IdempotencyKey(e.bid.Namespace, KeyOf(e.bid), e.bid.UID)
	}
	e.status.PostingCachedAt = e.bid.Spec.PostingCachedAt
	e.status.Preview = nil // DryRun sets it again while it applies
	e.status.LastHandledReconcileAt = Requested(e.bid)
}

func (e *edit) set(kind string, status metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&e.status.Conditions, metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: text.Cut(message, maxMessage),
		ObservedGeneration: e.bid.Generation, LastTransitionTime: metav1.NewTime(e.now),
	})
}

func (e *edit) accept() {
	e.set(onebidv1.ConditionAccepted, metav1.ConditionTrue, onebidv1.ReasonAccepted, "All guards passed")
}

// keep leaves Reconciling and Stalled as they are.
func (e *edit) keep() {
	e.reconciling, e.stalled = e.current(onebidv1.ConditionReconciling), e.current(onebidv1.ConditionStalled)
}

func (e *edit) current(kind string) *note {
	if c := meta.FindStatusCondition(e.status.Conditions, kind); c != nil {
		return &note{c.Reason, c.Message}
	}
	return nil
}

func (e *edit) attempts(operation onebidv1.AttemptOperation, count int32, next time.Time, lastError string) {
	e.status.Attempts = &onebidv1.BidAttempts{Operation: operation, Count: count, LastError: text.Cut(lastError, maxMessage)}
	if !next.IsZero() {
		// Times in the API have whole seconds; rounding up never shortens a Retry-After.
		at := metav1.NewTime(next.Add(time.Second - 1).Truncate(time.Second))
		e.status.Attempts.NextTime = &at
	}
}

// placeAttempts records that the outcome of place attempts up to this one is known.
func (e *edit) placeAttempts(attempt int32) int32 {
	return max(attempt, Attempts(e.bid, onebidv1.OperationPlace))
}

// end writes the terminal state. The count of attempts stays, because intents are judged by it.
func (e *edit) end(outcome onebidv1.BidState) {
	e.status.Outcome = outcome
	e.status.SettlingSince = nil
	if a := e.status.Attempts; a != nil {
		a.NextTime = nil
	}
}

// observe ends the Bid when the marketplace ended the bid.
func (e *edit) observe(state onebidv1.RemoteState) {
	switch outcome := OutcomeOf(state); outcome {
	case "":
	case onebidv1.StateWithdrawn:
		e.withdrawn("The marketplace reports that the bid was withdrawn there")
	default:
		e.end(outcome)
	}
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

// withdrawalRequested says that a withdrawal goes on, when one is wanted.
func (e *edit) withdrawalRequested() {
	if e.status.Outcome != "" || !Withdrawing(e.bid) {
		return
	}
	const message = "The bid is open and is being withdrawn"
	e.set(onebidv1.ConditionWithdrawn, metav1.ConditionFalse, onebidv1.ReasonRequested, message)
	e.reconciling = &note{onebidv1.ReasonWithdrawing, message}
}

// OutcomeOf translates the marketplace's state of a bid into the Bid's terminal state, "" while there is none.
func OutcomeOf(state onebidv1.RemoteState) onebidv1.BidState {
	switch state {
	case onebidv1.RemoteWon:
		return onebidv1.StateWon
	case onebidv1.RemoteLost:
		return onebidv1.StateLost
	case onebidv1.RemoteWithdrawn:
		return onebidv1.StateWithdrawn
	case onebidv1.RemoteRejected:
		return onebidv1.StateRejected
	case onebidv1.RemoteExpired:
		return onebidv1.StateExpired
	default:
		return ""
	}
}

// Failure is a refused or failed attempt.
type Failure struct {
	Class   onebidv1.ErrorClass
	Message string
	// Attempt that failed, from 1.
	Attempt int32
	// Next is when the next one is due.
	Next time.Time
	// ReviewAfter so many failed attempts a person must look.
	ReviewAfter int32
}

// retrying says that the operation is tried again, and calls a person after too many attempts.
func (e *edit) retrying(f Failure, operation string) {
	if f.Attempt >= f.ReviewAfter {
		e.stalled = &note{onebidv1.ReasonManualReview, fmt.Sprintf(
			"%s failed %d times; it is still retried, at the longest interval. Find the cause: %s", operation, f.Attempt, f.Message)}
		return
	}
	e.reconciling = &note{onebidv1.ReasonRetrying, operation + " is retried: " + f.Message}
}

func reasonOf(class onebidv1.ErrorClass) string {
	switch class {
	case onebidv1.ErrorRateLimited:
		return onebidv1.ReasonRateLimited
	case onebidv1.ErrorQuotaExhausted:
		return onebidv1.ReasonQuotaExhausted
	case onebidv1.ErrorAuth:
		return onebidv1.ReasonAuthenticationFailed
	case onebidv1.ErrorForbidden:
		return onebidv1.ReasonForbidden
	case onebidv1.ErrorInvalid, onebidv1.ErrorNotFound:
		return onebidv1.ReasonInvalid
	case onebidv1.ErrorPostingClosed:
		return onebidv1.ReasonPostingClosed
	case onebidv1.ErrorNotWithdrawable:
		return onebidv1.ReasonNotWithdrawable
	default:
		return onebidv1.ReasonMarketplaceError
	}
}

// refusal is the terminal state that a class of refusal to place leads to, "" when it may pass.
func refusal(class onebidv1.ErrorClass) onebidv1.BidState {
	switch class {
	case onebidv1.ErrorForbidden, onebidv1.ErrorInvalid, onebidv1.ErrorNotFound:
		return onebidv1.StateRejected
	case onebidv1.ErrorPostingClosed:
		return onebidv1.StateExpired
	default:
		return ""
	}
}

// summarize derives state and the conditions Ready, Reconciling and Stalled, and dates everything with the generation.
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

// abnormal conditions are present only while they are True.
func (e *edit) abnormal(kind string, n *note) {
	if n == nil {
		meta.RemoveStatusCondition(&e.status.Conditions, kind)
		return
	}
	e.set(kind, metav1.ConditionTrue, n.reason, n.message)
}

// condition returns a condition, and an empty one when it is absent.
func (e *edit) condition(kind string) metav1.Condition {
	if c := meta.FindStatusCondition(e.status.Conditions, kind); c != nil {
		return *c
	}
	return metav1.Condition{}
}

func (e *edit) state() onebidv1.BidState {
	switch {
	case e.status.Outcome != "":
		return e.status.Outcome
	case Indeterminate(e.bid):
		return onebidv1.StateIndeterminate
	case Withdrawing(e.bid):
		return onebidv1.StateWithdrawing
	case PlacedStatus(e.bid) == metav1.ConditionTrue:
		return onebidv1.StateActive
	default:
		return onebidv1.StatePending
	}
}

func (e *edit) ready() (status metav1.ConditionStatus, reason, message string) {
	accepted, placed := e.condition(onebidv1.ConditionAccepted), e.condition(onebidv1.ConditionPlaced)
	withdrawn := e.condition(onebidv1.ConditionWithdrawn)
	switch {
	case e.status.Outcome != "":
		return metav1.ConditionTrue, string(e.status.Outcome), e.outcomeMessage()
	case placed.Status == metav1.ConditionUnknown:
		return metav1.ConditionUnknown, placed.Reason, placed.Message
	case Withdrawing(e.bid) && withdrawn.Reason != "":
		return metav1.ConditionFalse, withdrawn.Reason, withdrawn.Message
	case Withdrawing(e.bid):
		return metav1.ConditionFalse, onebidv1.ReasonRequested, "The bid is to be withdrawn"
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
