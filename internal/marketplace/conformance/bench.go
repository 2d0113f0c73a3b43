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

// proposal is what no error may quote.
const proposal = "We know this kind of work well and can begin on the day you choose us, with a plan for each week and " +
	"somebody who answers on the same day."

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

// lists are the operations that read lists.
func (b *bench) lists() []string {
	if b.driver.Capabilities().CanList {
		return []string{marketplace.OpLookup, marketplace.OpList}
	}
	return []string{marketplace.OpLookup}
}

// read returns the IDs of the bids that a read shows.
func (b *bench) read(operation string, ref marketplace.Ref) (shown []string, err error) {
	var bids []marketplace.Bid
	switch operation {
	case marketplace.OpLookup:
		bids, err = b.driver.Lookup(b.Context(), marketplace.Unpaced{}, ref.PostingID)
	case marketplace.OpList:
		bids, err = b.driver.List(b.Context(), marketplace.Unpaced{})
	default:
		_, err = b.driver.Get(b.Context(), marketplace.Unpaced{}, ref)
	}
	return ids(bids), err
}

func (b *bench) withdraw(bid marketplace.Bid, postingID string) error {
	return b.driver.Withdraw(b.Context(), marketplace.Unpaced{}, marketplace.Ref{BidID: bid.ID, PostingID: postingID}, "changed our mind")
}

// refuses places a bid that must fail as one of the classes.
func (b *bench) refuses(postingID string, classes ...onebidv1.ErrorClass) {
	b.Helper()
	_, err := b.driver.Place(b.Context(), marketplace.Unpaced{}, b.request(postingID))
	b.failsAs(err, marketplace.OpPlace, classes...)
}

func (b *bench) needsWithdraw() {
	if !b.driver.Capabilities().CanWithdraw {
		b.Skip("bids on this marketplace cannot be withdrawn, as the driver's capabilities say")
	}
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
