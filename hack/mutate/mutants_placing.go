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
		Old: "!bidding.Withdrawing(live) && !bidding.Terminal(live) &&", New: "!bidding.Terminal(live) &&",
		Seen: by(bids, "TestOnlyTheLiveBidAuthorises"),
	},
	{
		Name: "a Bid that ended is placed", Rule: "place 4", File: "internal/controller/bid/place.go",
		Old: "!bidding.Withdrawing(live) && !bidding.Terminal(live) &&", New: "!bidding.Withdrawing(live) &&",
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
		Old:  "	case bidding.VerdictForeign, bidding.VerdictAmbiguous:\n		return true, r.conclude(",
		New:  "	case \"\":\n		return true, r.conclude(",
		Seen: by(bids, "TestAMarketplaceWithoutAnyGuardIsLookedAtFirst"),
	},
	{
		Name: "a shutdown abandons the call", Rule: "place 6", File: "internal/controller/bid/call.go",
		Old: "context.WithTimeout(context.WithoutCancel(ctx), s.timeout())", New: "context.WithTimeout(ctx, s.timeout())",
		Seen: by(bids, "TestAShutdownFinishesTheWithdrawal"),
	},
	{
		Name: "a shutdown loses the outcome", Rule: "place 9", File: "internal/controller/bid/record.go",
		Old: "context.WithTimeout(context.WithoutCancel(ctx), recordFor)", New: "context.WithTimeout(ctx, recordFor)",
		Seen: by(bids, "TestAShutdownFinishesTheWithdrawal"),
	},
	{
		Name: "a place is sent again when its outcome is unknown", Rule: "I5", File: "internal/controller/bid/place.go",
		Old:  "	var learned *bidding.Remote\n",
		New:  "	if err != nil {\n		remote, err = o.conn.Driver.Place(ctx, placeRequest(o.live))\n	}\n	var learned *bidding.Remote\n",
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
		Old:  "	change := bidding.Placed(remote, attempt)\n",
		New:  "	_ = r.Leases.Release(ctx, o.claim)\n	change := bidding.Placed(remote, attempt)\n",
		Seen: by(bids, "TestPlacingIsClaimReadCallAndRecord"),
	},
	{
		Name: "a second bid takes the place of the one that is recorded", Rule: "rule 10", File: "internal/controller/bid/place.go",
		Old: "		change = bidding.PlacedBeside(remote, attempt)\n", New: "",
		Seen: by(bids, "TestASecondBidIsTakenBackByWhoPlacedIt"),
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
			"	if s != nil {\n		return r.Members.Owns(s.bid.Namespace + \"/\" + s.bid.Name)\n	}\n",
		Seen: by(bids, "TestTheHolderActs"),
	},
	{
		Name: "refused credentials do not pause the account", Rule: "rate limit", File: "internal/controller/bid/call.go",
		Old: "if marketplace.ClassOf(err) == onebidv1.ErrorAuth {", New: "if false {",
		Seen: by(bids, "TestRefusedCredentialsPauseTheAccount"),
	},
}
