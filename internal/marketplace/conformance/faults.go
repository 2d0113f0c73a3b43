package conformance

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/onsi/gomega"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

func (b *bench) refusedPlaces() {
	for _, c := range []struct {
		status int
		code   string
		want   onebidv1.ErrorClass
	}{
		{http.StatusUnauthorized, "UNAUTHENTICATED", onebidv1.ErrorAuth},
		{http.StatusForbidden, "RESTRICTED", onebidv1.ErrorForbidden},
		{http.StatusBadRequest, "BID_AMOUNT_INVALID", onebidv1.ErrorInvalid},
		{http.StatusTooManyRequests, "TOO_MANY_REQUESTS", onebidv1.ErrorRateLimited},
		{http.StatusNotFound, "PROJECT_NOT_FOUND", onebidv1.ErrorNotFound},
		{http.StatusConflict, "DUPLICATE_BID", onebidv1.ErrorAlreadyExists},
		// Code before status: the same 409, and a 403 that will pass.
		{http.StatusConflict, "POSTING_CLOSED", onebidv1.ErrorPostingClosed},
		{http.StatusForbidden, "BID_LIMIT_EXCEEDED", onebidv1.ErrorQuotaExhausted},
	} {
		posting := b.posting()
		b.Market.Spoil(b.T, Fault{Operation: "place", PostingID: posting, Status: c.status, Code: c.code})
		_, err := b.driver.Place(b.Context(), marketplace.Unpaced{}, b.request(posting))
		b.failsAs(err, "place", c.want)
		b.Expect(b.placeCalls(posting)).To(gomega.Equal(1), "%d %s", c.status, c.code)
		b.Expect(b.live(posting)).To(gomega.BeEmpty())
	}
	posting := b.posting()
	b.Market.Close(b.T, posting)
	_, err := b.driver.Place(b.Context(), marketplace.Unpaced{}, b.request(posting))
	b.failsAs(err, "place", onebidv1.ErrorPostingClosed)
}

func (b *bench) refusedWithdrawals() {
	b.needsWithdraw()
	for _, state := range []onebidv1.RemoteState{onebidv1.RemoteAwardPending, onebidv1.RemoteWon} {
		posting := b.posting()
		bid := b.place(posting)
		b.Market.Move(b.T, bid.ID, state)
		b.failsAs(b.withdraw(bid, posting), "withdraw", onebidv1.ErrorNotWithdrawable)
	}
	for status, want := range map[int]onebidv1.ErrorClass{
		http.StatusUnauthorized: onebidv1.ErrorAuth, http.StatusForbidden: onebidv1.ErrorForbidden,
		http.StatusTooManyRequests: onebidv1.ErrorRateLimited, http.StatusNotFound: onebidv1.ErrorNotFound,
		http.StatusGone: onebidv1.ErrorNotFound,
	} {
		posting := b.posting()
		bid := b.place(posting)
		b.Market.Spoil(b.T, Fault{Operation: "withdraw", PostingID: posting, Status: status})
		b.failsAs(b.withdraw(bid, posting), "withdraw", want)
		b.Expect(b.live(posting)).To(gomega.Equal([]string{bid.ID}))
	}
}

func (b *bench) refusedCredentials() {
	posting := b.posting()
	bid := b.place(posting)
	b.Market.Revoke(b.T, b.account)
	_, err := b.driver.Account(b.Context(), marketplace.Unpaced{})
	if err != nil {
		b.failsAs(err, "account", onebidv1.ErrorAuth)
	}
	bids, err := b.driver.Lookup(b.Context(), marketplace.Unpaced{}, posting)
	b.failsAs(b.proven(bids, err), "lookup", onebidv1.ErrorAuth)
	_, err = b.driver.Get(b.Context(), marketplace.Unpaced{}, marketplace.Ref{BidID: bid.ID, PostingID: posting})
	b.failsAs(err, "get", onebidv1.ErrorAuth)
	_, err = b.driver.Place(b.Context(), marketplace.Unpaced{}, b.request(posting))
	b.failsAs(err, "place", onebidv1.ErrorAuth)
	if b.driver.Capabilities().CanList {
		bids, err = b.driver.List(b.Context(), marketplace.Unpaced{})
		b.failsAs(b.proven(bids, err), "list", onebidv1.ErrorAuth)
	}
	if b.driver.Capabilities().CanWithdraw {
		b.failsAs(b.withdraw(bid, posting), "withdraw", onebidv1.ErrorAuth)
	}
	b.Expect(b.live(posting)).To(gomega.Equal([]string{bid.ID}))
}

