package bidding

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// LeaseState is what this process knows of the posting's Lease.
type LeaseState string

const (
	// LeaseHeld: this process holds it.
	LeaseHeld LeaseState = "Held"
	// LeaseGone: the namespace is being deleted and took the Lease, so nothing tells whether a call was made. No other Bid can
	// be created there.
	LeaseGone LeaseState = "Gone"
	// LeaseNever: the Lease was never claimed for this Bid, so nothing was sent for it.
	LeaseNever LeaseState = "Never"
)

// Owned are the facts of one Bid whose posting this process owns. Decide needs nothing else.
type Owned struct {
	// Plan is what Next set out to do, on the cached Bid.
	Plan Action
	// Bid is the uncached read.
	Bid View
	// Changed is true when Bid differs from the cached version in what Plan was based on: for ActionPlace the generation or
	// the number of attempts, otherwise the status.
	Changed bool

	// Class, StoresKey and Preflight are the Marketplace's; Connected is false while this process has no connection to it.
	Class                           onebidv1.MarketplaceClass
	StoresKey, Preflight, Connected bool

	Lease LeaseState
	// Inherited is true when an earlier holder may have made calls whose outcome this process did not see.
	Inherited bool
	// PriorAttempt is the place attempt of this Bid that an earlier holder noted on the Lease, 0 for none; NotedAttempt the
	// one that this process noted.
	PriorAttempt, NotedAttempt int32
	// EarlierBids is true while the Lease carries unresolved intents of earlier Bids on the posting.
	EarlierBids bool

	// CallAttempt is the place attempt that this process sent and whose outcome is not recorded, 0 for none. CallLearned is
	// true when the reply named the bid.
	CallAttempt int32
	CallLearned bool

	// Settled is true once every call that any holder may have started has either taken effect and is shown, or never will.
	Settled bool
	// Lookup is what the lookup of this reconcile showed; empty before it.
	Lookup Verdict
	// EarlierCertain is true when the lookup tells which bids earlier Bids left.
	EarlierCertain bool
	// Reply is the result of the place call of this reconcile; empty before it.
	Reply Reply
	// Attempt is the attempt that Reply belongs to.
	Attempt int32
}

// Reply is the error class of a place call, ReplySuccess, or empty when no call was made.
type Reply string

// ReplySuccess is the documented success of a place call.
const ReplySuccess Reply = "Success"

// StepKind is one step under the posting's Lease. No step depends on another one of the same reconcile but through Owned.
type StepKind string

const (
	// StepFinish carries out the plan: no call is open.
	StepFinish StepKind = "Finish"
	// StepRestart reconciles again: the plan was made on a version that is outdated.
	StepRestart StepKind = "Restart"
	// StepClearIntent removes this process's unused intent, so that it needs no resolving, and reconciles again.
	StepClearIntent StepKind = "ClearIntent"
	// StepForgetCall drops the memory of a call that another process resolved, and reconciles again.
	StepForgetCall StepKind = "ForgetCall"
	// StepReportBlocked says that nothing can be found out without a connection.
	StepReportBlocked StepKind = "ReportBlocked"
	// StepAwaitSettle waits for the settle time.
	StepAwaitSettle StepKind = "AwaitSettle"
	// StepLookUp lists our bids on the posting, and decides again.
	StepLookUp StepKind = "LookUp"
	// StepSend makes the one place call, and decides again.
	StepSend StepKind = "Send"
	// StepRecord writes Step.Fact.
	StepRecord StepKind = "Record"
	// StepWithdraw withdraws the Bid's bid.
	StepWithdraw StepKind = "Withdraw"
	// StepWithdrawEarlier withdraws what earlier Bids on the posting left, and clears their intents.
	StepWithdrawEarlier StepKind = "WithdrawEarlier"
)

// Fact is what StepRecord writes to the Bid's status.
type Fact string

const (
	// FactPlaced: a bid of this Bid is at the marketplace.
	FactPlaced Fact = "Placed"
	// FactOutcomeUnknown: a place call may have taken effect. Written before resolving it fences: a sender that records late
	// meets a conflict, and adds to this instead of overwriting what is found out.
	FactOutcomeUnknown Fact = "OutcomeUnknown"
	// FactLeaseLost: only the missing Lease suggests a place call.
	FactLeaseLost Fact = "LeaseLost"
	// FactAbsent: the lookup after an unknown outcome shows nothing.
	FactAbsent Fact = "Absent"
	// FactExistingBid: the account has another bid on the posting.
	FactExistingBid Fact = "ExistingBid"
	// FactAmbiguous: more than one open bid of the account is there, and none is known to be ours.
	FactAmbiguous Fact = "Ambiguous"
	// FactAbsenceUnproven: the lookup shows nothing, which proves nothing in class None.
	FactAbsenceUnproven Fact = "AbsenceUnproven"
	// FactRefused: the marketplace refused the place call in a documented way.
	FactRefused Fact = "Refused"
	// FactPreflightFailed: the lookup before a first place call failed; nothing was sent.
	FactPreflightFailed Fact = "PreflightFailed"
	// FactUnresolved: finding out about an unknown outcome failed for now.
	FactUnresolved Fact = "Unresolved"
	// FactEarlierUnresolved: what earlier Bids left could not be looked up for now.
	FactEarlierUnresolved Fact = "EarlierUnresolved"
	// FactEarlierAmbiguous: an earlier Bid may have left a bid that cannot be distinguished from others.
	FactEarlierAmbiguous Fact = "EarlierAmbiguous"
)

