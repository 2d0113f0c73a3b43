// Package conformance is what every marketplace.Driver has to pass, against every marketplace that it is said to speak
// to. Run it from the driver's own tests, with a marketplace that can be told to misbehave and that keeps count.
package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

// Harness is one driver with one marketplace.
type Harness struct {
	// Open returns a driver for an account; a new name is a new account without bids. The harness cleans up.
	Open func(t *testing.T, account string) marketplace.Driver
	// Market is the far side.
	Market Market
	// Class of the marketplace.
	Class onebidv1.MarketplaceClass
	// Currency that it takes.
	Currency string
	// PageSize of its lists, at most 10.
	PageSize int
	// Posting makes an ID that the marketplace could have out of a name, always the same. Default: the name itself.
	Posting func(name string) string
	// Takes says whether the marketplace could have a posting of the ID. Default: any.
	Takes func(postingID string) bool
	// AccountID is how the marketplace calls an account. Default: by its name.
	AccountID func(account string) string
}

func (h Harness) withDefaults() Harness {
	itself := func(name string) string { return name }
	if h.Posting == nil {
		h.Posting = itself
	}
	if h.Takes == nil {
		h.Takes = func(string) bool { return true }
	}
	if h.AccountID == nil {
		h.AccountID = itself
	}
	return h
}

// Market is the marketplace behind a driver: it obeys, and its ledger does not lie. Implementations fail the test when
// they cannot do what they are told.
type Market interface {
	// Spoil makes calls go wrong until the test that asked for it ends.
	Spoil(t *testing.T, f Fault)
	// Calls counts the calls of an operation on a posting that arrived on the wire, "" for all.
	Calls(t *testing.T, operation, account, postingID string) int
	// Live gives the IDs of the live bids on a posting, hidden ones too.
	Live(t *testing.T, account, postingID string) []string
	// Move brings a bid into a state by hand.
	Move(t *testing.T, bidID string, state onebidv1.RemoteState)
	// Close makes a posting refuse further bids.
	Close(t *testing.T, postingID string)
	// Revoke makes the account's credentials invalid.
	Revoke(t *testing.T, account string)
}

// Reply is what the client sees of a spoilt call.
type Reply string

// The replies.
const (
	// ReplyTrue is the true one, or Status.
	ReplyTrue Reply = ""
	// ReplyDrop resets the connection without a reply.
	ReplyDrop Reply = "drop"
	// ReplyTruncate breaks off in the middle of the body.
	ReplyTruncate Reply = "truncate"
	// ReplyGarbage is a success whose body is nonsense.
	ReplyGarbage Reply = "garbage"
)

// Fault says which calls go wrong, and how.
type Fault struct {
	// Operation and PostingID choose the calls; a PostingID of "" means all.
	Operation, PostingID string
	// Skip leaves so many calls alone first.
	Skip int
	// Commit lets the call take effect before the reply; without it there is none, or it comes after Late.
	Commit bool
	// Late is how long after its arrival the call takes effect after all.
	Late time.Duration
	// Delay holds the reply back.
	Delay time.Duration
	// Hide keeps a placed bid out of all reads for so long.
	Hide time.Duration
	// Reply that the client sees.
	Reply Reply
	// Status, Code and Headers of the reply.
	Status  int
	Code    string
	Headers map[string]string
}

// proposal is what no error may quote.
const proposal = "We know this kind of work well and can begin on the day you choose us, with a plan for each week and " +
	"somebody who answers on the same day."

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	t.Helper()
	h = h.withDefaults()
	for _, test := range []struct {
		name string
		run  func(*bench)
	}{
		{"a placed bid is found everywhere", (*bench).placed},
		{"a preview sends nothing and tells no secret", (*bench).previewed},
		{"a withdrawn bid is live nowhere", (*bench).withdrawn},
		{"postings with odd IDs", (*bench).oddPostings},
		{"a second bid meets what the class promises", (*bench).secondBid},
		{"bids that nobody knows", (*bench).unknownBids},
		{"bids of somebody else", (*bench).strangers},
		{"states that the marketplace moves a bid to", (*bench).moved},
		{"refusals of a place", (*bench).refusedPlaces},
		{"refusals of a withdrawal", (*bench).refusedWithdrawals},
		{"refused credentials", (*bench).refusedCredentials},
		{"how long to wait", (*bench).waits},
		{"a place with an unknown outcome", (*bench).unknownPlaces},
		{"a withdrawal with an unknown outcome", (*bench).unknownWithdrawals},
		{"a place that commits late", (*bench).lateCommit},
		{"a bid that shows late", (*bench).lateShow},
		{"reads that fail", (*bench).failedReads},
		{"lists are read to the end", (*bench).allPages},
		{"a list that breaks off", (*bench).brokenPages},
		{"deadlines", (*bench).deadlines},
		{"many calls at once", (*bench).concurrency},
	} {
		t.Run(test.name, func(t *testing.T) {
			account := "account-" + strings.ReplaceAll(test.name, " ", "-")
			test.run(&bench{
				T: t, WithT: gomega.NewWithT(t), Harness: h, account: account, driver: h.Open(t, account),
			})
		})
	}
}

