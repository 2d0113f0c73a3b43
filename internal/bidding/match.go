package bidding

import (
	"github.com/shopspring/decimal"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// Found is one bid of the account on the posting, as a lookup showed it.
type Found struct {
	Key string
	// Open is true while the posting's owner may still accept the bid. A state that we do not know counts as open: it must not
	// lead to a second bid.
	Open             bool
	Amount, Currency string
}

// Verdict says whose bids a lookup showed.
type Verdict string

const (
	// VerdictAbsent means that there is no bid of this Bid and no open one.
	VerdictAbsent Verdict = "Absent"
	// VerdictOurs means that MatchResult.Index is the bid of this Bid.
	VerdictOurs Verdict = "Ours"
	// VerdictExisting means that MatchResult.Index is open and was not placed by this Bid.
	VerdictExisting Verdict = "Existing"
	// VerdictAmbiguous means that several bids are open and none is known to be ours.
	VerdictAmbiguous Verdict = "Ambiguous"
	// VerdictFailed means that the lookup failed, so it shows nothing.
	VerdictFailed Verdict = "Failed"
)

// MatchInput is a lookup and what it is compared with.
type MatchInput struct {
	Found []Found
	// Key is the idempotency key of this Bid.
	Key string
	// StoresKey is true when the marketplace gives keys back.
	StoresKey bool
	// Sent is true when a place call of this Bid may have been made. Before the first one no bid there is ours.
	Sent bool
	// Price of this Bid.
	Price onebidv1.Money
}

// MatchResult is a Verdict and the index in Found that it speaks of.
type MatchResult struct {
	Verdict Verdict
	Index   int
}

// Match decides whose the found bids are. Stored keys tell. Without them a bid that was open before our first call is not
// ours; after it, the only open bid is ours when its price, as far as the marketplace shows one, is the Bid's.
func Match(in MatchInput) MatchResult {
	if in.StoresKey {
		return matchByKey(in)
	}
	open := make([]int, 0, len(in.Found))
	for i, f := range in.Found {
		if f.Open {
			open = append(open, i)
		}
	}
	switch {
	case len(open) == 0:
		return MatchResult{Verdict: VerdictAbsent}
	case !in.Sent:
		return MatchResult{VerdictExisting, open[0]}
	case len(open) > 1:
		return MatchResult{VerdictAmbiguous, open[0]}
	case samePrice(in.Found[open[0]], in.Price):
		return MatchResult{VerdictOurs, open[0]}
	default:
		return MatchResult{VerdictExisting, open[0]}
	}
}

func matchByKey(in MatchInput) MatchResult {
	existing, ended := -1, -1
	for i, f := range in.Found {
		switch {
		case f.Key == in.Key && f.Open:
			return MatchResult{VerdictOurs, i}
		case f.Key == in.Key:
			ended = i
		case f.Open:
			existing = i
		}
	}
	switch {
	case ended >= 0:
		return MatchResult{VerdictOurs, ended}
	case existing >= 0:
		return MatchResult{VerdictExisting, existing}
	default:
		return MatchResult{Verdict: VerdictAbsent}
	}
}

// samePrice compares as far as the marketplace shows a price.
func samePrice(f Found, price onebidv1.Money) bool {
	if f.Currency != "" && f.Currency != price.Currency {
		return false
	}
	shown, err := decimal.NewFromString(f.Amount)
	return err != nil || shown.Equal(amount(price))
}