// proven asks for the account after an empty list, as every caller must.
func (b *bench) proven(bids []marketplace.Bid, err error) error {
	if err == nil && len(bids) == 0 {
		_, err = b.driver.Account(b.Context(), marketplace.Unpaced{})
	}
	return err
}

func (b *bench) waits() {
	for _, c := range []struct {
		name, value string
		from, to    time.Duration
	}{
		{"Retry-After", "17", 17 * time.Second, 17 * time.Second},
		{"Retry-After", time.Now().Add(time.Minute).UTC().Format(http.TimeFormat), 50 * time.Second, 61 * time.Second},
		{"Retry-After", "soon", 0, 0},
		{"RateLimit-Reset", "23", 23 * time.Second, 23 * time.Second},
	} {
		posting := b.posting()
		b.Market.Spoil(b.T, Fault{
			Operation: "place", PostingID: posting, Status: http.StatusTooManyRequests,
			Headers: map[string]string{c.name: c.value},
		})
		_, err := b.driver.Place(b.Context(), marketplace.Unpaced{}, b.request(posting))
		b.failsAs(err, "place", onebidv1.ErrorRateLimited)
		b.Expect(marketplace.RetryAfter(err)).To(gomega.And(gomega.BeNumerically(">=", c.from),
			gomega.BeNumerically("<=", c.to)), "%s: %s", c.name, c.value)
	}
}

// unknowns are answers that tell nothing about what became of a write.
func unknowns() []Fault {
	out := []Fault{{Reply: ReplyDrop}, {Reply: ReplyTruncate}, {Reply: ReplyGarbage}}
	for _, status := range []int{
		http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect,
		http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable,
		http.StatusGatewayTimeout, 599,
	} {
		out = append(out, Fault{Status: status, Headers: map[string]string{"Location": "/elsewhere"}})
	}
	return out
}

func (f Fault) String() string {
	return fmt.Sprintf("%s %s%d, commit %t", f.Operation, f.Reply, f.Status, f.Commit)
}

func (b *bench) unknownPlaces() {
	for _, f := range unknowns() {
		for _, f.Commit = range []bool{true, false} {
			f.Operation, f.PostingID = "place", b.posting()
			b.Market.Spoil(b.T, f)
			_, err := b.driver.Place(b.Context(), marketplace.Unpaced{}, b.request(f.PostingID))
			b.failsAs(err, "place", onebidv1.ErrorUnknownOutcome)
			b.Expect(b.placeCalls(f.PostingID)).To(gomega.Equal(1), "%s: on the wire exactly once", f)
			want := map[bool]int{true: 1, false: 0}[f.Commit]
			b.Expect(b.live(f.PostingID)).To(gomega.HaveLen(want), "%s", f)
			b.Expect(b.lookup(f.PostingID)).To(gomega.HaveLen(want), "%s", f)
		}
	}
}

func (b *bench) unknownWithdrawals() {
	b.needsWithdraw()
	for _, f := range unknowns() {
		for _, f.Commit = range []bool{true, false} {
			f.Operation, f.PostingID = "withdraw", b.posting()
			bid := b.place(f.PostingID)
			b.Market.Spoil(b.T, f)
			err := b.withdraw(bid, f.PostingID)
			b.failsAs(err, "withdraw", onebidv1.ErrorUnknownOutcome)
			calls := b.Market.Calls(b.T, "withdraw", b.account, f.PostingID)
			b.Expect(calls).To(gomega.Equal(1), "%s: on the wire exactly once", f)
			b.Expect(b.get(bid).Open()).To(gomega.Equal(!f.Commit), "%s", f)
		}
	}
}

