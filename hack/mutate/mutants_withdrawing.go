package main

// withdrawing are the steps from a live bid, or from none, to the end of its Bid.
var withdrawing = []Mutant{
	{
		Name: "a bid is taken back by its posting", Rule: "withdraw", File: "internal/controller/bid/call.go",
		Old: "BidID: bid.Status.Remote.BidID,", New: "BidID: bid.Spec.PostingID,",
		Seen: by(bids, "TestWithdrawingIsCallReadBackTombstoneAndFinalizer"),
	},
	{
		Name: "the live Bid is not looked at", Rule: "withdraw", File: "internal/controller/bid/withdraw.go",
		Old: "case !withdrawable(o.live):", New: "case false:",
		Seen: by(bids, "TestABidThatEndedIsNotWithdrawn"),
	},
	{
		Name: "ownership is not checked before the call", Rule: "rule 18", File: "internal/controller/bid/withdraw.go",
		Old: "	if err := r.authorize(o); err != nil {\n		return reconcile.Result{}, err\n	}\n", New: "",
		Seen: by(bids, "TestNoWithdrawalStartsOnceTheLeaseHasRunOut"),
	},
	{
		Name: "an accepted withdrawal is not read back", Rule: "I2", File: "internal/controller/bid/withdraw.go",
		Old:  "	bid, err := r.readBack(ctx, s, ref, accepted)\n",
		New:  "	if accepted {\n		return onebidv1.RemoteWithdrawn, nil\n	}\n	bid, err := r.readBack(ctx, s, ref, accepted)\n",
		Seen: by(bids, "TestWithdrawingIsCallReadBackTombstoneAndFinalizer"),
	},
	{
		Name: "\"not found\" is believed of a refused withdrawal", Rule: "I2", File: "internal/controller/bid/withdraw.go",
		Old: "	bid, err := r.readBack(ctx, s, ref, accepted)\n",
		New: "	if marketplace.ClassOf(refused) == onebidv1.ErrorNotFound {\n		return onebidv1.RemoteWithdrawn, nil\n	}\n" +
			"	bid, err := r.readBack(ctx, s, ref, accepted)\n",
		Seen: by(bids, "TestAWithdrawalIsBelievedWhenItIsReadBack"),
	},
	{
		Name: "refused credentials are success", Rule: "withdraw", File: "internal/controller/bid/withdraw.go",
		Old:  "	default:\n		return \"\", refused\n	}\n	accepted :=",
		New:  "	default:\n		return onebidv1.RemoteWithdrawn, nil\n	}\n	accepted :=",
		Seen: by(bids, "TestAWithdrawalIsBelievedWhenItIsReadBack"),
	},
	{
		Name: "a bid in a state that nobody knows is gone", Rule: "I2", File: "internal/controller/bid/withdraw.go",
		Old: "case !bid.Live() && bid.State != onebidv1.RemoteUnknown:", New: "case !bid.Live():",
		Seen: by(bids, "TestAWithdrawalIsBelievedWhenItIsReadBack"),
	},
	{
		Name: "a bid that its posting shows is gone", Rule: "I2", File: "internal/controller/bid/withdraw.go",
		Old: "if b.ID == ref.BidID {", New: "if b.ID == ref.BidID && false {",
		Seen: by(bids, "TestAWithdrawalIsBelievedWhenItIsReadBack"),
	},
	{
		Name: "a bid that is not shown yet is gone", Rule: "I2", File: "internal/controller/bid/withdraw.go",
		Old: "!withdrawn && placed != nil &&", New: "!withdrawn && placed == nil &&",
		Seen: by(bids, "TestABidThatIsNotShownYetIsNotWithdrawn"),
	},
	{
		Name: "the finalizer goes before the tombstone stands", Rule: "withdraw", File: "internal/controller/bid/withdraw.go",
		Old: "	if o.claim != nil {\n		if err := r.bury(ctx, o, o.live.Status.Outcome); err != nil {\n			return err\n		}\n	}\n" +
			"	return r.removeFinalizer(ctx, o.live)\n",
		New: "	if err := r.removeFinalizer(ctx, o.live); err != nil || o.claim == nil {\n		return err\n	}\n" +
			"	return r.bury(ctx, o, o.live.Status.Outcome)\n",
		Seen: by(bids, "TestWithdrawingIsCallReadBackTombstoneAndFinalizer"),
	},
	{
		Name: "no tombstone is written", Rule: "withdraw", File: "internal/controller/bid/withdraw.go",
		Old:  "	if o.claim != nil {\n		if err := r.bury(ctx, o, o.live.Status.Outcome); err != nil {\n			return err\n		}\n	}\n",
		New:  "",
		Seen: by(bids, "TestWithdrawingIsCallReadBackTombstoneAndFinalizer"),
	},
	{
		Name: "the finalizer goes from whatever version there is", Rule: "withdraw", File: "internal/controller/bid/finalize.go",
		Old: `"resourceVersion": bid.ResourceVersion, `, New: "",
		Seen: by(bids, "TestTheFinalizerGoesFromTheVersionThatWasRead"),
	},
	{
		Name: "a Bid with a verdict is let go without asking for calls", Rule: "rule 12", File: "internal/controller/bid/finalize.go",
		Old: "	o, result, err := r.unsent(ctx, s)\n	if o == nil || err != nil {\n		return result, err\n	}\n	if err := r.ended(",
		New: "	o, result, err := &owned{situation: s, live: s.bid}, reconcile.Result{}, error(nil)\n" +
			"	if o == nil || err != nil {\n		return result, err\n	}\n	if err := r.ended(",
		Seen: by(bids, "TestAVerdictDoesNotHideACall"),
	},
	{
		Name: "a Bid is cancelled without asking for calls", Rule: "rule 12", File: "internal/controller/bid/finalize.go",
		Old: "	o, result, err := r.unsent(ctx, s)\n	switch {\n	case o == nil || err != nil:\n		return result, err\n	case o.live.Deletion",
		New: "	o, result, err := &owned{situation: s, live: s.bid}, reconcile.Result{}, error(nil)\n" +
			"	switch {\n	case o == nil || err != nil:\n		return result, err\n	case o.live.Deletion",
		Seen: by(bids, "TestADeletedBidIsLetGoOnlyOnceNoCallIsOpen"),
	},
	{
		Name: "open calls are found and not resolved", Rule: "rule 12", File: "internal/controller/bid/finalize.go",
		Old:  "	case r.open(o):\n		result, err := r.resolveOwned(ctx, o)\n		return nil, result, err\n",
		New:  "",
		Seen: by(bids, "TestADeletedBidIsLetGoOnlyOnceNoCallIsOpen"),
	},
	{
		Name: "an unreadable Lease is somebody else's", Rule: "rule 12", File: "internal/controller/bid/finalize.go",
		Old: "return true, nil //nolint:nilerr // unreadable", New: "return false, nil //nolint:nilerr // unreadable",
		Seen: by(bids, "TestAnUnreadableIntentIsAnOpenCall"),
	},
	{
		Name: "what was live leaves no cooldown", Rule: "rule 16", File: "internal/controller/bid/claim.go",
		Old: "until = now.Add(o.cooldown())", New: "until = now",
		Seen: by(bids, "TestACooldownIsJudgedOnTheTombstone"),
	},
	{
		Name: "what may be live leaves no cooldown", Rule: "rule 16", File: "internal/controller/bid/claim.go",
		Old: "if o.live.Status.Remote != nil || unknown {", New: "if o.live.Status.Remote != nil || unknown && false {",
		Seen: by(bids, "TestABidAfterOneThatWasGivenUpLooksFirst"),
	},
	{
		Name: "a person who changes their mind is not heard", Rule: "abandon", File: "internal/controller/bid/finalize.go",
		Old: "if o.live.Annotations[onebidv1.AnnotationAbandon] == \"\" {", New: "if false {",
		Seen: by(bids, "TestGivingUpIsReadLiveAndCoolsDown"),
	},
	{
		Name: "a Lease that went with its namespace told of nothing", Rule: "rule 8", File: "internal/controller/bid/terminating.go",
		Old: "return !namespace.DeletionTimestamp.IsZero(), nil", New: "return false, nil",
		Seen: by(bids, "TestALeaseThatWentWithItsNamespaceMeansUnknown"),
	},
	{
		Name: "without a take-over the settle wait is no longer", Rule: "rule 8", File: "internal/controller/bid/terminating.go",
		Old: "longer := time.Second + readFor + r.Leases.Margin()", New: "longer := 0 * r.Leases.Margin()",
		Seen: by(bids, "TestALeaseThatWentWithItsNamespaceMeansUnknown"),
	},
	{
		Name: "without a Lease an old live read authorises", Rule: "rule 6", File: "internal/controller/bid/terminating.go",
		Old: "if r.Clock.Since(o.readAt) >= readFor {", New: "if false {",
		Seen: by(bids, "TestWithoutALeaseOnlyAFreshReadAuthorises"),
	},
}