// bench is one test with an account of its own.
type bench struct {
	*testing.T
	*gomega.WithT
	Harness

	account string
	driver  marketplace.Driver
	bids    int
}

// sub runs a part of the test as a test of its own, after which its faults are gone.
func (b *bench) sub(name string, run func(*bench)) {
	b.Run(name, func(t *testing.T) {
		part := *b
		part.T, part.WithT = t, gomega.NewWithT(t)
		run(&part)
		b.bids = part.bids
	})
}

// posting gives a posting that no other test uses.
func (b *bench) posting() string {
	b.bids++
	name := fmt.Sprintf("%x-%d", b.Name(), b.bids)
	return b.Posting(name[max(0, len(name)-90):])
}

// request for a posting, with a key of its own.
func (b *bench) request(postingID string) marketplace.PlaceRequest {
	b.bids++
	return marketplace.PlaceRequest{
		PostingID: postingID, Price: onebidv1.Money{Amount: "120.50", Currency: b.Currency}, DeliveryDays: 3,
		Proposal: proposal, IdempotencyKey: fmt.Sprintf("%s/%d", b.account, b.bids),
	}
}

// place places a bid that must succeed.
func (b *bench) place(postingID string) marketplace.Bid {
	b.Helper()
	bid, err := b.driver.Place(b.Context(), marketplace.Unpaced{}, b.request(postingID))
	b.Expect(err).NotTo(gomega.HaveOccurred(), "placing")
	return bid
}

func (b *bench) lookup(postingID string) []marketplace.Bid {
	b.Helper()
	bids, err := b.driver.Lookup(b.Context(), marketplace.Unpaced{}, postingID)
	b.Expect(err).NotTo(gomega.HaveOccurred(), "looking up")
	return bids
}

func (b *bench) get(bid marketplace.Bid) marketplace.Bid {
	b.Helper()
	got, err := b.driver.Get(b.Context(), marketplace.Unpaced{}, marketplace.Ref{BidID: bid.ID, PostingID: bid.PostingID})
	b.Expect(err).NotTo(gomega.HaveOccurred(), "getting")
	return got
}

func (b *bench) list() []marketplace.Bid {
	b.Helper()
	if !b.driver.Capabilities().CanList {
		return nil
	}
	bids, err := b.driver.List(b.Context(), marketplace.Unpaced{})
	b.Expect(err).NotTo(gomega.HaveOccurred(), "listing")
	return bids
}

func (b *bench) withdraw(bid marketplace.Bid, postingID string) error {
	return b.driver.Withdraw(b.Context(), marketplace.Unpaced{}, marketplace.Ref{BidID: bid.ID, PostingID: postingID}, "changed our mind")
}

// placeCalls on a posting, as the marketplace counted them.
func (b *bench) placeCalls(postingID string) int {
	b.Helper()
	return b.Market.Calls(b.T, "place", b.account, postingID)
}

// live bids on a posting, as the marketplace knows.
func (b *bench) live(postingID string) []string {
	b.Helper()
	return b.Market.Live(b.T, b.account, postingID)
}

// failsAs expects an error of one of the classes, in the shape that every driver gives it.
func (b *bench) failsAs(err error, operation string, classes ...onebidv1.ErrorClass) {
	b.Helper()
	var e *marketplace.Error
	if !errors.As(err, &e) {
		b.Errorf("%s: got %v, want a *marketplace.Error of class %v", operation, err, classes)
		return
	}
	if !slices.Contains(classes, e.Class) {
		b.Errorf("%s: got class %s, want one of %v: %v", operation, e.Class, classes, err)
	}
	if e.Operation != operation && e.Operation != "account" {
		b.Errorf("%s: the error names the operation %q", operation, e.Operation)
	}
	b.discreet(err)
}

// discreet expects an error that a status and a log may hold.
func (b *bench) discreet(err error) {
	b.Helper()
	words := err.Error()
	if len(words) > 1200 {
		b.Errorf("an error of %d bytes: %s", len(words), words)
	}
	if strings.Contains(words, proposal[:30]) {
		b.Errorf("the error quotes the proposal: %s", words)
	}
	if strings.Contains(words, b.account) {
		b.Errorf("the error shows the token, which is the account's name: %s", words)
	}
}

// within gives a context that ends soon.
func (b *bench) within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(b.Context(), d)
	b.Cleanup(cancel)
	return ctx
}

func ids(bids []marketplace.Bid) []string {
	out := []string{}
	for _, bid := range bids {
		out = append(out, bid.ID)
	}
	return out
}

func liveIDs(bids []marketplace.Bid) []string {
	return ids(slices.DeleteFunc(slices.Clone(bids), func(bid marketplace.Bid) bool { return !bid.Open() }))
}
