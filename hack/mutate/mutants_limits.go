package main

// limits are the steps that keep what all Bids of a Marketplace may take together.
var limits = []Mutant{
	{
		Name: "one bid more than the limit", Rule: "limits", File: "internal/bidding/account.go",
		Old: "a.Active >= int(limits.MaxActiveBids)", New: "a.Active > int(limits.MaxActiveBids)",
		Seen: by(bidding, "TestGuard"),
	},
	{
		Name: "the budget does not count what others hold", Rule: "limits", File: "internal/bidding/account.go",
		Old: "return a.Committed[limit.Currency].Add(amount(price)).Sub(amount(limit))", New: "return amount(price).Sub(amount(limit))",
		Seen: by(bidding, "TestGuard"),
	},
	{
		Name: "a price counts without its cents", Rule: "limits", File: "internal/bidding/room.go",
		Old: "r.add(bid.Spec.Price.Currency, amount(bid.Spec.Price))", New: "r.add(bid.Spec.Price.Currency, amount(bid.Spec.Price).Floor())",
		Seen: by(bidding, "TestRoomCountsEachBidOnce"),
	},
	{
		Name: "a young Bid takes the room of an old one", Rule: "limits", File: "internal/bidding/room.go",
		Old: "		if inTurn(w, me) >= 0 || others.full(limits) {", New: "		if true || inTurn(w, me) >= 0 {",
		Seen: by(bidding, "TestRoomIsGivenInTurn"),
	},
	{
		Name: "what was just let through does not count", Rule: "limits", File: "internal/controller/bid/room.go",
		Old: "s.room, s.took = m.claim, m.count.Take(s.bid)", New: "s.room, s.took = m.claim, true",
		Seen: by(bids, "TestLimitsCountWhatIsBeingPlaced"),
	},
	{
		Name: "what could not be recorded does not count", Rule: "limits", File: "internal/controller/bid/room.go",
		Old: "ended := s.cleared || s.took && !s.sent", New: "ended := true",
		Seen: by(bids, "TestOneReplicaLetsBidsThrough"),
	},
	{
		Name: "whoever takes over counts no open call", Rule: "limits", File: "internal/controller/bid/count.go",
		Old:  "case bidding.Counts(bid), intended && !bidding.PlaceRecorded(bid, attempt):",
		New:  "case bidding.Counts(bid), false && intended && !bidding.PlaceRecorded(bid, attempt):",
		Seen: by(bids, "TestTheNextReplicaCountsWhatWasSent"),
	},
	{
		Name: "whoever takes over counts nothing", Rule: "limits", File: "internal/controller/bid/room.go",
		Old: "count, err := r.countLive(ctx, mkt)", New: "count, err := bidding.NewRoom(), error(nil)",
		Seen: by(bids, "TestARoomIsGivenUpInTurn"),
	},
	{
		Name: "a replica that lost the room sends", Rule: "limits", File: "internal/controller/bid/terminating.go",
		Old: "if o.room != nil {", New: "if false {",
		Seen: by(bids, "TestARoomThatWasLostLetsNothingThrough"),
	},
	{
		Name: "what was counted before the room was lost counts again", Rule: "limits", File: "internal/controller/bid/room.go",
		Old: "if m.claim == nil || m.claim.Token != claim.Token {", New: "if m.count == nil {",
		Seen: by(bids, "TestARoomThatWasLostLetsNothingThrough"),
	},
	{
		Name: "a bid that was found takes no room", Rule: "limits", File: "internal/controller/bid/room.go",
		Old: "s.cleared, s.sent = !counts, s.sent || counts", New: "s.cleared = !counts",
		Seen: by(bids, "TestABidThatWasFoundTakesItsRoom"),
	},
	{
		Name: "a room that could not be given up is forgotten", Rule: "limits", File: "internal/controller/bid/room.go",
		Old: "r.rooms.owed.Report(types.NamespacedName{})\n\t\treturn\n", New: "_ = err\n",
		Seen: by(bids, "TestARoomThatCouldNotBeGivenUpIsGivenUpLater"),
	},
	{
		Name: "an intent that a lost room left unused stays", Rule: "limits", File: "internal/controller/bid/room.go",
		Old: "if err := r.unintend(ctx, o); err != nil {", New: "if err := ctx.Err(); err != nil {",
		Seen: by(bids, "TestABidThatLostItsRoomIsNoOpenQuestion"),
	},
}
