package main

// resolving are the steps from an unknown outcome to a known one.
var resolving = []Mutant{
	{
		Name: "what this process sent is no open question", Rule: "rule 12", File: "internal/controller/bid/claim.go",
		Old: "		attempt = max(attempt, flight.attempt)\n", New: "		attempt = max(attempt, 0*flight.attempt)\n",
		Seen: by(bids, "TestWhatCouldNotBeRecordedIsNotSentAgain"),
	},
	{
		Name: "an intent that was found on the Lease is no open question", Rule: "rule 12", File: "internal/controller/bid/claim.go",
		Old: "attempt = prior.Attempt\n", New: "attempt = 0 * prior.Attempt\n",
		Seen: by(bids, "TestATakeOverFencesAndWaitsBeforeItLooks"),
	},
	{
		Name: "placing does not ask for open calls", Rule: "rule 1", File: "internal/controller/bid/place.go",
		Old: "	case r.open(o):\n		return r.resolveOwned(ctx, o)\n", New: "",
		Seen: by(bids, "TestATakeOverFencesAndWaitsBeforeItLooks"),
	},
	{
		Name: "calls of earlier Bids are not asked for", Rule: "rule 1", File: "internal/controller/bid/claim.go",
		Old: " || len(o.foreignIntents()) > 0\n", New: "\n",
		Seen: by(bids, "TestABidOfAnEarlierUIDIsTakenBackFirst"),
	},
	{
		Name: "nothing is fenced before the wait", Rule: "rule 13", File: "internal/controller/bid/resolve.go",
		Old: "if r.openPlace(o) > 0 {", New: "if false {",
		Seen: by(bids, "TestATakeOverFencesAndWaitsBeforeItLooks"),
	},
	{
		Name: "nothing settles before the look-up", Rule: "rule 5", File: "internal/controller/bid/resolve.go",
		Old: "return from.Add(o.conn.Settle).Sub(r.Clock.Now())", New: "return from.Sub(r.Clock.Now())",
		Seen: by(bids, "TestATakeOverFencesAndWaitsBeforeItLooks"),
	},
	{
		Name: "the settle wait counts from the intent", Rule: "rule 5", File: "internal/controller/bid/resolve.go",
		Old:  "	from := o.claim.AcquiredAt\n",
		New:  "	from := o.claim.AcquiredAt\n	if intent, ok := o.claim.Intents.Of(o.live.UID); ok {\n		from = intent.Time\n	}\n",
		Seen: by(bids, "TestATakeOverFencesAndWaitsBeforeItLooks"),
	},
	{
		Name: "the settle wait does not cover the process's own call", Rule: "rule 5", File: "internal/controller/bid/resolve.go",
		Old: "ok && flight.ended.After(from) {", New: "ok && flight.ended.After(from) && false {",
		Seen: by(bids, "TestTheSettleWaitCoversOnesOwnCall"),
	},
	{
		Name: "the settle wait does not cover calls for earlier Bids", Rule: "rule 5", File: "internal/controller/bid/resolve.go",
		Old: "		uids = append(uids, intent.BidUID)\n", New: "		_ = intent\n",
		Seen: by(bids, "TestTheSettleWaitCoversCallsForEarlierBids"),
	},
	{
		Name: "what earlier Bids left is looked up at once", Rule: "rule 5", File: "internal/controller/bid/foreign.go",
		Old:  "	if wait := r.settling(o); wait > 0 {\n		return reconcile.Result{RequeueAfter: wait}, nil\n	}\n",
		New:  "",
		Seen: by(bids, "TestTheSettleWaitCoversCallsForEarlierBids"),
	},
	{
		Name: "a look-up that failed showed nothing", Rule: "resolve", File: "internal/controller/bid/resolve.go",
		Old: "	if err != nil {\n		return r.unsettled(ctx, o, err)\n", New: "	if err != nil && false {\n		return r.unsettled(ctx, o, err)\n",
		Seen: by(bids, "TestALookUpOfAnotherAccountProvesNothing"),
	},
	{
		Name: "another account's list is believed", Rule: "resolve", File: "internal/controller/bid/resolve.go",
		Old: "known != \"\" && account != \"\" && known != account {", New: "known != \"\" && account == \"\" && known == account {",
		Seen: by(bids, "TestALookUpOfAnotherAccountProvesNothing"),
	},
	{
		Name: "in class None absence is proof", Rule: "rule 20", File: "internal/controller/bid/resolve.go",
		Old:  "	case o.conn.Spec.Class == onebidv1.ClassNone:\n		return reconcile.Result{}, r.record(",
		New:  "	case false:\n		return reconcile.Result{}, r.record(",
		Seen: by(bids, "TestAbsenceProvesNothingWithoutKeys"),
	},
	{
		Name: "a deleted Bid's key is not burnt", Rule: "rule 7", File: "internal/controller/bid/resolve.go",
		Old: "case o.conn.Spec.Class == onebidv1.ClassIdempotencyKey && bidding.Withdrawing(o.live):", New: "case false:",
		Seen: by(bids, "TestADeletedBidBurnsItsKey"),
	},
	{
		Name: "a key is burnt by a refusal that may pass", Rule: "rule 7", File: "internal/controller/bid/place.go",
		Old: "!bidding.Final(marketplace.ClassOf(err)) {", New: "!bidding.Final(marketplace.ClassOf(err)) && false {",
		Seen: by(bids, "TestADeletedBidBurnsItsKey"),
	},
	{
		Name: "a bid with an older UID's key is a stranger's", Rule: "rule 15", File: "internal/controller/bid/foreign.go",
		Old: "case told[b.ID] || keys[b.IdempotencyKey]:", New: "case told[b.ID] || keys[b.IdempotencyKey] && false:",
		Seen: by(bids, "TestABidOfAnEarlierUIDIsTakenBackFirst"),
	},
	{
		Name: "what an earlier Bid left stays live", Rule: "rule 15", File: "internal/controller/bid/foreign.go",
		Old: "for _, id := range orphans {", New: "for _, id := range orphans[:0] {",
		Seen: by(bids, "TestABidOfAnEarlierUIDIsTakenBackFirst"),
	},
	{
		Name: "an earlier Bid's bid that stays live is no hindrance", Rule: "rule 15", File: "internal/controller/bid/foreign.go",
		Old:  "\"an earlier Bid on this posting is gone\"); err != nil {",
		New:  "\"an earlier Bid on this posting is gone\"); err != nil && false {",
		Seen: by(bids, "TestABidOfAnEarlierUIDIsTakenBackFirst"),
	},
	{
		Name: "an earlier Bid's bid is taken back after the Lease has run out", Rule: "rule 18", File: "internal/controller/bid/foreign.go",
		Old:  "		if err := r.Leases.Authorize(o.claim, o.timeout()); err != nil {\n			return reconcile.Result{}, err\n		}\n",
		New:  "",
		Seen: by(bids, "TestNothingIsTakenBackOnceTheLeaseHasRunOut"),
	},
	{
		Name: "without keys it is guessed what an earlier Bid left", Rule: "rule 19", File: "internal/controller/bid/foreign.go",
		Old: "return ids, shown == 0 && o.conn.Spec.Class != onebidv1.ClassNone", New: "return ids, shown >= 0",
		Seen: by(bids, "TestWhatAnEarlierBidLeftWithoutAKeyIsAPersonsMatter"),
	},
	{
		Name: "what nobody can read is about nothing", Rule: "rule 1", File: "internal/controller/bid/foreign.go",
		Old: "StoresKey && !unreadable ||", New: "StoresKey && (!unreadable || true) ||",
		Seen: by(bids, "TestAnUnreadableIntentIsAnOpenCall"),
	},
	{
		Name: "an answer is carried out that a person took back", Rule: "rule 20", File: "internal/controller/bid/answer.go",
		Old: "case bidding.Answer(o.live) != said:", New: "case false:",
		Seen: by(bids, "TestAnAnswerThatWasTakenBackIsNone"),
	},
	{
		Name: "who learns nothing by burning a key does not come back", Rule: "I3", File: "internal/controller/bid/resolve.go",
		Old: "if err == nil && r.flights.open(o.live.UID) {", New: "if false {",
		Seen: by(bids, "TestAKeyThatIsNotBurntYetIsBurntLater"),
	},
}
