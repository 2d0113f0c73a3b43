package bidding_test

import (
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
)

// toPlace is a Bid that is to be placed for the first time, at a marketplace that stores keys.
func toPlace(edit ...func(*bidding.Owned)) bidding.Owned {
	f := bidding.Owned{
		Plan: bidding.ActionPlace, Bid: bidding.View{Placed: metav1.ConditionFalse, Finalizer: true}, Lease: bidding.LeaseHeld,
		Class: onebidv1.ClassIdempotencyKey, StoresKey: true, Connected: true, NotedAttempt: 1, Settled: true,
	}
	for _, e := range edit {
		e(&f)
	}
	return f
}

func withClass(class onebidv1.MarketplaceClass) func(*bidding.Owned) {
	return func(f *bidding.Owned) { f.Class, f.StoresKey = class, class != onebidv1.ClassNone }
}

// inherited is an attempt that an earlier holder noted on the Lease.
func inherited(f *bidding.Owned) { f.PriorAttempt, f.Inherited = 1, true }

// unknownOutcome is a Bid with the fence written.
func unknownOutcome(f *bidding.Owned) {
	f.Plan, f.Bid.Placed, f.Bid.Settling, f.Bid.Attempts = bidding.ActionResolve, metav1.ConditionUnknown, true, 1
}

func looked(verdict bidding.Verdict) func(*bidding.Owned) {
	return func(f *bidding.Owned) { f.Lookup = verdict }
}

func replied(class onebidv1.ErrorClass) func(*bidding.Owned) {
	return func(f *bidding.Owned) { f.Reply, f.Attempt = bidding.Reply(class), max(f.Bid.Attempts, 1) }
}

func step(kind bidding.StepKind) bidding.Step { return bidding.Step{Kind: kind} }

func recorded(fact bidding.Fact, attempt int32) bidding.Step {
	return bidding.Step{Kind: bidding.StepRecord, Fact: fact, Attempt: attempt}
}

