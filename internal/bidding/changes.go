package bidding

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// Held notes why the Bid may not be placed; a Hold with an outcome ends it.
func Held(hold Hold) Change {
	return Change{apply: func(e *edit) {
		e.set(onebidv1.ConditionAccepted, metav1.ConditionFalse, hold.Reason, hold.Message)
		if !hold.Until.IsZero() {
			e.attempts(onebidv1.OperationPlace, Attempts(e.bid, onebidv1.OperationPlace), hold.Until, "")
		}
		switch {
		case hold.Outcome != "":
			e.end(hold.Outcome)
		case hold.Stalled:
			e.stalled = &note{hold.Reason, hold.Message}
		default:
			e.reconciling = &note{onebidv1.ReasonProgressing, hold.Message}
		}
	}}
}

// Remote is what a marketplace told about a bid of ours.
type Remote struct {
	ID, URL  string
	PlacedAt time.Time
	State    onebidv1.RemoteState
	// Adopted is true when a look-up found the bid after an unknown outcome.
	Adopted bool
}

// Placed notes a bid of ours at the marketplace, under the attempt that it answers.
func Placed(remote Remote, attempt int32) Change {
	return Change{Learned: true, apply: func(e *edit) {
		if PlacedStatus(e.bid) == metav1.ConditionTrue && e.status.Remote != nil && e.status.Remote.BidID == remote.ID {
			// Told late, of what is known: whatever was found out about the bid since then stands.
			e.asBefore()
			return
		}
		e.accept()
		reason, message := onebidv1.ReasonPlaced, "The marketplace confirmed the bid"
		if remote.Adopted {
			reason, message = onebidv1.ReasonAdopted, "Found at the marketplace after an unknown outcome, and taken over"
		}
		e.set(onebidv1.ConditionPlaced, metav1.ConditionTrue, reason, message)
		e.status.Remote = &onebidv1.RemoteBid{BidID: remote.ID, URL: remote.URL}
		at := metav1.NewTime(e.now)
		if !remote.PlacedAt.IsZero() {
			at = metav1.NewTime(remote.PlacedAt)
		}
		e.status.Remote.PlacedAt = &at
		if remote.Adopted {
			e.status.Remote.Adopted = &remote.Adopted
		}
		e.status.SettlingSince = nil
		// A verdict reached without knowing of this bid is void: what is live must be withdrawn or polled.
		e.status.Outcome = ""
		e.attempts(onebidv1.OperationPlace, max(attempt, Attempts(e.bid, onebidv1.OperationPlace)), time.Time{}, "")
		e.observe(remote.State)
		e.requested()
	}}
}

// PlacedBeside is Placed at a marketplace of class None, which accepts a second bid as it did the first: there one that is
// recorded already is not replaced. See Change.Second.
func PlacedBeside(remote Remote, attempt int32) Change {
	change := Placed(remote, attempt)
	change.beside = remote.ID
	return change
}

// Observed notes what the marketplace says of the Bid's remote bid by now.
func Observed(state onebidv1.RemoteState) Change {
	return Change{apply: func(e *edit) {
		e.observe(state)
		e.requested()
	}}
}

// observe ends the Bid when the marketplace ended the bid.
func (e *edit) observe(state onebidv1.RemoteState) {
	outcome := OutcomeOf(state)
	if outcome == onebidv1.StateWithdrawn {
		e.withdrawn("The marketplace reports that the bid was withdrawn there")
		return
	}
	if outcome != "" {
		e.end(outcome)
	}
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

// end writes the terminal state; attempts keep their count, since intents are judged by it, and lose what is to come.
func (e *edit) end(outcome onebidv1.BidState) {
	e.status.Outcome = outcome
	e.status.SettlingSince = nil
	if a := e.status.Attempts; a != nil {
		a.NextTime = nil
	}
}

// requested notes that a withdrawal is under way, when one is wanted.
func (e *edit) requested() {
	if e.status.Outcome != "" || !Withdrawing(e.bid) {
		return
	}
	e.set(onebidv1.ConditionWithdrawn, metav1.ConditionFalse, onebidv1.ReasonRequested, "The bid is live and being withdrawn")
	e.reconciling = &note{onebidv1.ReasonWithdrawing, "The bid is live and being withdrawn"}
}

// Failure is a refused or failed attempt.
type Failure struct {
	Class   onebidv1.ErrorClass
	Message string
	// Attempt that failed, from 1.
	Attempt int32
	// Next is when the next one is due.
	Next time.Time
	// ReviewAfter this many failed attempts a person is called.
	ReviewAfter int32
}

// PlaceFailed notes an attempt that certainly had no effect. Permanent refusals end the Bid.
func PlaceFailed(f Failure) Change {
	return Change{apply: func(e *edit) {
		e.accept()
		e.set(onebidv1.ConditionPlaced, metav1.ConditionFalse, reasonOf(f.Class), f.Message)
		e.attempts(onebidv1.OperationPlace, f.Attempt, f.Next, f.Message)
		if outcome := refusal(f.Class); outcome != "" {
			e.end(outcome)
			return
		}
		e.retrying(f, "Placing")
	}}
}

// Final is true for a class of refusal to place that ends the Bid.
func Final(class onebidv1.ErrorClass) bool { return refusal(class) != "" }

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

func (e *edit) retrying(f Failure, doing string) {
	if f.Attempt >= f.ReviewAfter {
		e.stalled = &note{onebidv1.ReasonManualReview, fmt.Sprintf(
			"%s failed %d times and is still tried at the longest interval; look into it: %s", doing, f.Attempt, f.Message)}
		return
	}
	e.reconciling = &note{onebidv1.ReasonRetrying, doing + " is tried again: " + f.Message}
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

// Absent notes that an unknown outcome was looked up and nothing of ours is there. In class IdempotencyKey that is enough
// to send the same key again, but no proof that the first call is not still under way: see Unproven.
func Absent(attempt int32, class onebidv1.MarketplaceClass) Change {
	return Change{apply: func(e *edit) {
		since := e.status.SettlingSince
		e.absent(attempt, "Looked up after an unknown outcome: nothing was placed")
		if class == onebidv1.ClassIdempotencyKey {
			e.status.SettlingSince = since
		}
	}}
}

func (e *edit) absent(attempt int32, why string) {
	e.set(onebidv1.ConditionPlaced, metav1.ConditionFalse, onebidv1.ReasonNotPlaced, why)
	e.status.SettlingSince = nil
	e.attempts(onebidv1.OperationPlace, max(attempt, Attempts(e.bid, onebidv1.OperationPlace)), time.Time{}, "")
	e.reconciling = &note{onebidv1.ReasonProgressing, "Nothing was placed; trying again"}
}

// Foreign notes that the account has another bid on the posting, which we never touch.
func Foreign(remoteID string, attempt int32) Change {
	return Change{apply: func(e *edit) {
		e.accept()
		message := fmt.Sprintf("The account already has bid %q on this posting, which was not placed by this Bid; it is left alone", remoteID)
		e.set(onebidv1.ConditionDuplicate, metav1.ConditionTrue, onebidv1.ReasonExistingBid, message)
		e.set(onebidv1.ConditionPlaced, metav1.ConditionFalse, onebidv1.ReasonAlreadyExists, message)
		e.attempts(onebidv1.OperationPlace, max(attempt, Attempts(e.bid, onebidv1.OperationPlace)), time.Time{}, "")
		e.end(onebidv1.StateDuplicate)
	}}
}
