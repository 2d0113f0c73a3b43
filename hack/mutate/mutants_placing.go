package main

const bids = "internal/controller/bid"

// placing are the steps from a Bid to a live bid.
var placing = []Mutant{
	{
		Name: "no intent is written", Rule: "place 3", File: "internal/controller/bid/place.go",
		Old: "r.own(ctx, s, r.placeIntent(s.bid, attempt))", New: "r.own(ctx, s, nil)",
		Seen: by(bids, "TestPlacingIsClaimReadCallAndRecord"),
	},
	{
		Name: "the live read is skipped", Rule: "place 4", File: "internal/controller/bid/claim.go",
		Old:  "	live, err := r.readLive(ctx, s.bid)\n	switch {\n	case errors.Is(err, errGone) && exhumed:",
		New:  "	live, err := s.bid, error(nil)\n	switch {\n	case errors.Is(err, errGone) && exhumed:",
		Seen: by(bids, "TestPlacingIsClaimReadCallAndRecord|TestOnlyTheLiveBidAuthorises"),
	},
	{
		Name: "another Bid of the same name is taken for this one", Rule: "place 4", File: "internal/controller/bid/claim.go",
		Old: "apierrors.IsNotFound(err) || err == nil && live.UID != bid.UID", New: "apierrors.IsNotFound(err)",
		Seen: by(bids, "TestOnlyTheLiveBidAuthorises"),
	},
	{
		Name: "what the live read shows is not looked at", Rule: "place 4", File: "internal/controller/bid/place.go",
		Old: "case !placeable(s.bid, o.live):", New: "case false:",
		Seen: by(bids, "TestOnlyTheLiveBidAuthorises"),
	},
	{
		Name: "a Bid that is to be withdrawn is placed", Rule: "place 4", File: "internal/controller/bid/place.go",
		Old: "!bidding.Withdrawing(live) && !bidding.Settled(live) &&", New: "!bidding.Settled(live) &&",
		Seen: by(bids, "TestOnlyTheLiveBidAuthorises"),
	},
	{
		Name: "a Bid that ended is placed", Rule: "place 4", File: "internal/controller/bid/place.go",
		Old: "!bidding.Withdrawing(live) && !bidding.Settled(live) &&", New: "!bidding.Withdrawing(live) &&",
		Seen: by(bids, "TestOnlyTheLiveBidAuthorises"),
	},
	{
		Name: "an approval that was changed meanwhile does not count", Rule: "place 4", File: "internal/controller/bid/place.go",
		Old: "		live.Generation == cached.Generation &&\n", New: "",
		Seen: by(bids, "TestOnlyTheLiveBidAuthorises"),
	},
	{
		Name: "an attempt that was recorded meanwhile does not count", Rule: "place 4", File: "internal/controller/bid/place.go",
		Old:  " &&\n		bidding.Attempts(live, onebidv1.OperationPlace) == bidding.Attempts(cached, onebidv1.OperationPlace)",
		New:  "",
		Seen: by(bids, "TestOnlyTheLiveBidAuthorises"),
	},
	{
		Name: "a live read authorises for ever", Rule: "rule 6", File: "internal/controller/bid/place.go",
		Old: "	if err := r.refresh(ctx, o); err != nil {\n		return err\n	}\n", New: "",
		Seen: by(bids, "TestALiveReadAuthorisesForAMomentOnly"),
	},
	{
		Name: "a Bid that changed during the look-up is placed", Rule: "rule 6", File: "internal/controller/bid/claim.go",
		Old: "live.ResourceVersion != o.live.ResourceVersion {", New: "live.ResourceVersion == \"\" {",
		Seen: by(bids, "TestALiveReadAuthorisesForAMomentOnly"),
	},
	{
		Name: "ownership is not checked before the call", Rule: "place 6", File: "internal/controller/bid/place.go",
		Old:  "	if err := r.authorize(o); err != nil {\n		return err\n	}\n	r.flights.start(",
		New:  "	r.flights.start(",
		Seen: by(bids, "TestNoCallStartsOnceTheLeaseHasRunOut"),
	},
	{
		Name: "a class without any guard is not looked at first", Rule: "place 5", File: "internal/controller/bid/place.go",
		Old: "if o.needsLook() {", New: "if false {",
		Seen: by(bids, "TestAMarketplaceWithoutAnyGuardIsLookedAtFirst"),
	},
	{
		Name: "history does not make anybody look first", Rule: "place 5", File: "internal/controller/bid/place.go",
		Old: "o.claim.Inherited ||", New: "false ||",
		Seen: by(bids, "TestABidAfterOneThatWasGivenUpLooksFirst"),
	},
	{
		Name: "where no keys are kept nobody looks at what is there", Rule: "rule 19", File: "internal/controller/bid/place.go",
		Old: "!o.conn.Driver.Capabilities().StoresKey\n", New: "false\n",
		Seen: by(bids, "TestWithoutKeysWhatIsThereIsLookedAtFirst"),
	},
	{
		Name: "a shutdown leaves an intent that was not used", Rule: "place 6", File: "internal/controller/bid/place.go",
		Old: "context.WithTimeout(context.WithoutCancel(ctx), placeFor)", New: "context.WithTimeout(ctx, placeFor)",
		Seen: by(bids, "TestAShutdownLeavesNoIntentUnused"),
	},
	{
		Name: "a bid that is there already is bid over", Rule: "rule 19", File: "internal/controller/bid/place.go",
		Old: "	case bidding.VerdictForeign, bidding.VerdictAmbiguous:\n		return true, r.conclude(", New: "	case \"\":\n		return true, r.conclude(",
		Seen: by(bids, "TestAMarketplaceWithoutAnyGuardIsLookedAtFirst"),
	},
	{
		Name: "a shutdown abandons the call", Rule: "place 6", File: "internal/controller/bid/call.go",
		Old: "context.WithTimeout(context.WithoutCancel(ctx), s.timeout())", New: "context.WithTimeout(ctx, s.timeout())",
		Seen: by(bids, "TestAShutdownFinishesTheCall"),
	},
	{
		Name: "a shutdown loses the outcome", Rule: "place 9", File: "internal/controller/bid/record.go",
		Old: "context.WithTimeout(context.WithoutCancel(ctx), recordFor)", New: "context.WithTimeout(ctx, recordFor)",
		Seen: by(bids, "TestAShutdownFinishesTheCall"),
	},
	{
		Name: "a place is sent again when its outcome is unknown", Rule: "I5", File: "internal/controller/bid/place.go",
		Old: "	var learned *bidding.Remote\n",
		New: "	if err != nil {\n		remote, err = o.conn.Driver.Place(ctx, placeRequest(o.live))\n	}\n	var learned *bidding.Remote\n",

		Seen: by(bids, "TestAnUnknownOutcomeIsLookedUpAndNotSentAgain"),
	},
	{
		Name: "an unknown outcome is a refusal", Rule: "place 8", File: "internal/controller/bid/place.go",
		Old:  "	case onebidv1.ErrorUnknownOutcome, onebidv1.ErrorAlreadyWithdrawn, onebidv1.ErrorNotWithdrawable:\n		return r.record(",
		New:  "	case onebidv1.ErrorAlreadyWithdrawn, onebidv1.ErrorNotWithdrawable:\n		return r.record(",
		Seen: by(bids, "TestAnUnknownOutcomeIsLookedUpAndNotSentAgain"),
	},
	{
		Name: "an answer that makes no sense is a refusal", Rule: "place 8", File: "internal/controller/bid/place.go",
		Old:  "	case onebidv1.ErrorUnknownOutcome, onebidv1.ErrorAlreadyWithdrawn, onebidv1.ErrorNotWithdrawable:\n		return r.record(",
		New:  "	case onebidv1.ErrorUnknownOutcome:\n		return r.record(",
		Seen: by(bids, "TestAnUnknownOutcomeIsLookedUpAndNotSentAgain"),
	},
	{
		Name: "\"there is one already\" is a refusal", Rule: "place 8", File: "internal/controller/bid/place.go",
		Old: "		return r.alreadyThere(ctx, o, attempt, err)\n", New: "		return r.refused(ctx, o, attempt, err)\n",
		Seen: by(bids, "TestABidThatIsThereAlreadyIsLookedAt"),
	},
	{
		Name: "the Lease is released before the outcome is recorded", Rule: "place 9", File: "internal/controller/bid/place.go",
		Old:  "	err := r.record(ctx, o.situation, o.live, bidding.Placed(remote, attempt))\n",
		New:  "	_ = r.Leases.Release(ctx, o.claim)\n	err := r.record(ctx, o.situation, o.live, bidding.Placed(remote, attempt))\n",
		Seen: by(bids, "TestPlacingIsClaimReadCallAndRecord"),
	},
	{
		Name: "what was sent is not remembered", Rule: "rule 1", File: "internal/controller/bid/place.go",
		Old: "	r.flights.start(o.live.UID, attempt)\n", New: "",
		Seen: by(bids, "TestWhatCouldNotBeRecordedIsNotSentAgain"),
	},
	{
		Name: "what was learned and not recorded is not remembered", Rule: "rule 10", File: "internal/controller/bid/resolve.go",
		Old: "if remote, ok := r.unrecorded(o.live); ok {", New: "if remote, ok := r.unrecorded(o.live); ok && false {",
		Seen: by(bids, "TestWhatCouldNotBeRecordedIsNotSentAgain"),
	},
	{
		Name: "a learned bid is not added to another version", Rule: "rule 11", File: "internal/controller/bid/record.go",
		Old: "r.reread(ctx, read, change.Learned)", New: "r.reread(ctx, read, false)",
		Seen: by(bids, "TestOnlyALearnedBidIsAddedToAnotherVersion"),
	},
	{
		Name: "a verdict is written over another version", Rule: "rule 11", File: "internal/controller/bid/record.go",
		Old: "case !learned && !equality", New: "case false && !equality",
		Seen: by(bids, "TestOnlyALearnedBidIsAddedToAnotherVersion"),
	},
	{
		Name: "an outcome is written to another Bid of the same name", Rule: "rule 11", File: "internal/controller/bid/record.go",
		Old: "case fresh.UID != read.UID:", New: "case false:",
		Seen: by(bids, "TestABidThatWentDuringTheCallLeavesNothingLive"),
	},
	{
		Name: "who learns of a bid whose Bid is gone does nothing", Rule: "rule 10", File: "internal/controller/bid/place.go",
		Old: "		return r.retractOrphan(ctx, o, remote.ID)\n", New: "		return err\n",
		Seen: by(bids, "TestABidThatWentDuringTheCallLeavesNothingLive"),
	},
	{
		Name: "what was learned is taken back under another's Lease", Rule: "rule 18", File: "internal/controller/bid/place.go",
		Old:  "		if err := r.Leases.Assert(ctx, o.claim); err != nil {\n			return err\n		}\n",
		New:  "",
		Seen: by(bids, "TestWhatWasLearnedIsNotTakenBackUnderAnothersLease"),
	},
	{
		Name: "an intent that was used is taken back", Rule: "rule 1", File: "internal/controller/bid/place.go",
		Old: "if noted && !inherited && unused {", New: "if noted && !inherited && (unused || true) {",
		Seen: by(bids, "TestAnIntentThatWasNotUsedIsTakenBack"),
	},
	{
		Name: "the claim of a Bid that is gone is buried, open calls or not", Rule: "rule 1", File: "internal/controller/bid/place.go",
		Old: "|| len(claim.Prior) > 0 || recorded {", New: "|| recorded {",
		Seen: by(bids, "TestTheClaimOfABidThatIsGoneStaysWhereACallMayBeOpen"),
	},
	{
		Name: "a claim is buried because the cache shows nothing placed", Rule: "rule 1", File: "internal/controller/bid/claim.go",
		Old: "case errors.Is(err, errGone) && used:", New: "case errors.Is(err, errGone) && used && false:",
		Seen: by(bids, "TestTheClaimOfABidThatIsGoneStaysWhereACallMayBeOpen"),
	},
	{
		Name: "a buried Bid is dug out for an old cache", Rule: "rule 16", File: "internal/controller/bid/claim.go",
		Old:  "	if _, err := r.readLive(ctx, s.bid); err != nil {\n		return nil, err\n	}\n	if intent != nil {",
		New:  "	if intent != nil && false {",
		Seen: by(bids, "TestABuriedBidIsNotPlacedAgain"),
	},
	{
		Name: "only who is chosen acts, and not the holder", Rule: "rule 17", File: "internal/controller/bid/reconciler.go",
		Old: "func (r *Reconciler) responsible(s *situation) bool {\n",
		New: "func (r *Reconciler) responsible(s *situation) bool {\n" +
			"	if s != nil {\n		return r.Members.Acts(s.bid.Namespace + \"/\" + s.bid.Name)\n	}\n",
		Seen: by(bids, "TestTheHolderActs"),
	},
	{
		Name: "what was just let through does not count", Rule: "limits", File: "internal/controller/bid/guard.go",
		Old: " || r.room.has(bid.UID)", New: "",
		Seen: by(bids, "TestLimitsCountWhatIsBeingPlaced"),
	},
	{
		Name: "what could not be recorded does not count", Rule: "limits", File: "internal/controller/bid/guard.go",
		Old: " || r.flights.open(bid.UID)", New: "",
		Seen: by(bids, "TestLimitsCountWhatIsBeingPlaced"),
	},
	{
		Name: "refused credentials do not pause the account", Rule: "rate limit", File: "internal/controller/bid/call.go",
		Old: "if marketplace.ClassOf(err) == onebidv1.ErrorAuth {", New: "if false {",
		Seen: by(bids, "TestRefusedCredentialsPauseTheAccount"),
	},
}

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
		Old: "	from := o.claim.AcquiredAt\n",
		New: "	from := o.claim.AcquiredAt\n	if intent, ok := o.claim.Intents.Of(o.live.UID); ok {\n		from = intent.Time\n	}\n",

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
		Old: "\"an earlier Bid on this posting is gone\"); err != nil {", New: "\"an earlier Bid on this posting is gone\"); err != nil && false {",
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
}
