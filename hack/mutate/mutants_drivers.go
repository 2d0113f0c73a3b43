package main

const (
	market   = "internal/marketplace"
	httpsite = "internal/marketplace/http"
	wire     = "internal/marketplace/wire"
	egress   = "internal/marketplace/egress"
	registry = "internal/marketplace/registry"
)

// drivers are what goes over the wire, and what the answer means.
var drivers = []Mutant{
	{
		Name: "a 5xx is a refusal", Rule: "place 8", File: "internal/marketplace/wire/call.go",
		Old: "r.Status < 200 || r.Status >= 500 ||", New: "r.Status < 200 ||",
		Seen: by(httpsite, "TestWhatARefusalMeans"),
	},
	{
		Name: "a redirect is a refusal", Rule: "place 8", File: "internal/marketplace/wire/call.go",
		Old: " || (r.Status >= 300 && r.Status < 400)\n", New: "\n",
		Seen: by(httpsite, "TestRedirectsAreNotFollowed|TestWhatARefusalMeans"),
	},
	{
		Name: "a success that is no JSON is one", Rule: "place 8", File: "internal/marketplace/wire/call.go",
		Old: "case r.Succeeded() && r.Alien != nil:", New: "case false:",
		Seen: by(httpsite, "TestAWithdrawalIsNotAcceptedByAReplyThatCannotBeRead"),
	},
	{
		Name: "a success that breaks off is one", Rule: "place 8", File: "internal/marketplace/wire/call.go",
		Old: "case r.Broken != nil:", New: "case false:",
		Seen: by(httpsite, "TestAWithdrawalIsNotAcceptedByAReplyThatCannotBeRead"),
	},
	{
		Name: "what is not documented had no effect", Rule: "place 8", File: "internal/marketplace/wire/call.go",
		Old: "	if c.Intent == Writing {\n", New: "	if false {\n",
		Seen: by(httpsite, "TestWhatARefusalMeans|TestRepliesThatCannotBeRead"),
	},
	{
		Name: "a call without an answer had no effect", Rule: "place 8", File: "internal/marketplace/wire/call.go",
		Old: "errors.As(err, &failed) && !failed.Sent {", New: "errors.As(err, &failed) {",
		Seen: by(httpsite, "TestAWriteIsOnTheWireOnce"),
	},
	{
		Name: "an error of no class had no effect", Rule: "place 8", File: "internal/marketplace/errors.go",
		Old: "	return onebidv1.ErrorUnknownOutcome\n", New: "	return onebidv1.ErrorTransient\n",
		Seen: by(market, "TestErrors"),
	},
	{
		Name: "a conflict is an invalid bid", Rule: "place 8", File: "internal/marketplace/wire/call.go",
		Old: "return onebidv1.ErrorAlreadyExists", New: "return onebidv1.ErrorInvalid",
		Seen: by(httpsite, "TestWhatARefusalMeans"),
	},
	{
		Name: "the answer to a place may be about another bid", Rule: "place 8", File: "internal/marketplace/http/operations.go",
		Old: "err = d.checkPlaced(bid, p)", New: "err = nil",
		Seen: by(httpsite, "TestRepliesThatCannotBeRead"),
	},
	{
		Name: "a write can be rewound, so net/http may send it again", Rule: "place 7", File: "internal/marketplace/wire/message.go",
		Old: "body = io.NopCloser(bytes.NewReader(m.Body))", New: "body = bytes.NewReader(m.Body)",
		Seen: by(wire, "TestNothingCanRewindAWrite"),
	},
	{
		Name: "a write without a body can be sent again", Rule: "place 7", File: "internal/marketplace/wire/message.go",
		Old: "if len(m.Body) > 0 || i == Writing {", New: "if len(m.Body) > 0 {",
		Seen: by(wire, "TestNothingCanRewindAWrite"),
	},
	{
		Name: "writes go over connections that were used before", Rule: "place 7", File: "internal/marketplace/wire/send.go",
		Old: "	writes.DisableKeepAlives = true\n", New: "",
		Seen: by(wire, "TestTransports"),
	},
	{
		Name: "redirects are followed", Rule: "place 7", File: "internal/marketplace/wire/send.go",
		Old: "transport.RoundTrip(r)", New: "(&http.Client{Transport: transport}).Do(r)",
		Seen: by(httpsite, "TestRedirectsAreNotFollowed"),
	},
	{
		Name: "a place is sent a second time when no answer comes", Rule: "place 7", File: "internal/marketplace/http/auth.go",
		Old: "	r, err := d.sender.Send(ctx, m.Message, c.Intent)\n",
		New: "	r, err := d.sender.Send(ctx, m.Message, c.Intent)\n" +
			"	if err != nil {\n		r, err = d.sender.Send(ctx, m.Message, c.Intent)\n	}\n",
		Seen: by(httpsite, "TestAWriteIsOnTheWireOnce"),
	},
	{
		Name: "a place whose token was refused is sent a second time", Rule: "place 7", File: "internal/marketplace/http/auth.go",
		Old: "again || token.fresh || c.Intent == wire.Writing", New: "again || token.fresh",
		Seen: by(httpsite, "TestARefusedTokenIsReplaced"),
	},
	{
		Name: "the idempotency key is not sent", Rule: "idempotency key", File: "internal/marketplace/http/operations.go",
		Old: `if d.key != "" {`, New: "if false {",
		Seen: by(httpsite, "TestConformance"),
	},
	{
		Name: "only the first page is read", Rule: "look-up", File: "internal/marketplace/http/list.go",
		Old: "if len(next) == 0 {", New: "if len(next) >= 0 {",
		Seen: by(httpsite, "TestEveryPageIsRead"),
	},
	{
		Name: "an empty list of a stranger's account is believed", Rule: "look-up", File: "internal/marketplace/http/operations.go",
		Old: "if err != nil || len(bids) > 0 || d.plan.account == nil {", New: "if err != nil || len(bids) >= 0 || d.plan.account == nil {",
		Seen: by(httpsite, "TestAnEmptyListIsBelievedOfAFriendOnly"),
	},
	{
		Name: "a look-up may show bids on another posting", Rule: "look-up", File: "internal/marketplace/http/operations.go",
		Old: "if err := d.checkPosting(b, postingID); err != nil {", New: "if err := d.checkPosting(b, postingID); err != nil && false {",
		Seen: by(httpsite, "TestAListIsNeverCutShort"),
	},
	{
		Name: "a word that nobody knows means live", Rule: "look-up", File: "internal/marketplace/http/bid.go",
		Old: "	return onebidv1.RemoteUnknown\n", New: "	return onebidv1.RemoteLive\n",
		Seen: by(httpsite, "TestABidAsTheMarketplaceShowsIt"),
	},
	{
		Name: "reading back may give another bid", Rule: "withdraw", File: "internal/marketplace/http/operations.go",
		Old: "if err == nil && bid.ID != ref.BidID {", New: "if false {",
		Seen: by(httpsite, "TestGetMustGiveTheBidThatWasAskedFor"),
	},
	{
		Name: "private addresses are connected to", Rule: "egress", File: "internal/marketplace/egress/egress.go",
		Old: "return p.checkDial(address)", New: "return nil",
		Seen: by(egress, "TestDialer"),
	},
	{
		Name: "an answer of too many does not pause the account", Rule: "rate limit", File: "internal/marketplace/registry/paced.go",
		Old: "case class == onebidv1.ErrorRateLimited:", New: "case class == onebidv1.ErrorAuth:",
		Seen: by(registry, "TestAnAnswerOfTooManyPausesTheAccount"),
	},
	{
		Name: "a pause does not reach those who queue already", Rule: "rate limit", File: "internal/marketplace/registry/limiter.go",
		Old: "return l.waitForResume(ctx) // a pause may have begun while we queued", New: "return nil",
		Seen: by(registry, "TestAPauseReachesThoseWhoQueueAlready"),
	},
	{
		Name: "every replica takes the whole rate", Rule: "rate limit", File: "internal/marketplace/registry/limiter.go",
		Old: "replicas := max(l.replicas(), 1)", New: "replicas := min(l.replicas(), 1)",
		Seen: by(registry, "TestLimiterSharesTheRateAmongReplicas"),
	},
}
