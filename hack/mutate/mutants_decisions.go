package main

const bidding = "internal/bidding"

// decisions are what internal/bidding decides without doing anything.
var decisions = []Mutant{
	{
		Name: "an unknown outcome is not resolved before anything else", Rule: "I5", File: "internal/bidding/next.go",
		Old:  "	case PlacedStatus(bid) == metav1.ConditionUnknown:\n		return unknown(bid, now)\n",
		Seen: by(bidding, "TestNext"),
	},
	{
		Name: "a Bid is placed without our finalizer", Rule: "place 2", File: "internal/bidding/next.go",
		Old: "case !finalized:", New: "case false:",
		Seen: by(bidding, "TestNext"),
	},
	{
		Name: "a guard that ends a Bid does not ask for open calls", Rule: "rule 12", File: "internal/bidding/next.go",
		Old: "Step{Action: ActionCancel, Change: Held(*f.Hold)}", New: "Step{Action: ActionReport, Change: Held(*f.Hold)}",
		Seen: by(bidding, "TestNext"),
	},
	{
		Name: "what only a person can decide is looked up again", Rule: "rule 20", File: "internal/bidding/next.go",
		Old: "	case Indeterminate(bid):\n		return Step{Action: ActionNone}\n", New: "",
		Seen: by(bidding, "TestNext"),
	},
	{
		Name: "a key that was only looked up is not burnt", Rule: "rule 7", File: "internal/bidding/next.go",
		Old: "if f.Class == onebidv1.ClassIdempotencyKey && Unproven(f.Bid) {", New: "if false {",
		Seen: by(bidding, "TestAKeyIsUnprovenUntilItAnswers"),
	},
	{
		Name: "absence settles what a key may still do", Rule: "rule 7", File: "internal/bidding/changes.go",
		Old: "		if class == onebidv1.ClassIdempotencyKey {\n", New: "		if false {\n",
		Seen: by(bidding, "TestAKeyIsUnprovenUntilItAnswers"),
	},
	{
		Name: "a question that comes up again does not settle anew", Rule: "rule 5", File: "internal/bidding/unknown.go",
		Old: " || PlacedStatus(e.bid) != metav1.ConditionUnknown {", New: " {",
		Seen: by(bidding, "TestAKeyIsUnprovenUntilItAnswers"),
	},
	{
		Name: "a person's old answer answers the next question", Rule: "rule 20", File: "internal/bidding/answer.go",
		Old: "Indeterminate(bid) && said != bid.Status.LastHandledResolve", New: "Indeterminate(bid)",
		Seen: by(bidding, "TestAnAnswerIsToOneQuestion"),
	},
	{
		Name: "a dry run places", Rule: "guards", File: "internal/bidding/next.go",
		Old: "f.Mode == onebidv1.ModeDryRun", New: "false",
		Seen: by(bidding, "TestNext"),
	},
	{
		Name: "placing ignores its backoff", Rule: "backoff", File: "internal/bidding/next.go",
		Old:  "NextAttempt(f.Bid, onebidv1.OperationPlace); at.After(now)",
		New:  "NextAttempt(f.Bid, onebidv1.OperationPlace); at.After(now) && false",
		Seen: by(bidding, "TestNext"),
	},
	{
		Name: "withdrawing ignores its backoff", Rule: "backoff", File: "internal/bidding/next.go",
		Old:  "NextAttempt(f.Bid, onebidv1.OperationWithdraw); at.After(now)",
		New:  "NextAttempt(f.Bid, onebidv1.OperationWithdraw); at.After(now) && false",
		Seen: by(bidding, "TestNext"),
	},
	{
		Name: "a Retry-After is not honoured", Rule: "backoff", File: "internal/bidding/backoff.go",
		Old: "return max(wait, retryAfter+time.Duration(float64(retryAfter)*0.1*jitter))", New: "return wait",
		Seen: by(bidding, "TestBackoff"),
	},
	{
		Name: "the time of the next attempt is rounded down", Rule: "backoff", File: "internal/bidding/change.go",
		Old: "next.Add(time.Second - 1).Truncate(time.Second)", New: "next.Truncate(time.Second)",
		Seen: by(bidding, "TestRetryTimesAreNeverEarly"),
	},
	{
		Name: "an unknown outcome counts as recorded", Rule: "rule 12", File: "internal/bidding/history.go",
		Old: "	if PlacedStatus(bid) == metav1.ConditionUnknown {\n		return false\n	}\n", New: "",
		Seen: by(bidding, "TestPlaceRecorded"),
	},
	{
		Name: "a learned bid does not void a verdict", Rule: "rule 11", File: "internal/bidding/changes.go",
		Old: "		e.status.Outcome = \"\"\n		e.attempts(", New: "		e.attempts(",
		Seen: by(bidding, "TestALearnedBidVoidsAVerdictReachedWithoutIt"),
	},
	{
		Name: "a bid that is told once more voids what was found out since", Rule: "rule 11", File: "internal/bidding/changes.go",
		Old: "e.status.Remote.BidID == remote.ID {", New: "e.status.Remote.BidID == remote.ID && false {",
		Seen: by(bidding, "TestABidThatWasKnownAlreadyVoidsNothing"),
	},
	{
		Name: "a refusal that may pass ends the Bid", Rule: "classes", File: "internal/bidding/changes.go",
		Old: "case onebidv1.ErrorForbidden, onebidv1.ErrorInvalid, onebidv1.ErrorNotFound:\n		return onebidv1.StateRejected",
		New: "case onebidv1.ErrorForbidden, onebidv1.ErrorInvalid, onebidv1.ErrorNotFound, onebidv1.ErrorRateLimited:\n" +
			"		return onebidv1.StateRejected",
		Seen: by(bidding, "TestFinalRefusals"),
	},
	{
		Name: "without keys, what was live before the first call is ours", Rule: "rule 19", File: "internal/bidding/match.go",
		Old: "	case !in.Sent:\n		return MatchResult{VerdictForeign, live[0]}\n", New: "",
		Seen: by(bidding, "TestMatch"),
	},
	{
		Name: "without keys, one of two live bids is guessed to be ours", Rule: "rule 19", File: "internal/bidding/match.go",
		Old: "case len(live) > 1:", New: "case false:",
		Seen: by(bidding, "TestMatch"),
	},
	{
		Name: "without keys, a bid of another price is ours", Rule: "rule 19", File: "internal/bidding/match.go",
		Old: "case samePrice(in.Found[live[0]], in.Price):", New: "case true:",
		Seen: by(bidding, "TestMatch"),
	},
	{
		Name: "a state that nobody knows counts as not live", Rule: "rule 19", File: "internal/bidding/match.go",
		Old: " || f.State == onebidv1.RemoteUnknown", New: "",
		Seen: by(bidding, "TestMatch"),
	},
	{
		Name: "a Bid that is created again has the old key", Rule: "idempotency key", File: "internal/bidding/eventid.go",
		Old: ` + "\x00" + string(uid)`, New: "",
		Seen: by(bidding, "TestIdempotencyKey"),
	},
	{
		Name: "a Bid under another name is placed", Rule: "guards", File: "internal/bidding/guards.go",
		Old: "if name != in.Bid.Name {", New: "if false {",
		Seen: by(bidding, "TestGuard"),
	},
	{
		Name: "an approval of another Bid counts", Rule: "guards", File: "internal/bidding/guards.go",
		Old: "return approval.BidUID == string(uid)", New: "return true",
		Seen: by(bidding, "TestGuard"),
	},
	{
		Name: "a stale posting is bid on", Rule: "freshness", File: "internal/bidding/freshness.go",
		Old: "if now.Before(expiry) {", New: "if true {",
		Seen: by(bidding, "TestFreshness"),
	},
	{
		Name: "a scanner whose clock runs ahead is believed", Rule: "freshness", File: "internal/bidding/freshness.go",
		Old: "case cachedAt.After(now):", New: "case false:",
		Seen: by(bidding, "TestFreshness"),
	},
	{
		Name: "a posting past its end is bid on", Rule: "freshness", File: "internal/bidding/freshness.go",
		Old: "case !closes.IsZero() && !now.Before(closes):", New: "case false:",
		Seen: by(bidding, "TestFreshness"),
	},
}