const auditing = "internal/controller/audit"

// audits are what is done about bids that no Bid accounts for.
var audits = []Mutant{
	{
		Name: "a settled Bid accounts for a live bid", Rule: "rule 14", File: "internal/controller/audit/judge.go",
		Old: "	for _, bid := range k.byID[remote.ID] {\n		if answers(bid) {", New: "	for _, bid := range k.byID[remote.ID] {\n		if bid != nil {",
		Seen: by(auditing, "TestJudge"),
	},
	{
		Name: "a bid that is being placed is an orphan", Rule: "rule 14", File: "internal/controller/audit/judge.go",
		Old: "answers(bid) && bid.Status.Remote == nil:", New: "answers(bid) && bid.Status.Remote != nil:",
		Seen: by(auditing, "TestJudge"),
	},
	{
		Name: "a bid that a person let go is an orphan", Rule: "I6", File: "internal/controller/audit/judge.go",
		Old: "case by.abandoned, bid != nil &&", New: "case bid != nil &&",
		Seen: by(auditing, "TestJudge"),
	},
	{
		Name: "a bid with our key on another posting is ours", Rule: "I6", File: "internal/controller/audit/judge.go",
		Old: "case !known || !on(remote, by.key):", New: "case !known:",
		Seen: by(auditing, "TestJudge"),
	},
	{
		Name: "a Lease whose Bid is gone tells of nothing", Rule: "I6", File: "internal/controller/audit/judge.go",
		Old: "			k.left = append(k.left, by)\n", New: "",
		Seen: by(auditing, "TestJudge"),
	},
	{
		Name: "a verdict is reached once", Rule: "rule 14", File: "internal/controller/audit/act.go",
		Old: "f, err := s.look(ctx, before.Key)", New: "f, err := before, ctx.Err()",
		Seen: by(auditing, "TestAVerdictIsReachedTwice"),
	},
	{
		Name: "an audit waits for no call", Rule: "rule 14", File: "internal/controller/audit/sweep.go",
		Old: "!s.sleep(ctx, s.calm(s.conn))", New: "ctx.Err() != nil",
		Seen: by(auditing, "TestAnOrphanIsTakenBackAfterTheWaitAndBuried"),
	},
	{
		Name: "the posting is not held during the wait", Rule: "rule 14", File: "internal/controller/audit/act.go",
		Old: "	f.claim = claim\n", New: "	f.claim = claim\n	_ = s.Leases.Release(ctx, claim)\n",
		Seen: by(auditing, "TestAnOrphanIsTakenBackAfterTheWaitAndBuried"),
	},
	{
		Name: "an orphan is taken back under another's Lease", Rule: "rule 14", File: "internal/controller/audit/act.go",
		Old: "	if err := s.allowed(ctx, claim); err != nil {\n		return err\n	}\n", New: "",
		Seen: by(auditing, "TestAPostingThatWasTakenDuringTheWaitIsLeftToThem"),
	},
	{
		Name: "an audit uses what another Bid of the process holds", Rule: "rule 14", File: "internal/controller/audit/act.go",
		Old: "IgnoreCooldown: true, Exclusive: true,", New: "IgnoreCooldown: true,",
		Seen: by(auditing, "TestAPostingThatThisProcessUsesForAnotherBidIsLeftToThat"),
	},
	{
		Name: "an orphan is not read back", Rule: "I2", File: "internal/controller/audit/act.go",
		Old: "if err := s.readBack(ctx, ref); err != nil {", New: "if err := refused; err != nil {",
		Seen: by(auditing, "TestAnOrphanIsReadBack"),
	},
	{
		Name: "an audit believes another account's list", Rule: "I6", File: "internal/controller/audit/sweep.go",
		Old: "known != \"\" && account != \"\" && known != account {", New: "known != \"\" && account == \"\" && known == account {",
		Seen: by(auditing, "TestAnAuditOfAnotherAccountProvesNothing"),
	},
	{
		Name: "a posting is taken only to report its orphan", Rule: "I4", File: "internal/controller/audit/sweep.go",
		Old: "return s.mkt.Spec.Orphans == onebidv1.OrphansWithdraw\n", New: "return s.mkt.Spec.Orphans != \"\"\n",
		Seen: by(auditing, "TestAnOrphanIsOnlyReportedWhereThatIsThePolicy"),
	},
}