func TestDecide(t *testing.T) {
	open := func(f *bidding.Owned) {
		f.Plan, f.Bid.Placed, f.Bid.HasRemote, f.Bid.Attempts = bidding.ActionWithdraw, metav1.ConditionTrue, true, 1
		f.Bid.Withdrawing, f.Bid.Deleting = true, true
	}
	for _, tc := range []struct {
		why   string
		facts bidding.Owned
		want  bidding.Step
	}{
		{"keys tell ours from others: nothing to look up before the first call", toPlace(), bidding.Step{Kind: bidding.StepSend, Attempt: 1}},
		{
			"without stored keys, a bid that is there before our first call is not ours",
			toPlace(withClass(onebidv1.ClassNone)), bidding.Step{Kind: bidding.StepLookUp},
		},
		{
			"what is there is left alone",
			toPlace(withClass(onebidv1.ClassNone), looked(bidding.VerdictExisting)), recorded(bidding.FactExistingBid, 1),
		},
		{
			"nothing is there: send", toPlace(withClass(onebidv1.ClassNone), looked(bidding.VerdictAbsent)),
			bidding.Step{Kind: bidding.StepSend, Attempt: 1},
		},
		{
			"no send without the lookup",
			toPlace(withClass(onebidv1.ClassNone), looked(bidding.VerdictFailed)), recorded(bidding.FactPreflightFailed, 1),
		},
		{
			"a bid of an earlier life of the status is ours by its key",
			toPlace(func(f *bidding.Owned) { f.Preflight = true }, looked(bidding.VerdictOurs)), recorded(bidding.FactPlaced, 1),
		},
		{"the Bid is to be withdrawn by now", toPlace(func(f *bidding.Owned) { f.Bid.Withdrawing = true }), step(bidding.StepClearIntent)},
		{"the Bid changed", toPlace(func(f *bidding.Owned) { f.Changed = true }), step(bidding.StepClearIntent)},
		{
			"another process recorded an outcome of this attempt: the intent was used",
			toPlace(func(f *bidding.Owned) { f.Changed, f.Bid.Attempts = true, 1 }), step(bidding.StepRestart),
		},
		{"an inherited intent is fenced before anything else", toPlace(inherited), recorded(bidding.FactOutcomeUnknown, 1)},
		{
			"so is a call of this process that could not be recorded",
			toPlace(func(f *bidding.Owned) { f.CallAttempt = 1 }), recorded(bidding.FactOutcomeUnknown, 1),
		},
		{
			"unless its reply named the bid",
			toPlace(func(f *bidding.Owned) { f.CallAttempt, f.CallLearned = 1, true }), recorded(bidding.FactPlaced, 1),
		},
		{
			"a recorded attempt is history",
			toPlace(inherited, func(f *bidding.Owned) { f.Bid.Attempts, f.NotedAttempt = 1, 2 }), bidding.Step{Kind: bidding.StepLookUp, Sent: true},
		},
		{
			"earlier Bids' calls are resolved first",
			toPlace(func(f *bidding.Owned) { f.EarlierBids = true }), bidding.Step{Kind: bidding.StepLookUp, Sent: true},
		},
		{"with the settle time", toPlace(func(f *bidding.Owned) { f.EarlierBids, f.Settled = true, false }), step(bidding.StepAwaitSettle)},
		{
			"what they left is withdrawn",
			toPlace(func(f *bidding.Owned) { f.EarlierBids, f.EarlierCertain = true, true }, looked(bidding.VerdictAbsent)),
			step(bidding.StepWithdrawEarlier),
		},
		{
			"what cannot be distinguished from others is a person's matter",
			toPlace(func(f *bidding.Owned) { f.EarlierBids = true }, looked(bidding.VerdictExisting)), recorded(bidding.FactEarlierAmbiguous, 0),
		},

		{
			"a failed lookup tells nothing of earlier Bids",
			toPlace(func(f *bidding.Owned) { f.EarlierBids = true }, looked(bidding.VerdictFailed)),
			recorded(bidding.FactEarlierUnresolved, 0),
		},
		{
			"two open bids cannot be distinguished", toPlace(unknownOutcome, withClass(onebidv1.ClassNone), looked(bidding.VerdictAmbiguous)),
			recorded(bidding.FactAmbiguous, 1),
		},
		{
			"the account has another bid",
			toPlace(unknownOutcome, looked(bidding.VerdictExisting)), recorded(bidding.FactExistingBid, 1),
		},
		{
			"an unknown outcome settles first",
			toPlace(unknownOutcome, func(f *bidding.Owned) { f.Settled = false }), step(bidding.StepAwaitSettle),
		},
		{"then it is looked up", toPlace(unknownOutcome), bidding.Step{Kind: bidding.StepLookUp, Sent: true}},
		{"and adopted", toPlace(unknownOutcome, looked(bidding.VerdictOurs)), recorded(bidding.FactPlaced, 1)},
		{
			"absent with a key: the same key may be sent again",
			toPlace(unknownOutcome, looked(bidding.VerdictAbsent)), recorded(bidding.FactAbsent, 1),
		},
		{
			"absent in class None proves nothing",
			toPlace(unknownOutcome, withClass(onebidv1.ClassNone), looked(bidding.VerdictAbsent)), recorded(bidding.FactAbsenceUnproven, 1),
		},
		{
			"absent with a key, and to be withdrawn: its reply will tell the bid's ID",
			toPlace(unknownOutcome, looked(bidding.VerdictAbsent), func(f *bidding.Owned) { f.Bid.Withdrawing = true }),
			bidding.Step{Kind: bidding.StepSend, Attempt: 1},
		},
		{"a failed lookup tells nothing", toPlace(unknownOutcome, looked(bidding.VerdictFailed)), recorded(bidding.FactUnresolved, 1)},
		{
			"without a connection the Bid says so",
			toPlace(unknownOutcome, func(f *bidding.Owned) { f.Connected = false }), step(bidding.StepReportBlocked),
		},
		{
			"another process resolved it",
			toPlace(func(f *bidding.Owned) { f.Plan, f.CallAttempt, f.Bid.Attempts = bidding.ActionResolve, 1, 1 }), step(bidding.StepForgetCall),
		},

		{"success", toPlace(replied("Success")), recorded(bidding.FactPlaced, 1)},
		{"a documented refusal", toPlace(replied(onebidv1.ErrorInvalid)), recorded(bidding.FactRefused, 1)},
		{"a time-out", toPlace(replied(onebidv1.ErrorUnknownOutcome)), recorded(bidding.FactOutcomeUnknown, 1)},
		{"an answer that place cannot have", toPlace(replied(onebidv1.ErrorNotWithdrawable)), recorded(bidding.FactOutcomeUnknown, 1)},
		{"there is one already: whose?", toPlace(replied(onebidv1.ErrorAlreadyExists)), step(bidding.StepLookUp)},
		{
			"not shown yet", toPlace(replied(onebidv1.ErrorAlreadyExists), looked(bidding.VerdictAbsent)), recorded(bidding.FactOutcomeUnknown, 1),
		},
		{"ours", toPlace(replied(onebidv1.ErrorAlreadyExists), looked(bidding.VerdictOurs)), recorded(bidding.FactPlaced, 1)},
		{
			"another one", toPlace(replied(onebidv1.ErrorAlreadyExists), looked(bidding.VerdictExisting)), recorded(bidding.FactExistingBid, 1),
		},
		{
			"a repeated key that was refused for now says nothing about the first call",
			toPlace(unknownOutcome, replied(onebidv1.ErrorRateLimited)), recorded(bidding.FactUnresolved, 1),
		},
		{"refused for good, it does", toPlace(unknownOutcome, replied(onebidv1.ErrorForbidden)), recorded(bidding.FactRefused, 1)},

		{"an open bid is withdrawn", toPlace(open), step(bidding.StepWithdraw)},
		{
			"after what earlier Bids left",
			toPlace(open, func(f *bidding.Owned) { f.EarlierBids, f.Settled = true, false }), step(bidding.StepAwaitSettle),
		},
		{"not without its ID", toPlace(open, func(f *bidding.Owned) { f.Bid.HasRemote = false }), step(bidding.StepRestart)},
		{"not once it ended", toPlace(open, func(f *bidding.Owned) { f.Bid.Outcome = onebidv1.StateLost }), step(bidding.StepRestart)},

		{
			"a plan is carried out when no call is open",
			toPlace(func(f *bidding.Owned) { f.Plan = bidding.ActionCancel }), step(bidding.StepFinish),
		},
		{
			"a verdict does not hide a call", toPlace(inherited, func(f *bidding.Owned) {
				f.Plan, f.Bid.Outcome = bidding.ActionFinalize, onebidv1.StateRejected
			}), recorded(bidding.FactOutcomeUnknown, 1),
		},
		{
			"a plan of an outdated version is not carried out",
			toPlace(func(f *bidding.Owned) { f.Plan, f.Changed = bidding.ActionCancel, true }), step(bidding.StepRestart),
		},
		{
			"nothing was ever sent", toPlace(func(f *bidding.Owned) { f.Plan, f.Lease = bidding.ActionFinalize, bidding.LeaseNever }),
			step(bidding.StepFinish),
		},
		{
			"abandoning does not wait for open calls", toPlace(inherited, func(f *bidding.Owned) {
				f.Plan, f.Bid.Abandoned = bidding.ActionAbandon, true
			}), step(bidding.StepFinish),
		},
		{
			"abandoning was taken back", toPlace(func(f *bidding.Owned) { f.Plan = bidding.ActionAbandon }), step(bidding.StepRestart),
		},
		{
			"the namespace took the Lease: a call may have been made",
			toPlace(func(f *bidding.Owned) { f.Plan, f.Lease = bidding.ActionCancel, bidding.LeaseGone }), recorded(bidding.FactLeaseLost, 0),
		},
		{
			"nothing is there: it may go",
			toPlace(unknownOutcome, looked(bidding.VerdictAbsent), func(f *bidding.Owned) {
				f.Lease, f.Bid.LeaseLost, f.Bid.Withdrawing, f.Bid.Attempts = bidding.LeaseGone, true, true, 0
			}), recorded(bidding.FactAbsent, 1),
		},
	} {
		t.Run(tc.why, func(t *testing.T) {
			NewWithT(t).Expect(bidding.Decide(tc.facts)).To(Equal(tc.want))
		})
	}
}

