package bid

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

// uncountedFailures stands for the number of failed attempts where none is counted: a wait that is neither short nor the longest.
const uncountedFailures = 5

// note is for the steps without I/O.
func (st steps) note(o *owned, step bidding.Step) effect {
	switch step.Kind {
	case bidding.StepRecord:
		return st.record(o, step)
	case bidding.StepAwaitSettle:
		return effect{after: st.settleWait(o)}
	case bidding.StepReportBlocked:
		return effect{change: blocked(o.situation)}
	case bidding.StepForgetCall:
		return effect{forget: true, err: errChanged}
	case bidding.StepClearIntent:
		return effect{clear: []types.UID{o.live.UID}, err: errChanged}
	default: // bidding.StepRestart
		return effect{err: errChanged}
	}
}

// record turns a fact into a change of the status.
func (st steps) record(o *owned, step bidding.Step) effect {
	switch step.Fact {
	case bidding.FactPlaced:
		return placed(o, st.learned(o), step.Attempt)
	case bidding.FactOutcomeUnknown:
		return st.outcomeUnknown(o, step.Attempt)
	case bidding.FactLeaseLost:
		change := bidding.LeaseLost()
		return effect{change: &change, decide: true}
	case bidding.FactAbsent:
		return verdict(o, bidding.Absent(step.Attempt, o.account.Spec().Class), true)
	case bidding.FactExistingBid:
		return verdict(o, bidding.ExistingBid(o.found[o.match.Index].ID, step.Attempt), false)
	case bidding.FactRefused:
		return verdict(o, bidding.PlaceFailed(st.failure(o, o.replyErr, step.Attempt)), false)
	case bidding.FactPreflightFailed:
		// Nothing was sent: the count makes the intent history, so it needs no resolving.
		change := bidding.PlaceFailed(st.failure(o, o.lookupErr, step.Attempt))
		return effect{change: &change}
	case bidding.FactUnresolved:
		return st.unresolved(o)
	case bidding.FactEarlierUnresolved:
		return st.earlierUnresolved(o, o.lookupErr)
	default:
		change := bidding.Undecidable(map[bidding.Fact]string{
			bidding.FactAmbiguous:        "A place call may have taken effect, and more than one open bid of the account is on the posting",
			bidding.FactAbsenceUnproven:  "A place call may have taken effect; the marketplace shows no bid, which proves nothing there",
			bidding.FactEarlierAmbiguous: "An earlier Bid on this posting may have left a bid there that cannot be distinguished from others",
		}[step.Fact])
		return effect{change: &change}
	}
}

// learned is the bid that the reply named, that the lookup found, or that an earlier reply named and could not be recorded.
func (st steps) learned(o *owned) *bidding.Remote {
	switch {
	case o.reply == bidding.ReplySuccess:
		return remoteOf(o.remote, false)
	case o.lookup == bidding.VerdictOurs:
		return remoteOf(o.found[o.match.Index], true)
	}
	call, _ := st.calls.get(o.live.UID)
	return call.learned
}

func placed(o *owned, remote *bidding.Remote, attempt int32) effect {
	change := bidding.Placed(*remote, attempt, o.account.Spec().Class)
	return effect{change: &change, remote: remote, forget: true, resolved: true}
}

// verdict records that nothing of this Bid is there. A Bid that goes with its namespace just goes: there is no Lease to say that
// a recorded verdict was the last word.
func verdict(o *owned, change bidding.Change, resolved bool) effect {
	if o.lease == bidding.LeaseGone {
		return effect{letGo: onebidv1.StateWithdrawn}
	}
	return effect{change: &change, forget: true, resolved: resolved}
}

func (st steps) outcomeUnknown(o *owned, attempt int32) effect {
	message := "its outcome was not recorded"
	if o.replyErr != nil {
		message = o.replyErr.Error()
	}
	change := bidding.OutcomeUnknown(attempt, message)
	if o.reply == "" {
		return effect{change: &change, decide: true} // the fence; resolving goes on
	}
	return effect{change: &change, after: max(st.settleWait(o), time.Millisecond)}
}

// unresolved counts attempts by the time since the outcome is unknown: status.attempts counts place calls, by which intents are
// judged.
func (st steps) unresolved(o *owned) effect {
	cause := o.lookupErr
	if cause == nil {
		cause = o.replyErr
	}
	f := st.failure(o, cause, bidding.AttemptsSince(o.marketplace.Spec.Retry, o.live.Status.SettlingSince, st.Wall.Now()))
	change := bidding.Unresolved(f)
	return effect{change: &change, after: st.until(f.Next)}
}

func (st steps) failure(o *owned, err error, attempt int32) bidding.Failure {
	class, retry := marketplace.ClassOf(err), o.marketplace.Spec.Retry
	delay := bidding.RetryDelay(retry, class, attempt, marketplace.RetryAfter(err), st.Jitter())
	return bidding.Failure{
		Class: class, Message: err.Error(), Attempt: attempt, Next: st.Wall.Now().Add(delay), ReviewAfter: retry.ManualReviewAfter,
	}
}

func (st steps) earlierUnresolved(o *owned, err error) effect {
	class := marketplace.ClassOf(err)
	delay := bidding.RetryDelay(o.marketplace.Spec.Retry, class, uncountedFailures, marketplace.RetryAfter(err), st.Jitter())
	if class == onebidv1.ErrorNotWithdrawable {
		delay = o.longestWait()
	}
	change := bidding.EarlierUnresolved(class, err.Error())
	return effect{change: &change, after: delay}
}