// Step is what Decide returns.
type Step struct {
	Kind StepKind
	// Fact for StepRecord.
	Fact Fact
	// Attempt is the place attempt that StepSend makes or that StepRecord writes about.
	Attempt int32
	// Sent is true when a bid that StepLookUp shows may be of an earlier call of this Bid.
	Sent bool
}

func record(fact Fact, attempt int32) Step {
	return Step{Kind: StepRecord, Fact: fact, Attempt: attempt}
}

// openAttempt is the highest place attempt of this Bid that may have been sent and whose outcome is not recorded; 0 when there
// is none. An intent that this process wrote and did not use is not open; one that it found on the Lease is.
func (f Owned) openAttempt() int32 {
	attempt := max(f.PriorAttempt, f.CallAttempt)
	if attempt == 0 || f.Bid.recorded(attempt) {
		return 0
	}
	return attempt
}

// LastAttempt is the place attempt that a bid found now belongs to.
func (f Owned) LastAttempt() int32 { return max(f.openAttempt(), f.Bid.Attempts, 1) }

// LastOpenAttempt is the place attempt that a person's answer is about.
func (f Owned) LastOpenAttempt() int32 { return max(f.openAttempt(), f.Bid.Attempts) }

// leaseTold is false when nothing tells any more whether a place call was made.
func (f Owned) leaseTold() bool { return f.Lease != LeaseGone || f.Bid.HasRemote }

// open is true when a call may have been made whose outcome is not recorded.
func (f Owned) open() bool { return !f.leaseTold() || f.openAttempt() > 0 || f.EarlierBids }

// Decide says what to do next for a Bid whose posting this process owns. It is called again after each lookup and each call,
// with what they showed.
func Decide(f Owned) Step {
	switch {
	case f.Lease == LeaseNever:
		return Step{Kind: StepFinish}
	case f.Reply != "":
		return decideReply(f)
	case f.Plan == ActionAbandon && !f.Bid.Abandoned, f.Plan == ActionAnswer && !f.Bid.Answered:
		return Step{Kind: StepRestart}
	case f.Plan == ActionAbandon, f.Plan == ActionAnswer:
		return Step{Kind: StepFinish}
	case f.Plan == ActionWithdraw:
		return decideWithdraw(f)
	case f.Plan == ActionResolve || f.open():
		return decideResolve(f)
	case f.Plan == ActionPlace:
		return decidePlace(f)
	case f.Changed:
		return Step{Kind: StepRestart}
	}
	return Step{Kind: StepFinish}
}

func decidePlace(f Owned) Step {
	bid := f.Bid
	wanted := !bid.Withdrawing && !bid.Terminal() && bid.Placed == metav1.ConditionFalse && !bid.HasRemote
	if !wanted || f.Changed {
		return dropPlan(f)
	}
	attempt := bid.Attempts + 1
	// Without stored keys, a bid that is open before our first call is not ours: it ends the Bid as a Duplicate.
	preflight := f.Class == onebidv1.ClassNone || f.Preflight || f.Inherited || !f.StoresKey
	switch {
	case !preflight, f.Lookup == VerdictAbsent:
		return Step{Kind: StepSend, Attempt: attempt}
	case f.Lookup == "":
		// In class None nothing is sent after an unknown outcome, so earlier attempts certainly had no effect.
		return Step{Kind: StepLookUp, Sent: bid.Attempts > 0 && f.Class != onebidv1.ClassNone}
	case f.Lookup == VerdictFailed:
		return record(FactPreflightFailed, attempt)
	case f.Lookup == VerdictOurs:
		return record(FactPlaced, attempt)
	default:
		return record(FactExistingBid, attempt)
	}
}

// dropPlan leaves a Bid that is not to be placed now. An intent whose outcome the Bid has, or calls unknown, was used: only
// the cache did not show that.
func dropPlan(f Owned) Step {
	if f.UnusedIntent() {
		return Step{Kind: StepClearIntent}
	}
	return Step{Kind: StepRestart}
}

// UnusedIntent is true when this process noted a place attempt on the Lease and did not use it.
func (f Owned) UnusedIntent() bool {
	return f.NotedAttempt > f.Bid.Attempts && f.PriorAttempt == 0 && f.Bid.Placed == metav1.ConditionFalse
}

