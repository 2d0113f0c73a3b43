package conformance

import (
	"strings"
	"sync"

	"github.com/onsi/gomega"
	"github.com/shopspring/decimal"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

func placed(b *bench) {
	posting := b.posting()
	b.Expect(b.lookup(posting)).To(gomega.BeEmpty())
	b.Expect(b.list()).To(gomega.BeEmpty())
	request := b.request(posting)
	bid, err := b.driver.Place(b.Context(), marketplace.Unpaced{}, request)
	b.Expect(err).NotTo(gomega.HaveOccurred())
	b.Expect(b.placeCalls(posting)).To(gomega.Equal(1))
	b.Expect(b.live(posting)).To(gomega.Equal([]string{bid.ID}))

	seen := []marketplace.Bid{bid, b.get(bid)}
	seen = append(seen, b.lookup(posting)...)
	seen = append(seen, b.list()...)
	b.Expect(len(seen)).To(gomega.BeNumerically(">=", 3), "place, get, lookup, and list where there is one")
	for _, got := range seen {
		b.Expect(got.ID).To(gomega.Equal(bid.ID))
		b.Expect(got.State).To(gomega.Equal(onebidv1.RemoteLive), "the word is %q", got.Word)
		b.Expect(got.PostingID).To(gomega.BeElementOf("", posting))
		if got.Amount != "" {
			b.Expect(decimal.RequireFromString(got.Amount)).To(gomega.BeComparableTo(decimal.RequireFromString("120.50")))
			b.Expect(got.Currency).To(gomega.BeElementOf("", b.Currency))
		}
		if b.driver.Capabilities().StoresKey {
			b.Expect(got.IdempotencyKey).To(gomega.Equal(request.IdempotencyKey))
		}
	}
	account, err := b.driver.Account(b.Context(), marketplace.Unpaced{})
	if err != nil || (account != "" && account != b.AccountID(b.account)) {
		b.Errorf("Account: got %q, %v, want %q or nothing", account, err, b.AccountID(b.account))
	}
}

func withdrawn(b *bench) {
	b.needsWithdraw()
	posting := b.posting()
	bid := b.place(posting)
	b.Expect(b.withdraw(bid, posting)).To(gomega.Succeed())
	b.Expect(b.live(posting)).To(gomega.BeEmpty())
	b.Expect(liveIDs(b.lookup(posting))).To(gomega.BeEmpty())
	b.Expect(ids(b.list())).To(gomega.BeEmpty())
	if got, err := b.driver.Get(b.Context(), marketplace.Unpaced{}, marketplace.Ref{BidID: bid.ID, PostingID: posting}); err == nil {
		b.Expect(got.State).To(gomega.Equal(onebidv1.RemoteWithdrawn))
	} else {
		b.failsAs(err, "get", onebidv1.ErrorNotFound)
	}
	b.failsAs(b.withdraw(bid, posting), "withdraw", onebidv1.ErrorAlreadyWithdrawn, onebidv1.ErrorNotFound)
}

func oddPostings(b *bench) {
	placed := 0
	for _, posting := range []string{
		"~01", "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "MixedCase", "mixedcase", "Ж/1 ?&#", "a:b", "a", "%2F", "a+b c",
		"../bids", "x=1&y=2", `"quoted"`, "тендер\u00a0№ 7", "007", "39211345", "12345678901234567890", strings.Repeat("ю", 50),
	} {
		if !b.Takes(posting) {
			b.refuses(posting, onebidv1.ErrorInvalid)
			b.Expect(b.placeCalls("")).To(gomega.Equal(placed), "posting %q", posting)
			continue
		}
		placed++
		bid := b.place(posting)
		b.Expect(b.live(posting)).To(gomega.Equal([]string{bid.ID}), "posting %q", posting)
		b.Expect(ids(b.lookup(posting))).To(gomega.Equal([]string{bid.ID}), "posting %q", posting)
		b.Expect(b.get(bid).ID).To(gomega.Equal(bid.ID))
		if b.driver.Capabilities().CanWithdraw {
			b.Expect(b.withdraw(bid, posting)).To(gomega.Succeed(), "posting %q", posting)
			b.Expect(b.live(posting)).To(gomega.BeEmpty(), "posting %q", posting)
		}
	}
}

func secondBid(b *bench) {
	posting := b.posting()
	request := b.request(posting)
	first, err := b.driver.Place(b.Context(), marketplace.Unpaced{}, request)
	b.Expect(err).NotTo(gomega.HaveOccurred())
	again, err := b.driver.Place(b.Context(), marketplace.Unpaced{}, request)
	switch b.Class {
	case onebidv1.ClassIdempotencyKey:
		b.Expect(b.driver.Capabilities().SendsKey).To(gomega.BeTrue())
		b.Expect(err).NotTo(gomega.HaveOccurred())
		b.Expect(again.ID).To(gomega.Equal(first.ID))
		b.Expect(b.live(posting)).To(gomega.HaveLen(1))
	case onebidv1.ClassUniquePerPosting:
		// Where the bid is a resource of its posting, a second place may be answered with the bid that is there.
		if err == nil {
			b.Expect(again.ID).To(gomega.Equal(first.ID))
		} else {
			b.failsAs(err, "place", onebidv1.ErrorAlreadyExists)
		}
		b.Expect(b.live(posting)).To(gomega.HaveLen(1))
	default:
		b.Expect(err).NotTo(gomega.HaveOccurred())
		b.Expect(b.live(posting)).To(gomega.ConsistOf(first.ID, again.ID))
		b.Expect(ids(b.lookup(posting))).To(gomega.ConsistOf(first.ID, again.ID))
	}
	b.Expect(b.placeCalls(posting)).To(gomega.Equal(2))
}

func unknownBids(b *bench) {
	posting := b.posting()
	b.Expect(b.lookup(posting)).To(gomega.BeEmpty())
	ref := marketplace.Ref{BidID: "999999999", PostingID: posting}
	_, err := b.driver.Get(b.Context(), marketplace.Unpaced{}, ref)
	b.failsAs(err, "get", onebidv1.ErrorNotFound)
	if b.driver.Capabilities().CanWithdraw {
		b.failsAs(b.driver.Withdraw(b.Context(), marketplace.Unpaced{}, ref, "no reason"), "withdraw", onebidv1.ErrorNotFound)
	}
}

func strangers(b *bench) {
	posting := b.posting()
	bid := b.place(posting)
	stranger := b.Open(b.T, "stranger-to-"+b.account)
	bids, err := stranger.Lookup(b.Context(), marketplace.Unpaced{}, posting)
	b.Expect(err).NotTo(gomega.HaveOccurred())
	b.Expect(bids).To(gomega.BeEmpty(), "our bids only")
	_, err = stranger.Get(b.Context(), marketplace.Unpaced{}, marketplace.Ref{BidID: bid.ID, PostingID: posting})
	b.failsAs(err, "get", onebidv1.ErrorNotFound, onebidv1.ErrorForbidden)
	b.Expect(b.live(posting)).To(gomega.Equal([]string{bid.ID}))
}

func moved(b *bench) {
	for _, state := range []onebidv1.RemoteState{
		onebidv1.RemoteAwardPending, onebidv1.RemoteWon, onebidv1.RemoteLost, onebidv1.RemoteWithdrawn, onebidv1.RemoteRejected,
		onebidv1.RemoteExpired,
	} {
		posting := b.posting()
		bid := b.place(posting)
		b.Market.Move(b.T, bid.ID, state)
		got := b.get(bid)
		want := []onebidv1.RemoteState{state}
		if state == onebidv1.RemoteLost || state == onebidv1.RemoteRejected { // not every marketplace tells them apart
			want = []onebidv1.RemoteState{onebidv1.RemoteLost, onebidv1.RemoteRejected}
		}
		b.Expect(got.State).To(gomega.BeElementOf(want), "the word is %q", got.Word)
		listed := ids(b.list())
		if got.Open() && b.driver.Capabilities().CanList {
			b.Expect(listed).To(gomega.ContainElement(bid.ID), "a bid that is %s can still bind us", state)
		} else {
			b.Expect(listed).NotTo(gomega.ContainElement(bid.ID), "a bid that is %s is over", state)
		}
	}
}

func concurrency(b *bench) {
	const each = 12
	postings := make([]string, each)
	requests := make([]marketplace.PlaceRequest, each)
	for i := range postings {
		postings[i] = b.posting()
		requests[i] = b.request(postings[i])
	}
	errs := make([]error, each)
	var wg sync.WaitGroup
	for i := range postings {
		wg.Go(func() {
			if _, errs[i] = b.driver.Place(b.Context(), marketplace.Unpaced{}, requests[i]); errs[i] == nil {
				_, errs[i] = b.driver.Lookup(b.Context(), marketplace.Unpaced{}, postings[i])
			}
		})
	}
	wg.Wait()
	for i, posting := range postings {
		b.Expect(errs[i]).NotTo(gomega.HaveOccurred())
		b.Expect(b.live(posting)).To(gomega.HaveLen(1))
		b.Expect(b.placeCalls(posting)).To(gomega.Equal(1))
	}
	if b.driver.Capabilities().CanList {
		b.Expect(b.list()).To(gomega.HaveLen(each))
	}
}
