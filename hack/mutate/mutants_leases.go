package main

const (
	owning = "internal/ownership"
	// The same against a real API server, for what a fake proves nothing about.
	owningLive = "internal/ownership/integration"
)

// leases are who owns a posting, and what its Lease remembers.
var leases = []Mutant{
	{
		Name: "calls start under a claim whose release may have worked", Rule: "release", File: "internal/ownership/settle.go",
		Old: "h.assertedAt = time.Time{}", New: "_ = time.Time{}",
		Seen: by(owning, "TestNoCallStartsUnderAClaimThatWasToBeReleased"),
	},
	{
		Name: "an intent erases those of other Bids", Rule: "rule 1", File: "internal/ownership/intent.go",
		Old: "return append(s.Without(intent.BidUID), intent)", New: "return Intents{intent}",
		Seen: by(owning, "TestIntentsOfOthersStay|TestTakeOverKeepsWhatIsUnresolved"),
	},
	{
		Name: "a take-over erases the intents", Rule: "rule 1", File: "internal/ownership/write.go",
		Old:  "TokenOf(base).Transitions + 1)\n	occupy(lease, t, past.intents)",
		New:  "TokenOf(base).Transitions + 1)\n	occupy(lease, t, nil)",
		Seen: by(owning, "TestTakeOverKeepsWhatIsUnresolved"),
	},
	{
		Name: "another Bid's claim without an intent is forgotten", Rule: "rule 1", File: "internal/ownership/write.go",
		Old: "!noted && t.bidUID != \"\" && named != t.bidUID", New: "!noted && t.bidUID == \"\"",
		Seen: by(owning, "TestTakeOverKeepsWhatIsUnresolved"),
	},
	{
		Name: "a tombstone erases an intent that nobody has seen", Rule: "rule 1", File: "internal/ownership/settle.go",
		Old: "		if err := claim.saw(base); err != nil {\n			return nil, err\n		}\n", New: "",
		Seen: by(owning, "TestSetIntentsErasesNothingUnseen|TestSettle"),
	},
	{
		Name: "new intents erase one that nobody has seen", Rule: "rule 1", File: "internal/ownership/keep.go",
		Old: "		if err := claim.saw(base); err != nil {\n			return nil, err\n		}\n", New: "",
		Seen: by(owning, "TestSetIntentsErasesNothingUnseen"),
	},
	{
		Name: "an unreadable intent is none", Rule: "rule 1", File: "internal/ownership/intent.go",
		Old: "return Intents{{Raw: text}}, fmt.Errorf", New: "return nil, fmt.Errorf",
		Seen: by(owning, "TestUnreadableIntentsAreNeverNone"),
	},
	{
		Name: "a deleted Lease takes the intents with it", Rule: "rule 1", File: "internal/ownership/acquire.go",
		Old: "		t.recalled = past.intents\n", New: "",
		Seen: by(owning, "TestDeletedLeaseIsRecalled"),
	},
	{
		Name: "the same attempt of somebody else is written over", Rule: "rule 1", File: "internal/ownership/write.go",
		Old: "if t.intent != nil && !intents.reached(*t.intent) {", New: "if t.intent != nil {",
		Seen: by(owning, "TestTakeOverKeepsWhatIsUnresolved"),
	},
	{
		Name: "a lapse leaves claims good to act on", Rule: "rule 2", File: "internal/ownership/keep.go",
		Old: "case h.epoch != epoch:", New: "case h.epoch != epoch && false:",
		Seen: by(owning, "TestLapseVoidsTokens"),
	},
	{
		Name: "a claim is not written again after a lapse", Rule: "rule 2", File: "internal/ownership/keep.go",
		Old: "h.over, h.epoch == epoch && !c.stale(h, now)", New: "h.over, (h.epoch == epoch || true) && !c.stale(h, now)",
		Seen: by(owning, "TestLapseVoidsTokens"),
	},
	{
		Name: "a claim is as young as the reply to its write", Rule: "rule 2", File: "internal/ownership/keep.go",
		Old:  "h.lease, h.assertedAt, h.epoch = lease, sent.at, sent.epoch",
		New:  "h.lease, h.assertedAt, h.epoch = lease, sent.at, c.sending().epoch",
		Seen: by(owning, "TestLapseDuringAssert"),
	},
	{
		Name: "a living replica's posting is taken", Rule: "rule 3", File: "internal/ownership/decide.go",
		Old: "if now.Before(facts.Pulse.Until) {", New: "if false {",
		Seen: by(owning, "TestDecide"),
	},
	{
		Name: "a silent watch is death", Rule: "rule 3", File: "internal/ownership/decide.go",
		Old:  "return Decision{Verdict: Confirm, Holder: holder, Until: facts.Pulse.Until}",
		New:  "return free(lease, facts)",
		Seen: by(owning, "TestDecide"),
	},
	{
		Name: "nobody reads the heartbeat that seems dead", Rule: "rule 3", File: "internal/ownership/acquire.go",
		Old: "dead, err := c.pulses.ConfirmDead(ctx, HeartbeatOf(lease))", New: "dead, err := true, error(nil)",
		Seen: by(owning, "TestDeadReplicaIsTakenOverAfterItsWindowAndNotBefore|TestMissingHeartbeatHasAWindowOfItsOwn"),
	},
	{
		Name: "the Lease is taken in a version younger than the proof of death", Rule: "rule 3", File: "internal/ownership/acquire.go",
		Old:  "		facts.Pulse.Dead = true\n",
		New:  "		if fresh, err := a.read(ctx); err == nil && fresh != nil {\n			*lease = *fresh\n		}\n		facts.Pulse.Dead = true\n",
		Seen: by(owning, "TestAHolderThatComesBackAfterTheProofIsNoticed"),
	},
	{
		Name: "a predecessor's heartbeat speaks for the present holder", Rule: "rule 3", File: "internal/ownership/decide.go",
		Old: "name != holder.HeartbeatName()", New: "name == \"\"",
		Seen: by(owning, "TestDecide"),
	},
	{
		Name: "wall clocks of hosts are compared", Rule: "clocks", File: "internal/ownership/decide.go",
		Old: "	ended := facts.Since.Add(durationOf(lease))\n",
		New: "	ended := facts.Since.Add(durationOf(lease))\n" +
			"	if lease.Spec.RenewTime != nil {\n		ended = lease.Spec.RenewTime.Add(durationOf(lease))\n	}\n",
		Seen: by(owning, "TestDecideReadsNoWallClockOfOthers"),
	},
	{
		Name: "a competitor is not waited for", Rule: "acquire", File: "internal/ownership/decide.go",
		Old: "if now.Before(ended) && (!pulse || me.Role != RoleController) {", New: "if now.Before(ended) && false {",
		Seen: by(owning, "TestDecide"),
	},
	{
		Name: "a scanner at work is not waited for", Rule: "acquire", File: "internal/ownership/decide.go",
		Old: "me.Role == RoleController && facts.BidExists {", New: "me.Role == RoleController {",
		Seen: by(owning, "TestDecide"),
	},
	{
		Name: "a stale hint forbids", Rule: "acquire", File: "internal/ownership/acquire.go",
		Old: "	case !live:\n		return nil, errStale\n", New: "",
		Seen: by(owning, "TestHintSavesTheRoundTripsAndDecidesNothing"),
	},
	{
		Name: "a Lease is taken whatever its version", Rule: "compare-and-swap", File: "internal/ownership/acquire.go",
		Old:  "	lease, err := a.c.leases.Leases(a.req.Namespace).Update(",
		New:  "	next.ResourceVersion = \"\"\n	lease, err := a.c.leases.Leases(a.req.Namespace).Update(",
		Seen: by(owningLive, "TestWhoeverSawTheSameFreeLeaseSecondIsRefused"),
	},
	{
		Name: "a claim is rewritten whatever the version", Rule: "compare-and-swap", File: "internal/ownership/keep.go",
		Old:  "		lease, err := c.leases.Leases(h.namespace).Update(",
		New:  "		next.ResourceVersion = \"\"\n		lease, err := c.leases.Leases(h.namespace).Update(",
		Seen: by(owningLive, "TestSetIntentsConflicts"),
	},
	{
		Name: "a take-over is no new tenure", Rule: "tokens", File: "internal/ownership/write.go",
		Old: "ptr.To(TokenOf(base).Transitions + 1)", New: "ptr.To(TokenOf(base).Transitions)",
		Seen: by(owning, "TestTakeOverKeepsWhatIsUnresolved"),
	},
	{
		Name: "another tenure of the same holder is taken for this one", Rule: "tokens", File: "internal/ownership/keep.go",
		Old: "case TokenOf(lease) != h.token || HolderOf(lease) != c.me.String():", New: "case HolderOf(lease) != c.me.String():",
		Seen: by(owning, "TestAnotherTenureOfTheSameHolderIsNotThisClaims"),
	},
	{
		Name: "a call starts after the Lease's own duration", Rule: "rule 4", File: "internal/ownership/keep.go",
		Old: "case now.After(h.assertedAt.Add(c.timing.Bound(h.ttl))):", New: "case false:",
		Seen: by(owning, "TestOwnDurationBoundsTheHolder"),
	},
	{
		Name: "a claim near the end of its duration is not written again", Rule: "rule 4", File: "internal/ownership/keep.go",
		Old: "h.epoch == epoch && !c.stale(h, now)\n", New: "h.epoch == epoch\n",
		Seen: by(owning, "TestOwnDurationBoundsTheHolder"),
	},
	{
		Name: "a claim counts from the reply to its write", Rule: "rule 4", File: "internal/ownership/acquire.go",
		Old: "h.assertedAt, h.epoch = sent.at, sent.epoch", New: "h.assertedAt, h.epoch = c.clock.Now(), sent.epoch",
		Seen: by(owning, "TestAClaimCountsFromBeforeItsWriteWasSent"),
	},
	{
		Name: "a claim that is written again counts from the reply", Rule: "rule 4", File: "internal/ownership/keep.go",
		Old:  "h.lease, h.assertedAt, h.epoch = lease, sent.at, sent.epoch",
		New:  "h.lease, h.assertedAt, h.epoch = lease, c.clock.Now(), sent.epoch",
		Seen: by(owning, "TestAClaimCountsFromBeforeItsWriteWasSent"),
	},
	{
		Name: "the whole duration is relied on, drift or not", Rule: "rule 4", File: "internal/ownership/timing.go",
		Old:  "return max(0, min(t.bound(ttl, 0), t.bound(ttl-t.Heartbeat, t.Heartbeat-t.Margin)))",
		New:  "return ttl",
		Seen: by(owning, "TestBoundIsCoveredByTheSameSettleWait"),
	},
	{
		Name: "the settle wait starts before the take-over is acknowledged", Rule: "rule 5", File: "internal/ownership/acquire.go",
		Old: "acquiredAt: c.clock.Now(),", New: "acquiredAt: sent.at,",
		Seen: by(owning, "TestTheTenureBeginsWhenItsWriteIsAcknowledged"),
	},
	{
		Name: "a call without a timeout is allowed", Rule: "rule 5", File: "internal/ownership/keep.go",
		Old: "if callTimeout <= 0 {", New: "if false {",
		Seen: by(owning, "TestACallNeedsATimeout"),
	},
	{
		Name: "a release deletes a Lease with an intent or a tombstone", Rule: "rule 9", File: "internal/ownership/settle.go",
		Old: "if protected(base) {", New: "if false {",
		Seen: by(owning, "TestRelease"),
	},
	{
		Name: "a delete hits whatever version there is", Rule: "rule 9", File: "internal/ownership/settle.go",
		Old: "UID: &lease.UID, ResourceVersion: &lease.ResourceVersion,", New: "UID: &lease.UID,",
		Seen: by(owning, "TestReleaseDeletesOnlyWhatItKnows"),
	},
	{
		Name: "a tombstone with an intent is swept", Rule: "rule 9", File: "internal/ownership/tombstone.go",
		Old: ` && lease.Annotations[onebidv1.AnnotationIntent] == ""`, New: "",
		Seen: by(owning, "TestSweepable"),
	},
	{
		Name: "a tombstone that somebody holds is swept", Rule: "rule 9", File: "internal/ownership/tombstone.go",
		Old: `HolderOf(lease) == "" && `, New: "",
		Seen: by(owning, "TestSweepable"),
	},
	{
		Name: "a scanner's Lease is swept although it was renewed", Rule: "rule 9", File: "internal/ownership/abandoned.go",
		Old: "; ok && known.record == s.record", New: "; ok",
		Seen: by(owning, "TestAbandonedLeases"),
	},
	{
		Name: "what a Bid claimed is swept as a scanner's", Rule: "rule 9", File: "internal/ownership/abandoned.go",
		Old: "|| protected(lease) && !pastItsTime(lease, wall, retention)", New: "",
		Seen: by(owning, "TestAbandonedLeases"),
	},
	{
		Name: "the cooldown is not kept", Rule: "rule 16", File: "internal/ownership/decide.go",
		Old: "(buried || facts.Wall.Before(stone.CooldownUntil))", New: "buried",
		Seen: by(owning, "TestDecide"),
	},
	{
		Name: "the cooldown is judged by the host's clock", Rule: "rule 16", File: "internal/ownership/acquire.go",
		Old: "Wall:           c.wall.Now(),", New: "Wall:           c.clock.Now(),",
		Seen: by(owning, "TestCooldownIsJudgedByTheServersClock"),
	},
	{
		Name: "a tombstone is not final for its own Bid", Rule: "rule 16", File: "internal/ownership/decide.go",
		Old: "(buried || facts.Wall.Before(stone.CooldownUntil))", New: "(buried && false || facts.Wall.Before(stone.CooldownUntil))",
		Seen: by(owning, "TestDecide"),
	},
	{
		Name: "who took a tombstone back need not cool down", Rule: "rule 16", File: "internal/ownership/decide.go",
		Old:  "if decision := free(lease, facts); decision.Verdict == Cooldown {",
		New:  "if decision := free(lease, facts); decision.Verdict == Create {",
		Seen: by(owning, "TestDecide"),
	},
	{
		Name: "an unreadable tombstone forbids nothing", Rule: "rule 16", File: "internal/ownership/tombstone.go",
		Old: "settled, settled.Add(unreadableCooldown)", New: "settled, settled",
		Seen: by(owning, "TestUnreadableTombstoneStillForbids"),
	},
	{
		Name: "goroutines of a process share a tenure that one has to itself", Rule: "rule 14", File: "internal/ownership/acquire.go",
		Old: "&& (h.exclusive || a.req.Exclusive)", New: "&& false",
		Seen: by(owning, "TestAcquireExclusive"),
	},
	{
		Name: "a namespace on its way out is any other error", Rule: "rule 8", File: "internal/ownership/acquire.go",
		Old:  "apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) ||",
		New:  "err == nil && corev1.NamespaceTerminatingCause == \"\" ||",
		Seen: by(owning, "TestAcquireRefusals"),
	},
}

