// Package marketplace is the contract between onebid's controllers and the sites that take bids.
//
// A Driver speaks one marketplace's API for one account. It keeps no state between calls, decides nothing and never
// retries a Place or Withdraw: what a call's effect may have been is for the caller to work out, from the error's class.
package marketplace

import (
	"context"
	"time"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// Driver speaks one marketplace's API for one account. Every method is safe for concurrent use, honours its context's
// deadline, and fails with an *Error (see ClassOf) and nothing else.
//
// Each driver passes the suite in internal/marketplace/conformance.
type Driver interface {
	// Capabilities says what the marketplace can do. It makes no call.
	Capabilities() Capabilities

	// Account asks the marketplace who we are, which proves the credentials. Where the marketplace cannot tell it
	// returns "" and no error.
	Account(ctx context.Context, pace Pacer) (string, error)

	// Place puts a bid on a posting with exactly one request on the wire. No error means that the marketplace documented
	// its success and told the bid's ID. Of the errors only UnknownOutcome may have had an effect, and whatever is not
	// documented as a refusal is UnknownOutcome: 5xx, time-out, reset, redirect, an unreadable 2xx. Before the request
	// leaves, calls that only read may be made, and their errors returned.
	Place(ctx context.Context, pace Pacer, bid PlaceRequest) (Bid, error)

	// Preview shows the request that Place would send, and makes no call: what only a call could tell, as the account's ID
	// may be, has a stand-in that says so. Credentials and the proposal have stand-ins too, see Preview and
	// PlaceRequest.ForPreview. It fails with Invalid where Place would without sending anything.
	Preview(ctx context.Context, bid PlaceRequest) (Preview, error)

	// Lookup lists our bids on one posting, every page, ended ones too where the marketplace shows them. Some marketplaces
	// answer a stranger with an empty list: the caller believes an empty result only when Account succeeds after it.
	Lookup(ctx context.Context, pace Pacer, postingID string) ([]Bid, error)

	// Get reads one bid by the marketplace's ID. A bid that the marketplace does not know is NotFound, which
	// the caller believes only when a Lookup does not show the bid either.
	Get(ctx context.Context, pace Pacer, ref Ref) (Bid, error)

	// List lists all Open bids of the account, every page. Of an empty result the same is true as for Lookup. Without the
	// capability it fails with Invalid.
	List(ctx context.Context, pace Pacer) ([]Bid, error)

	// Withdraw takes one bid back, by the marketplace's ID and never by posting, with exactly one request on the wire; a
	// second one, in another encoding, only after the marketplace documented that it refused to read the first. No error
	// means that the marketplace accepted; the caller reads back whether it took effect. Errors as for Place, and NotFound,
	// AlreadyWithdrawn, NotWithdrawable; without the capability always NotWithdrawable. What a refusal means may be found
	// out by calls that only read.
	Withdraw(ctx context.Context, pace Pacer, ref Ref, reason string) error
}

// Capabilities are facts about a marketplace that change what the controller does.
type Capabilities struct {
	// StoresKey is true when the marketplace gives the idempotency key back with each bid, so that ours can be told
	// from others.
	StoresKey bool
	// SendsKey is true when Place sends the idempotency key.
	SendsKey bool
	// CanList is true when List works.
	CanList bool
	// CanWithdraw is true when Withdraw works.
	CanWithdraw bool
}

// PlaceRequest is all that a marketplace may need to place a bid.
type PlaceRequest struct {
	// PostingID as the marketplace spells it.
	PostingID string
	// Price is exact; it is sent as it is written.
	Price onebidv1.Money
	// DeliveryDays is 0 when not given.
	DeliveryDays int32
	// Proposal may be empty.
	Proposal string
	// Attributes are the marketplace-specific extras.
	Attributes map[string]string
	// IdempotencyKey is stable over all attempts of one Bid.
	IdempotencyKey string
}

// Ref names one bid at the marketplace.
type Ref struct {
	// BidID is the marketplace's own ID.
	BidID string
	// PostingID is for marketplaces whose URLs need it.
	PostingID string
}

// Bid is a bid as the marketplace shows it.
type Bid struct {
	// ID is the marketplace's own ID; never empty.
	ID string
	// PostingID that the bid is on; "" when the marketplace does not say.
	PostingID string
	// State in our words; RemoteUnknown when the marketplace's word is not known.
	State onebidv1.RemoteState
	// Word is the marketplace's own word for the state.
	Word string
	// IdempotencyKey that the marketplace stored; "" when none.
	IdempotencyKey string
	// URL shows the bid in a browser; may be empty.
	URL string
	// PlacedAt is zero when the marketplace does not say.
	PlacedAt time.Time
	// Amount and Currency of the price; empty when the marketplace does not say.
	Amount, Currency string
}

// Open says whether the posting's owner may still accept the bid. In a state that we do not know they may.
func (b Bid) Open() bool { return b.KnownOpen() || b.State == onebidv1.RemoteUnknown }

// KnownOpen is Open without the state that we do not know: for what would harm a bid that has ended.
func (b Bid) KnownOpen() bool {
	return b.State == onebidv1.RemoteLive || b.State == onebidv1.RemoteAwardPending
}
