package main

const freelancer = "internal/marketplace/freelancer"

// freelancers are what one marketplace means by what it says, and what its terms ask for.
var freelancers = []Mutant{
	{
		Name: "the real site is bid on unattended", Rule: "terms", File: "internal/marketplace/freelancer/driver.go",
		Old: "if spec.Approval != onebidv1.ApprovalManual {", New: "if false {",
		Seen: by(freelancer, "TestTheRealSiteNeedsAPerson"),
	},
	{
		Name: "the real site stands in for the sandbox", Rule: "terms", File: "internal/marketplace/freelancer/driver.go",
		Old: "if err != nil || isProduction(parsed.Hostname()) {", New: "if err != nil || parsed == nil {",
		Seen: by(freelancer, "TestTheRealSiteNeedsAPerson"),
	},
	{
		Name: "a price is taken for one in another currency", Rule: "place 1", File: "internal/marketplace/freelancer/place.go",
		Old: "if err != nil || code == p.Price.Currency {", New: `if err != nil || code != "" {`,
		Seen: by(freelancer, "TestWhatIsWrongIsNotSent"),
	},
	{
		Name: "a description that is too short is sent", Rule: "place 8", File: "internal/marketplace/freelancer/check.go",
		Old: "n < minDescription {", New: "n < 0 {",
		Seen: by(freelancer, "TestWhatIsWrongIsNotSent"),
	},
	{
		Name: "an error as HTTP 200 is a success", Rule: "place 8", File: "internal/marketplace/freelancer/codes.go",
		Old: "return c.Open(), nil", New: `return "", nil`,
		Seen: by(freelancer, "TestWhyARetractionWasRefused"),
	},
	{
		Name: "an exception that may have written is a refusal", Rule: "place 8", File: "internal/marketplace/freelancer/codes.go",
		Old: `"GAF_EXCEPTION": onebidv1.ErrorUnknownOutcome,`, New: `"GAF_EXCEPTION": onebidv1.ErrorInvalid,`,
		Seen: by(freelancer, "TestWhatARefusalMeans"),
	},
	{
		Name: "a read before a place leaves its outcome open", Rule: "place 8", File: "internal/marketplace/freelancer/exchange.go",
		Old: "c := o.call(wire.Reading, m)", New: "c := o.call(wire.Writing, m)",
		Seen: by(freelancer, "TestReadsBeforeAPlaceLeaveNothingOpen"),
	},
	{
		Name: "the answer to a place may be about somebody else's bid", Rule: "place 8", File: "internal/marketplace/freelancer/bid.go",
		Old: "case b.BidderID.String() != self:", New: "case false:",
		Seen: by(freelancer, "TestAnAnswerAboutAnotherBidIsNone"),
	},
	{
		Name: "a retraction is sent again after any refusal", Rule: "place 7", File: "internal/marketplace/freelancer/withdraw.go",
		Old: "r != nil && badForm(c, r), err", New: "r != nil && c != nil, err",
		Seen: by(freelancer, "TestTheEncodingOfARetraction"),
	},
	{
		Name: "a refused retraction is not looked into", Rule: "withdraw", File: "internal/marketplace/freelancer/withdraw.go",
		Old: "return o.explain(ctx, ref, err)", New: "return err",
		Seen: by(freelancer, "TestWhyARetractionWasRefused"),
	},
	{
		Name: "a page that is not full is the last", Rule: "look-up", File: "internal/marketplace/freelancer/list.go",
		Old: "if n == 0 || (n == 1 && !fresh) {", New: "if n < pageSize || (n == 1 && !fresh) {",
		Seen: by(freelancer, "TestListsAreReadToTheEnd"),
	},
	{
		Name: "bids may slip past between two pages", Rule: "look-up", File: "internal/marketplace/freelancer/list.go",
		Old: "case i == 0 && overlap:", New: "case i < 0 && overlap:",
		Seen: by(freelancer, "TestListsAreReadToTheEnd"),
	},
	{
		Name: "an empty list is believed without a token", Rule: "look-up", File: "internal/marketplace/freelancer/list.go",
		Old: "if len(r.bids) == 0 {", New: "if false {",
		Seen: by(freelancer, "TestAnEmptyListIsBelievedOfAFriendOnly"),
	},
	{
		Name: "an award that waits for us is over", Rule: "look-up", File: "internal/marketplace/freelancer/bid.go",
		Old: `"pending": onebidv1.RemoteAwardPending,`, New: `"pending": onebidv1.RemoteLost,`,
		Seen: by(freelancer, "TestStates"),
	},
}