// Whatever the facts are, the rules hold on which all safety rests.
func TestDecideKeepsTheRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		yes := func(name string) bool { return rapid.Bool().Draw(t, name) }
		f := bidding.Owned{
			Plan: rapid.SampledFrom([]bidding.Action{
				bidding.ActionPlace, bidding.ActionResolve, bidding.ActionWithdraw, bidding.ActionCancel, bidding.ActionFinalize,
				bidding.ActionReport, bidding.ActionWriteTombstone, bidding.ActionReleaseClaim,
			}).Draw(t, "plan"),
			Bid: bidding.View{
				Placed: rapid.SampledFrom([]metav1.ConditionStatus{
					metav1.ConditionFalse, metav1.ConditionTrue, metav1.ConditionUnknown,
				}).Draw(t, "placed"),
				HasRemote: yes("remote"), Attempts: rapid.Int32Range(0, 3).Draw(t, "attempts"), Settling: yes("settling"),
				Withdrawing: yes("withdrawing"), LeaseLost: yes("lease lost"),
			},
			Changed: yes("changed"), StoresKey: yes("stores key"), Connected: yes("connected"),
			Class: rapid.SampledFrom([]onebidv1.MarketplaceClass{
				onebidv1.ClassNone, onebidv1.ClassUniquePerPosting, onebidv1.ClassIdempotencyKey,
			}).Draw(t, "class"),
			Lease:     rapid.SampledFrom([]bidding.LeaseState{bidding.LeaseHeld, bidding.LeaseGone}).Draw(t, "lease"),
			Inherited: yes("inherited"), PriorAttempt: rapid.Int32Range(0, 3).Draw(t, "prior"),
			NotedAttempt: rapid.Int32Range(0, 3).Draw(t, "noted"), EarlierBids: yes("earlier"), EarlierCertain: yes("certain"),
			CallAttempt: rapid.Int32Range(0, 3).Draw(t, "call"), CallLearned: yes("learned"), Settled: yes("settled"),
			Lookup: rapid.SampledFrom([]bidding.Verdict{
				"", bidding.VerdictAbsent, bidding.VerdictOurs, bidding.VerdictExisting, bidding.VerdictAmbiguous, bidding.VerdictFailed,
			}).Draw(t, "lookup"),
		}
		attempt := max(f.PriorAttempt, f.CallAttempt)
		open := attempt > 0 && (f.Bid.Placed == metav1.ConditionUnknown || f.Bid.Attempts < attempt)
		got := bidding.Decide(f)
		switch got.Kind {
		case bidding.StepSend:
			first := f.Plan == bidding.ActionPlace && !open && f.Bid.Placed == metav1.ConditionFalse && !f.Bid.Withdrawing && !f.Bid.HasRemote
			repeated := f.Class == onebidv1.ClassIdempotencyKey && f.Bid.Placed == metav1.ConditionUnknown && f.Bid.Withdrawing &&
				f.Lookup == bidding.VerdictAbsent
			if !first && !repeated {
				t.Fatalf("sends on %+v", f)
			}
			if f.EarlierBids {
				t.Fatalf("sends while earlier Bids' calls are open: %+v", f)
			}
		case bidding.StepFinish:
			if open || f.EarlierBids {
				t.Fatalf("finishes while a call is open: %+v", f)
			}
		case bidding.StepWithdraw:
			if !f.Bid.Withdrawing || !f.Bid.HasRemote || f.Bid.Placed != metav1.ConditionTrue {
				t.Fatalf("withdraws %+v", f)
			}
		case bidding.StepRecord:
			if got.Fact == bidding.FactAbsent && (f.Lookup != bidding.VerdictAbsent || f.Class == onebidv1.ClassNone && !f.Bid.LeaseLost) {
				t.Fatalf("calls a bid absent on %+v", f)
			}
		default:
		}
	})
}

// An answer is about the attempt that is open, and a bid that is found now belongs to the last one.
func TestAttemptsThatAnAnswerIsAbout(t *testing.T) {
	g := NewWithT(t)
	g.Expect(toPlace().LastOpenAttempt()).To(BeZero())
	g.Expect(toPlace().LastAttempt()).To(BeEquivalentTo(1))
	g.Expect(toPlace(unknownOutcome, func(f *bidding.Owned) { f.PriorAttempt = 3 }).LastOpenAttempt()).To(BeEquivalentTo(3))
}

func TestOnlySomeActionsBeginWithACall(t *testing.T) {
	g := NewWithT(t)
	for action, calls := range map[bidding.Action]bool{
		bidding.ActionPlace: true, bidding.ActionResolve: true, bidding.ActionAnswer: true, bidding.ActionWithdraw: true,
		bidding.ActionPoll: true, bidding.ActionNone: false, bidding.ActionReport: false, bidding.ActionFinalize: false,
	} {
		g.Expect(action.Calls()).To(Equal(calls), string(action))
	}
}
