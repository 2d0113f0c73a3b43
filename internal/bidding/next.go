package bidding

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// Action is what a reconcile sets out to do with a Bid.
type Action string

const (
	// ActionNone leaves the Bid alone, until an event or Plan.At.
	ActionNone Action = "None"
	// ActionAddFinalizer adds our finalizer where no admission policy did, in a write of its own.
	ActionAddFinalizer Action = "AddFinalizer"
	// ActionReport writes Plan.Change and does nothing else, once it is certain that no call is open.
	ActionReport Action = "Report"
	// ActionPreview shows the request that would place the bid, and sends nothing.
	ActionPreview Action = "Preview"
	// ActionPlace claims the posting and places the bid.
	ActionPlace Action = "Place"
	// ActionResolve finds out what became of a place call whose outcome is unknown.
	ActionResolve Action = "Resolve"
	// ActionAnswer carries out a person's answer about an Indeterminate Bid.
	ActionAnswer Action = "Answer"
	// ActionWithdraw withdraws the open bid.
	ActionWithdraw Action = "Withdraw"
	// ActionCancel ends a Bid for which no place call is known, by Plan.Change, once it is certain that none is open.
	ActionCancel Action = "Cancel"
	// ActionWriteTombstone turns the posting's Lease, which this process holds for a terminal Bid, into its tombstone.
	ActionWriteTombstone Action = "WriteTombstone"
	// ActionFinalize removes our finalizer from a terminal Bid.
	ActionFinalize Action = "Finalize"
	// ActionAbandon removes our finalizer because a person said so.
	ActionAbandon Action = "Abandon"
	// ActionPoll reads the bid's present state from the marketplace.
	ActionPoll Action = "Poll"
	// ActionReleaseClaim gives the posting back, because another replica reserves the Marketplace's capacity.
	ActionReleaseClaim Action = "ReleaseClaim"
)

// Calls is true for an action that begins with a call to the marketplace.
func (a Action) Calls() bool {
	switch a {
	case ActionPlace, ActionResolve, ActionAnswer, ActionWithdraw, ActionPoll:
		return true
	default:
		return false
	}
}

// Plan is one action, with what it needs.
type Plan struct {
	Action Action
	// Change to be written, for ActionReport and ActionCancel.
	Change Change
	// At is when to reconcile again without an event; zero is never.
	At time.Time
}

// Facts are all that Next decides on. They may come from a cache: Next decides what to claim, and Decide, on an uncached
// read, what to do under the claim.
type Facts struct {
	Bid View
	// Denial is what Guard said, nil when all guards passed.
	Denial *Denial
	// Mode and Class of the Marketplace; empty when there is none.
	Mode  onebidv1.MarketplaceMode
	Class onebidv1.MarketplaceClass
	// CallOpen is true while this process remembers a place call whose outcome is not recorded.
	CallOpen bool
	// Claimed is true while this process holds the posting's Lease for the Bid.
	Claimed bool
	// PollAt is when the bid's state is to be read from the marketplace again; zero is never.
	PollAt time.Time
}

// Next decides what to do with a Bid. Earlier cases are more urgent: finish what is terminal, resolve what is unknown before
// anything else is sent, withdraw what is open and unwanted, and only then place.
func Next(f Facts, now time.Time) Plan {
	bid := f.Bid
	switch {
	case bid.Deleting && !bid.Finalizer:
		return Plan{Action: ActionNone}
	case bid.Deleting && bid.Abandoned:
		return Plan{Action: ActionAbandon}
	case bid.Terminal():
		return planTerminal(f, now)
	case !bid.Finalizer:
		return Plan{Action: ActionAddFinalizer}
	case bid.Placed == metav1.ConditionUnknown:
		return planUnknown(bid, now)
	case bid.Placed == metav1.ConditionTrue:
		return planOpen(f, now)
	case bid.Withdrawing:
		return planCancel(f)
	default:
		return planPlace(f, now)
	}
}

func planTerminal(f Facts, now time.Time) Plan {
	switch {
	case f.Bid.Deleting:
		return Plan{Action: ActionFinalize}
	case f.Claimed:
		return Plan{Action: ActionWriteTombstone}
	case f.Bid.Outcome == onebidv1.StateWithdrawn && f.Bid.HasRemote:
		return planPoll(f, now)
	default:
		return Plan{Action: ActionNone}
	}
}

func planUnknown(bid View, now time.Time) Plan {
	switch {
	case bid.Indeterminate && bid.Answered:
		return Plan{Action: ActionAnswer}
	case bid.Indeterminate:
		return Plan{Action: ActionNone}
	case bid.PlaceAt.After(now):
		return Plan{Action: ActionNone, At: bid.PlaceAt}
	}
	return Plan{Action: ActionResolve}
}

func planOpen(f Facts, now time.Time) Plan {
	switch {
	case !f.Bid.Withdrawing:
		return planPoll(f, now)
	case f.Bid.WithdrawAt.After(now):
		return Plan{Action: ActionNone, At: f.Bid.WithdrawAt}
	}
	return Plan{Action: ActionWithdraw}
}

func planPoll(f Facts, now time.Time) Plan {
	if f.Bid.Requested || !f.PollAt.IsZero() && !f.PollAt.After(now) {
		return Plan{Action: ActionPoll}
	}
	return Plan{Action: ActionNone, At: f.PollAt}
}

// planCancel ends a Bid that is not placed, as far as is known. In class IdempotencyKey absence does not prove that the first
// call will never take effect, so the same key is sent once more: its reply names the bid, which is withdrawn then.
func planCancel(f Facts) Plan {
	if f.Class == onebidv1.ClassIdempotencyKey && f.Bid.Settling {
		return Plan{Action: ActionReport, Change: OutcomeUnknown(f.Bid.Attempts,
			"a lookup did not find the bid, which does not prove that the call never takes effect; repeating its key before the Bid may go")}
	}
	return Plan{Action: ActionCancel, Change: NeverPlaced()}
}

func planPlace(f Facts, now time.Time) Plan {
	switch {
	case f.CallOpen: // the cache does not show the outcome yet, or it could not be recorded
		return Plan{Action: ActionResolve}
	case f.Denial != nil && f.Denial.Outcome != "":
		return Plan{Action: ActionCancel, Change: Denied(*f.Denial)}
	case f.Denial != nil:
		return Plan{Action: ActionReport, Change: Denied(*f.Denial)}
	case f.Mode == onebidv1.ModeDryRun:
		return Plan{Action: ActionPreview}
	case f.Bid.PlaceAt.After(now) && f.Bid.DeniedBefore:
		return Plan{Action: ActionReport, Change: GuardsPassed()}
	case f.Bid.PlaceAt.After(now):
		return Plan{Action: ActionNone, At: f.Bid.PlaceAt}
	}
	return Plan{Action: ActionPlace}
}