func (b *bench) lateCommit() {
	const late = 500 * time.Millisecond
	posting := b.posting()
	b.Market.Spoil(b.T, Fault{Operation: "place", PostingID: posting, Status: http.StatusGatewayTimeout, Late: late})
	begun := time.Now()
	_, err := b.driver.Place(b.Context(), marketplace.Unpaced{}, b.request(posting))
	b.failsAs(err, "place", onebidv1.ErrorUnknownOutcome)
	if found := b.lookup(posting); time.Since(begun) < late { // else the machine stood still, and it may be there
		b.Expect(found).To(gomega.BeEmpty(), "not there yet")
	}
	b.Eventually(func() []string { return ids(b.lookup(posting)) }, 20*time.Second, 50*time.Millisecond).
		Should(gomega.HaveLen(1))
	b.Expect(b.placeCalls(posting)).To(gomega.Equal(1))
}

func (b *bench) lateShow() {
	posting := b.posting()
	b.Market.Spoil(b.T, Fault{Operation: "place", PostingID: posting, Commit: true, Hide: 500 * time.Millisecond})
	bid := b.place(posting)
	b.Expect(b.live(posting)).To(gomega.Equal([]string{bid.ID}))
	b.Eventually(func() []string { return ids(b.lookup(posting)) }, 20*time.Second, 50*time.Millisecond).
		Should(gomega.Equal([]string{bid.ID}))
}

func (b *bench) failedReads() {
	for _, f := range append(unknowns(), Fault{Status: http.StatusTooManyRequests}) {
		posting := b.posting()
		bid := b.place(posting)
		ref := marketplace.Ref{BidID: bid.ID, PostingID: posting}
		want := onebidv1.ErrorTransient
		if f.Status == http.StatusTooManyRequests {
			want = onebidv1.ErrorRateLimited
		}
		for _, operation := range []string{"lookup", "get", "list"} {
			if operation == "list" && !b.driver.Capabilities().CanList {
				continue
			}
			b.sub(fmt.Sprintf("%s of %s%d", operation, f.Reply, f.Status), func(b *bench) {
				f.Operation = operation
				b.Market.Spoil(b.T, f)
				b.failsAs(b.read(operation, ref), operation, want)
			})
		}
	}
}

func (b *bench) read(operation string, ref marketplace.Ref) error {
	ctx := b.Context()
	var err error
	switch operation {
	case "lookup":
		_, err = b.driver.Lookup(ctx, marketplace.Unpaced{}, ref.PostingID)
	case "get":
		_, err = b.driver.Get(ctx, marketplace.Unpaced{}, ref)
	default:
		_, err = b.driver.List(ctx, marketplace.Unpaced{})
	}
	return err
}

func (b *bench) deadlines() {
	posting := b.posting()
	const forever = time.Minute
	b.Market.Spoil(b.T, Fault{Operation: "place", PostingID: posting, Commit: true, Delay: forever})
	// Long enough to connect and send on a busy machine: what was not sent is another error.
	_, err := b.driver.Place(b.within(3*time.Second), marketplace.Unpaced{}, b.request(posting))
	b.failsAs(err, "place", onebidv1.ErrorUnknownOutcome)
	b.Expect(b.placeCalls(posting)).To(gomega.Equal(1))

	b.Market.Spoil(b.T, Fault{Operation: "lookup", PostingID: posting, Delay: forever})
	_, err = b.driver.Lookup(b.within(300*time.Millisecond), marketplace.Unpaced{}, posting)
	b.failsAs(err, "lookup", onebidv1.ErrorTransient)

	over, cancel := context.WithCancel(b.Context())
	cancel()
	unsent := b.posting()
	_, err = b.driver.Place(over, marketplace.Unpaced{}, b.request(unsent))
	b.failsAs(err, "place", onebidv1.ErrorTransient)
	b.Expect(b.placeCalls(unsent)).To(gomega.Equal(0), "nothing was sent, and the error says so")
}