func decideReply(f Owned) Step {
	class := onebidv1.ErrorClass(f.Reply)
	switch {
	case f.Reply == ReplySuccess:
		return record(FactPlaced, f.Attempt)
	case class == onebidv1.ErrorAlreadyExists && f.Lookup == "":
		// On the first attempt the existing bid is ours only where the key says so; later ones may meet an earlier one's.
		return Step{Kind: StepLookUp, Sent: f.Attempt > 1}
	case class == onebidv1.ErrorAlreadyExists && f.Lookup == VerdictOurs:
		return record(FactPlaced, f.Attempt)
	case class == onebidv1.ErrorAlreadyExists && f.Lookup == VerdictExisting:
		return record(FactExistingBid, f.Attempt)
	case class == onebidv1.ErrorAlreadyExists, class == onebidv1.ErrorUnknownOutcome,
		class == onebidv1.ErrorAlreadyWithdrawn, class == onebidv1.ErrorNotWithdrawable:
		return record(FactOutcomeUnknown, f.Attempt)
	case f.Bid.Placed == metav1.ConditionUnknown && refusal(class) == "":
		// The key was repeated to resolve an earlier call. A refusal that may pass is about this call and not about that one.
		return record(FactUnresolved, f.Attempt)
	default:
		return record(FactRefused, f.Attempt)
	}
}

// decideResolve goes from the fence over the settle time to the lookup.
func decideResolve(f Owned) Step {
	unknown := f.Bid.Placed == metav1.ConditionUnknown
	switch {
	case !f.Connected:
		return Step{Kind: StepReportBlocked}
	case f.CallLearned && !f.Bid.HasRemote:
		return record(FactPlaced, f.LastAttempt())
	case f.Lease == LeaseGone:
		return decideWithoutLease(f)
	case f.openAttempt() > 0 && !unknown:
		return record(FactOutcomeUnknown, f.LastAttempt())
	case f.EarlierBids:
		return decideEarlier(f)
	case !unknown:
		return Step{Kind: StepForgetCall}
	}
	return decideLookup(f)
}

// decideWithoutLease is decideResolve for a Bid whose Lease went with its namespace.
func decideWithoutLease(f Owned) Step {
	fenced := f.Bid.Placed == metav1.ConditionUnknown && f.Bid.Settling
	switch {
	case f.Bid.HasRemote:
		return Step{Kind: StepRestart}
	case fenced:
		return decideLookup(f)
	case f.CallAttempt > 0:
		return record(FactOutcomeUnknown, f.CallAttempt)
	default:
		return record(FactLeaseLost, 0)
	}
}

func decideLookup(f Owned) Step {
	attempt := f.LastAttempt()
	switch {
	case f.Lookup == "" && !f.Settled:
		return Step{Kind: StepAwaitSettle}
	case f.Lookup == "":
		return Step{Kind: StepLookUp, Sent: true}
	case f.Lookup == VerdictFailed:
		return record(FactUnresolved, attempt)
	case f.Lookup == VerdictOurs:
		return record(FactPlaced, attempt)
	case f.Lookup == VerdictExisting:
		return record(FactExistingBid, attempt)
	case f.Lookup == VerdictAmbiguous:
		return record(FactAmbiguous, attempt)
	case f.Lease == LeaseGone && f.Bid.LeaseLost:
		// Nothing suggests a call but the missing Lease: no reason to send one, or to keep the namespace.
		return record(FactAbsent, attempt)
	case f.Class == onebidv1.ClassNone:
		return record(FactAbsenceUnproven, attempt)
	case f.Class == onebidv1.ClassIdempotencyKey && f.Bid.Withdrawing:
		// The same key again gives the ID of the bid that was, or is yet to be, placed; that one is withdrawn then.
		return Step{Kind: StepSend, Attempt: attempt}
	default:
		return record(FactAbsent, attempt)
	}
}

func decideWithdraw(f Owned) Step {
	bid := f.Bid
	switch {
	case !bid.Withdrawing || bid.Terminal() || !bid.HasRemote || bid.Placed != metav1.ConditionTrue:
		return Step{Kind: StepRestart}
	case f.EarlierBids:
		return decideEarlier(f)
	default:
		return Step{Kind: StepWithdraw}
	}
}

// decideEarlier resolves the open calls of earlier Bids on the same posting before this Bid goes on: an open bid of theirs
// has no Bid that accounts for it.
func decideEarlier(f Owned) Step {
	switch {
	case f.Lookup == "" && !f.Settled:
		return Step{Kind: StepAwaitSettle}
	case f.Lookup == "":
		return Step{Kind: StepLookUp, Sent: true}
	case f.Lookup == VerdictFailed:
		return record(FactEarlierUnresolved, 0)
	case !f.EarlierCertain:
		return record(FactEarlierAmbiguous, 0)
	default:
		return Step{Kind: StepWithdrawEarlier}
	}
}
