package marketsim

import "time"

// Kind is what a [Record] is about.
type Kind string

// The kinds of record; the package documentation says when each is written.
const (
	KindSetting Kind = "setting"
	KindCall    Kind = "call"
	KindEffect  Kind = "effect"
	KindReply   Kind = "reply"
)

// Verb is what a call asks of a market, whatever the shape of its API.
type Verb string

// The verbs. A lookup is a list that is narrowed to one posting; a project is one posting or several, without bids. VerbToken
// asks for an access token, VerbOther is a call that matches no route.
const (
	VerbPlace    Verb = "place"
	VerbLookup   Verb = "lookup"
	VerbList     Verb = "list"
	VerbGet      Verb = "get"
	VerbWithdraw Verb = "withdraw"
	VerbMe       Verb = "me"
	VerbProject  Verb = "project"
	VerbToken    Verb = "token"
	VerbOther    Verb = "other"
)

// Effect is one change of the state of a market.
type Effect string

// The effects; the package documentation explains them.
const (
	EffectPlaced       Effect = "placed"
	EffectAwardPending Effect = "award_pending"
	EffectAwarded      Effect = "awarded"
	EffectLost         Effect = "lost"
	EffectRejected     Effect = "rejected"
	EffectExpired      Effect = "expired"
	EffectWithdrawn    Effect = "withdrawn"
	EffectReinstated   Effect = "reinstated"
	EffectClosed       Effect = "closed"
	EffectReopened     Effect = "reopened"
	EffectScheduled    Effect = "scheduled"
	EffectDropped      Effect = "dropped"
)

// State is the state of a bid.
type State string

// The states. A bid in StateLive or StateAwardPending counts as live: it can still bind the account.
const (
	StateLive         State = "live"
	StateAwardPending State = "award_pending"
	StateWon          State = "won"
	StateLost         State = "lost"
	StateWithdrawn    State = "withdrawn"
	StateRejected     State = "rejected"
	StateExpired      State = "expired"
)

// allStates returns every state of a bid, in the order of a bid's life.
func allStates() []State {
	return []State{
		StateLive, StateAwardPending, StateWon, StateLost, StateWithdrawn, StateRejected, StateExpired,
	}
}

// Live reports whether a bid in this state can still bind its account.
func (s State) Live() bool { return s == StateLive || s == StateAwardPending }

// effects are those that bring a bid into a state by hand.
var effects = map[State]Effect{
	StateLive: EffectReinstated, StateAwardPending: EffectAwardPending, StateWon: EffectAwarded, StateLost: EffectLost,
	StateWithdrawn: EffectWithdrawn, StateRejected: EffectRejected, StateExpired: EffectExpired,
}

// state is the state that a bid has after the effect; false for effects that are not about one bid.
func (e Effect) state() (State, bool) {
	if e == EffectPlaced {
		return StateLive, true
	}
	for state, effect := range effects {
		if effect == e {
			return state, true
		}
	}
	return "", false
}

// Record is one line of the ledger. Which fields are set depends on Kind; see the package documentation.
type Record struct {
	// Seq numbers the records from 1 without gaps.
	Seq int64 `json:"seq"`
	// Time is when the record was written, by the server's clock, in UTC.
	Time time.Time `json:"time"`
	// Kind is what the record is about.
	Kind Kind `json:"kind"`
	// Call is the seq of the call that an effect or a reply belongs to; 0 for effects of the administration.
	Call int64 `json:"call,omitempty"`
	// Market is the name of the market; empty for tokens, which hold for all markets.
	Market string `json:"market,omitempty"`
	// Account is the account of the call's token, also when that token was revoked; empty without a token.
	Account string `json:"account,omitempty"`
	// Verb is what the call asked, or what a scheduled effect will do.
	Verb Verb `json:"verb,omitempty"`
	// Posting is the posting's ID exactly as the client spelled it, after URL decoding.
	Posting string `json:"posting,omitempty"`
	// BidID is the market's name for the bid.
	BidID string `json:"bidID,omitempty"`
	// Key is the idempotency key: as sent in calls and replies, as kept by the market in effects.
	Key string `json:"key,omitempty"`
	// RemoteAddr is the client's host and port.
	RemoteAddr string `json:"remoteAddr,omitempty"`
	// Path is method and path of a call that matches no route.
	Path string `json:"path,omitempty"`
	// Fault is the ID of the fault rule that the call met.
	Fault string `json:"fault,omitempty"`
	// Status is the HTTP status of a reply; 0 when the connection was dropped without one.
	Status int `json:"status,omitempty"`
	// Code is the reason of a refusal, such as DUPLICATE_BID.
	Code string `json:"code,omitempty"`
	// Effect is what changed.
	Effect Effect `json:"effect,omitempty"`
	// Amount is the price as a decimal string, as sent.
	Amount string `json:"amount,omitempty"`
	// Currency belongs to Amount.
	Currency string `json:"currency,omitempty"`
	// Days is the delivery time offered.
	Days int `json:"days,omitempty"`
	// Text is the proposal.
	Text string `json:"text,omitempty"`
	// Reason is the reason given with a withdrawal.
	Reason string `json:"reason,omitempty"`
	// HiddenUntil is when a placed bid begins to show in reads; zero for at once.
	HiddenUntil time.Time `json:"hiddenUntil,omitzero"`
	// Due is when a scheduled effect will happen.
	Due time.Time `json:"due,omitzero"`
	// Settings are the new settings of the market.
	Settings *Settings `json:"settings,omitempty"`
	// Token is the new standing of a token.
	Token *Token `json:"token,omitempty"`
}
