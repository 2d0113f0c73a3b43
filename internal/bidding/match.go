package bidding

import (
	"github.com/shopspring/decimal"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// Found is one bid of the account on the posting, as a look-up showed it.
type Found struct {
	ID, Key          string
	State            onebidv1.RemoteState
	Amount, Currency string
}

// Live says whether the posting's owner may still accept the bid. A word that we do not know counts as live here: it
// must not lead to a second bid.
func (f Found) Live() bool {
	return f.State == onebidv1.RemoteLive || f.State == onebidv1.RemoteAwardPending || f.State == onebidv1.RemoteUnknown
}

// Verdict says whose the bids are that a look-up showed.
type Verdict string

const (
	// VerdictAbsent means that nothing of ours and nothing live is there.
	VerdictAbsent Verdict = "Absent"
	// VerdictOurs means that MatchResult.Index is the bid of this Bid.
	VerdictOurs Verdict = "Ours"
	// VerdictForeign means that MatchResult.Index is live and was placed by somebody else with the account.
	VerdictForeign Verdict = "Foreign"
	// VerdictAmbiguous means that what is live there cannot be told apart.
	VerdictAmbiguous Verdict = "Ambiguous"
)

// MatchInput is what a look-up is judged by.
type MatchInput struct {
	Found []Found
	// Key is the idempotency key of this Bid.
	Key string
	// StoresKey is true when the marketplace gives keys back.
	StoresKey bool
	// Sent is true when a place call of this Bid may have been made. Before the first one nothing there is ours.
	Sent bool
	// Price of this Bid.
	Price onebidv1.Money
}

// MatchResult is a Verdict and the index in Found that it speaks of.
type MatchResult struct {
	Verdict Verdict
	Index   int
}

// Match decides whose the found bids are. With stored keys there is no doubt. Without them what was live before our
// first call is not ours, and after it a bid is taken for ours only when it is the one live bid there and its price, as
// far as the marketplace shows it, is ours.
func Match(in MatchInput) MatchResult {
	if in.StoresKey {
		return matchByKey(in)
	}
	live := make([]int, 0, len(in.Found))
	for i, f := range in.Found {
		if f.Live() {
			live = append(live, i)
		}
	}
	switch {
	case len(live) == 0:
		return MatchResult{Verdict: VerdictAbsent}
	case !in.Sent:
		return MatchResult{VerdictForeign, live[0]}
	case len(live) > 1:
		return MatchResult{VerdictAmbiguous, live[0]}
	case samePrice(in.Found[live[0]], in.Price):
		return MatchResult{VerdictOurs, live[0]}
	default:
		return MatchResult{VerdictForeign, live[0]}
	}
}

func matchByKey(in MatchInput) MatchResult {
	foreign, ended := -1, -1
	for i, f := range in.Found {
		switch {
		case f.Key == in.Key && f.Live():
			return MatchResult{VerdictOurs, i}
		case f.Key == in.Key:
			ended = i
		case f.Live():
			foreign = i
		}
	}
	switch {
	case ended >= 0:
		return MatchResult{VerdictOurs, ended}
	case foreign >= 0:
		return MatchResult{VerdictForeign, foreign}
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
