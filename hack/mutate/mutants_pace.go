package main

// pacing is when calls are made at all, and in which order.
var pacing = []Mutant{
	{
		Name: "a place tries a marketplace that does not answer", Rule: "breaker", File: "internal/marketplace/registry/paced.go",
		Old: "k != placeCall", New: "true",
		Seen: by(registry, "TestOneProbeTriesAMarketplaceThatDidNotAnswer"),
	},
	{
		Name: "a refusal is no answer", Rule: "breaker", File: "internal/marketplace/registry/paced.go",
		Old: "case class == onebidv1.ErrorTransient || class == onebidv1.ErrorUnknownOutcome:", New: "case class != \"\":",
		Seen: by(registry, "TestDocumentedRefusalsNeverOpenTheBreaker"),
	},
	{
		Name: "probes come all at once", Rule: "breaker", File: "internal/marketplace/registry/breaker.go",
		Old: "if b.probing {", New: "if false {",
		Seen: by(registry, "TestOneProbeTriesAMarketplaceThatDidNotAnswer"),
	},
	{
		Name: "a withdrawal counts who comes after it", Rule: "order", File: "internal/marketplace/registry/limiter.go",
		Old: "ahead := l.estimate(others)", New: "ahead := l.estimate(max(len(l.queue)-1, others))",
		Seen: by(registry, "TestWhoCannotHaveATurnInTimeDoesNotQueue"),
	},
	{
		Name: "a process that begins calls every Marketplace not Ready", Rule: "quiet", File: "internal/controller/bid/reconciler.go",
		Old: "if s.connecting() {", New: "if false {",
		Seen: by(bids, "TestAProcessThatIsNotConnectedYetSaysNothing"),
	},
	{
		Name: "every bid asks whether the account has any left", Rule: "quota", File: "internal/marketplace/registry/quota.go",
		Old: "l.quotaUntil, l.leading = now.Add(leadFor), true", New: "_ = leadFor",
		Seen: by(registry, "TestASpentQuotaHoldsBackPlacingAndNothingElse"),
	},
	{
		Name: "a withdrawal waits for the account to have bids left", Rule: "quota", File: "internal/controller/bid/resolve.go",
		Old: "r.paced(ctx, o.situation)", New: "r.rationed(ctx, o.situation)",
		Seen: by(bids, "TestAWithdrawalThatBurnsItsKeyDoesNotWaitForBidsToBeLeft"),
	},
	{
		Name: "a withdrawal waits behind bids", Rule: "order", File: "internal/marketplace/registry/turn.go",
		Old: "return t.Rank > other.Rank", New: "return t.Rank < other.Rank",
		Seen: by(registry, "TestTheMostUrgentGoesFirst"),
	},
	{
		Name: "a limit that is used up is called on", Rule: "rate limit", File: "internal/marketplace/registry/limiter.go",
		Old: "if state.Remaining == 0 {", New: "if state.Remaining < 0 {",
		Seen: by(registry, "TestALimitThatIsUsedUpPausesTheAccount"),
	},
	{
		Name: "a mode does not stop Bids on their way", Rule: "modes", File: "internal/controller/bid/halt.go",
		Old: "return err == nil && mkt.Spec.Mode != onebidv1.ModeLive, err", New: "return false, err",
		Seen: by(bids, "TestAModeStopsBidsThatAreOnTheirWay"),
	},
	{
		Name: "a Bid that waits sleeps past the end of its posting", Rule: "order", File: "internal/controller/bid/pace.go",
		Old: "if result.RequeueAfter > 0 && order.Urgency", New: "if false && order.Urgency",
		Seen: by(bids, "TestABidThatMissedItsPostingSaysWhatItWaitedFor"),
	},
	{
		Name: "every wait is written", Rule: "quiet", File: "internal/controller/bid/pace.go",
		Old: " || !bidding.Silent(s.bid)", New: "",
		Seen: by(bids, "TestAMarketplaceThatDoesNotAnswerIsTriedBeforeABidIsPlaced"),
	},
	{
		Name: "a preview shows the credentials", Rule: "discretion", File: "internal/marketplace/http/request.go",
		Old: "if m.preview && (p.value.private() || p.value.late()) {", New: "if false {",
		Seen: by(httpsite, "TestConformance"),
	},
	{
		Name: "what was sent waits for bids to be left", Rule: "quota", File: "internal/controller/bid/place.go",
		Old: "if r.flights.open(s.bid.UID) { // that", New: "if false { // that",
		Seen: by(bids, "TestABidThatWasSentDoesNotWaitForBidsToBeLeft"),
	},
}
