package bidding

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// Action is what the controller does next with a Bid.
type Action string

const (
	// ActionNone leaves the Bid alone, until an event or Step.At.
	ActionNone Action = "None"
	// ActionAddFinalizer puts our finalizer on, alone, where no admission policy did.
	ActionAddFinalizer Action = "AddFinalizer"
	// ActionReport writes Step.Change and does nothing else.
	ActionReport Action = "Report"
	// ActionPreview shows the request that would place the bid, and sends nothing.
	ActionPreview Action = "Preview"
	// ActionPlace claims the posting and places the bid.
	ActionPlace Action = "Place"
	// ActionResolve finds out what became of a place whose outcome is unknown.
	ActionResolve Action = "Resolve"
	// ActionWithdraw takes the live bid back.
	ActionWithdraw Action = "Withdraw"
	// ActionCancel ends a Bid that nothing is known to have been placed for, by Step.Change, once it is certain that no
	// call is open.
	ActionCancel Action = "Cancel"
	// ActionSettle turns the posting's Lease, which this process holds, into a tombstone.
	ActionSettle Action = "Settle"
	// ActionFinalize removes our finalizer from a settled Bid.
	ActionFinalize Action = "Finalize"
	// ActionAbandon removes our finalizer because a person said so.
	ActionAbandon Action = "Abandon"
	// ActionAnswer carries out what a person said of a Bid that is Indeterminate.
	ActionAnswer Action = "Answer"
	// ActionPoll reads what the marketplace says of the bid by now.
	ActionPoll Action = "Poll"
)

// Step is one action, with what it needs.
type Step struct {
	Action Action
	// Change to be written, for ActionReport and ActionCancel.
	Change Change
	// At is when to look again although nothing happened; zero for never.
	At time.Time
}

// Facts are all that Next decides on.
type Facts struct {
	Bid *onebidv1.Bid
	// Hold is what Guard said, nil when nothing is in the way.
	Hold *Hold
	// Mode and Class of the Marketplace; empty when there is none.
	Mode  onebidv1.MarketplaceMode
	Class onebidv1.MarketplaceClass
	// Claimed is true while this process holds the posting's Lease for the Bid.
	Claimed bool
	// PollAt is when the marketplace is to be asked about the bid again; zero for never.
	PollAt time.Time
}

// Next decides what to do with a Bid. The order of its parts is the order of urgency: what is settled is tidied up, what
// is unknown is resolved before anything else is sent, what is live is withdrawn when that is wanted, and only then
// anything is placed.
func Next(f Facts, now time.Time) Step {
	bid := f.Bid
	deleting := !bid.DeletionTimestamp.IsZero()
	finalized := slices.Contains(bid.Finalizers, onebidv1.FinalizerWithdraw)
	switch {
	case deleting && !finalized:
		return Step{Action: ActionNone}
	case deleting && bid.Annotations[onebidv1.AnnotationAbandon] != "":
		return Step{Action: ActionAbandon}
	case Terminal(bid):
		return settled(f, now)
	case !finalized:
		return Step{Action: ActionAddFinalizer}
	case PlacedStatus(bid) == metav1.ConditionUnknown:
		return unknown(bid, now)
	case PlacedStatus(bid) == metav1.ConditionTrue:
		return live(f, now)
	case Withdrawing(bid):
		return cancel(f)
	default:
		return pending(f, now)
	}
}

// cancel ends a Bid that is not placed, as far as is known. A key that may still be on its way is asked for once more, by
// which whatever it did or does becomes known: that is withdrawn then.
func cancel(f Facts) Step {
	if f.Class == onebidv1.ClassIdempotencyKey && Unproven(f.Bid) {
		return Step{Action: ActionReport, Change: Unknown(Attempts(f.Bid, onebidv1.OperationPlace),
			"that it was not found does not prove that it will never be there; asking by its key before the Bid may go")}
	}
	return Step{Action: ActionCancel, Change: NeverPlaced()}
}

func settled(f Facts, now time.Time) Step {
	switch {
	case !f.Bid.DeletionTimestamp.IsZero():
		return Step{Action: ActionFinalize}
	case f.Claimed:
		return Step{Action: ActionSettle}
	case f.Bid.Status.Outcome == onebidv1.StateWithdrawn && f.Bid.Status.Remote != nil:
		return poll(f, now)
	default:
		return Step{Action: ActionNone}
	}
}

func unknown(bid *onebidv1.Bid, now time.Time) Step {
	switch {
	case Indeterminate(bid) && Answer(bid) != "":
		return Step{Action: ActionAnswer}
	case Indeterminate(bid):
		return Step{Action: ActionNone}
	}
	if at := NextAttempt(bid, onebidv1.OperationPlace); at.After(now) {
		return Step{Action: ActionNone, At: at}
	}
	return Step{Action: ActionResolve}
}

func live(f Facts, now time.Time) Step {
	if !Withdrawing(f.Bid) {
		return poll(f, now)
	}
	if at := NextAttempt(f.Bid, onebidv1.OperationWithdraw); at.After(now) {
		return Step{Action: ActionNone, At: at}
	}
	return Step{Action: ActionWithdraw}
}

func poll(f Facts, now time.Time) Step {
	asked := Requested(f.Bid) != f.Bid.Status.LastHandledReconcileAt
	switch {
	case asked || !f.PollAt.IsZero() && !f.PollAt.After(now):
		return Step{Action: ActionPoll}
	default:
		return Step{Action: ActionNone, At: f.PollAt}
	}
}

func pending(f Facts, now time.Time) Step {
	switch {
	case f.Hold == nil:
	case f.Hold.Outcome != "":
		return Step{Action: ActionCancel, Change: Held(*f.Hold)}
	default:
		return Step{Action: ActionReport, Change: Held(*f.Hold)}
	}
	if f.Mode == onebidv1.ModeDryRun {
		return Step{Action: ActionPreview}
	}
	if at := NextAttempt(f.Bid, onebidv1.OperationPlace); at.After(now) {
		if outdated(f.Bid) {
			return Step{Action: ActionReport, Change: LetThrough()}
		}
		return Step{Action: ActionNone, At: at}
	}
	return Step{Action: ActionPlace}
}

// NextAttempt is when the next attempt of an operation is due; zero when now.
func NextAttempt(bid *onebidv1.Bid, operation onebidv1.AttemptOperation) time.Time {
	a := bid.Status.Attempts
	if a == nil || a.Operation != operation || a.NextTime == nil {
		return time.Time{}
	}
	return a.NextTime.Time
}