// heartbeats are who is alive.
var heartbeats = []Mutant{
	{
		Name: "validity counts from the reply", Rule: "inequality", File: "internal/ownership/beat.go",
		Old: "m.until = sent.Add(m.timing.Heartbeat)", New: "m.until = m.clock.Now().Add(m.timing.Heartbeat)",
		Seen: by(owning, "TestValidityCountsFromTheSend"),
	},
	{
		Name: "a lapse goes unnoticed", Rule: "rule 2", File: "internal/ownership/beat.go",
		Old: "	if lapsed {\n		m.epoch++", New: "	if lapsed && m.epoch == 0 {\n		m.epoch++",
		Seen: by(owning, "TestEpochRisesAfterALapse"),
	},
	{
		Name: "a lapse within the margin is none", Rule: "rule 2", File: "internal/ownership/beat.go",
		Old: "m.clock.Now().After(m.until.Add(-m.timing.Margin))", New: "m.clock.Now().After(m.until)",
		Seen: by(owning, "TestEpochRisesAfterALapse"),
	},
	{
		Name: "a call starts within the margin", Rule: "inequality", File: "internal/ownership/client.go",
		Old: "now.After(until.Add(-c.timing.Margin))", New: "now.After(until)",
		Seen: by(owning, "TestAuthorizeEndsWithValidity"),
	},
	{
		Name: "a live read that was sent too early proves death", Rule: "rule 3", File: "internal/ownership/heartbeat.go",
		Old:  "return !sent.Before(p.note(ref, lease)), nil",
		New:  "until := p.note(ref, lease)\n	return !p.clock.Now().Before(until) || sent.IsZero(), nil",
		Seen: by(owning, "TestAReadBeforeTheEndConfirmsNothing"),
	},
	{
		Name: "a missing heartbeat is dead at once", Rule: "rule 3", File: "internal/ownership/heartbeat.go",
		Old: "return since.Add(p.timing.Heartbeat)", New: "return since",
		Seen: by(owning, "TestMissingHeartbeatHasAWindowOfItsOwn"),
	},
	{
		Name: "a heartbeat that changes nothing is acknowledged", Rule: "rule 3", File: "internal/ownership/write.go",
		Old: "last != nil && wall.Sub(last.Time) < time.Microsecond {", New: "last != nil && wall.IsZero() {",
		Seen: by(owning, "TestEveryWriteIsAChange"),
	},
	{
		Name: "the first inequality is not checked", Rule: "inequality", File: "internal/ownership/timing.go",
		Old: "t.Margin <= 0 || t.Margin < least:", New: "t.Margin <= 0:",
		Seen: by(owning, "TestTheMarginCoversTheDriftOfBothClocks"),
	},
	{
		Name: "the settle wait does not cover the call", Rule: "inequality", File: "internal/ownership/timing.go",
		Old: "seconds(t.Heartbeat - t.Margin + callTimeout)", New: "seconds(t.Heartbeat - t.Margin)",
		Seen: by(owning, "TestSettleIsTheSmallestThatSatisfiesTheInequality"),
	},
	{
		Name: "the settle wait does not cover a pause before the call", Rule: "inequality", File: "internal/ownership/timing.go",
		Old: "seconds(t.Pause+lateCommit+visibility)", New: "seconds(lateCommit+visibility)",
		Seen: by(owning, "TestSettleIsTheSmallestThatSatisfiesTheInequality"),
	},
	{
		Name: "the settle wait does not cover late commits and visibility", Rule: "inequality", File: "internal/ownership/timing.go",
		Old: "seconds(t.Pause+lateCommit+visibility)", New: "seconds(t.Pause)",
		Seen: by(owning, "TestSettleIsTheSmallestThatSatisfiesTheInequality"),
	},
	{
		Name: "who stops its heartbeat may still act", Rule: "heartbeats", File: "internal/ownership/beat.go",
		Old: "m.until, m.live = time.Time{}, nil", New: "m.live = nil",
		Seen: by(owning, "TestMembersRun"),
	},
	{
		Name: "a replica without a heartbeat is ready", Rule: "heartbeats", File: "internal/ownership/members.go",
		Old: "case m.clock.Now().After(m.until.Add(-m.timing.Margin)):", New: "case false:",
		Seen: by(owning, "TestNotReadyBeforeTheFirstHeartbeat"),
	},
	{
		Name: "the dead stay members", Rule: "rule 17", File: "internal/ownership/members.go",
		Old: "		if now.Before(until) {\n			live[", New: "		if !until.IsZero() {\n			live[",
		Seen: by(owning, "TestLiveSet"),
	},
}
