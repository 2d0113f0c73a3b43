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

func refusedPlaces(b *bench) {
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
		b.refuses(posting, c.want)
		b.Expect(b.placeCalls(posting)).To(gomega.Equal(1), "%d %s", c.status, c.code)
		b.Expect(b.live(posting)).To(gomega.BeEmpty())
	}
	posting := b.posting()
	b.Market.Close(b.T, posting)
	b.refuses(posting, onebidv1.ErrorPostingClosed)
}

func refusedWithdrawals(b *bench) {
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

func refusedCredentials(b *bench) {
	posting := b.posting()
	bid := b.place(posting)
	b.Market.Revoke(b.T, b.account)
	if _, err := b.driver.Account(b.Context(), marketplace.Unpaced{}); err != nil {
		b.failsAs(err, "account", onebidv1.ErrorAuth)
	}
	b.refuses(posting, onebidv1.ErrorAuth)
	for _, operation := range append(b.lists(), "get") {
		shown, err := b.read(operation, marketplace.Ref{BidID: bid.ID, PostingID: posting})
		if err == nil && len(shown) == 0 { // an empty list proves nothing until the account is read
			_, err = b.driver.Account(b.Context(), marketplace.Unpaced{})
		}
		b.failsAs(err, operation, onebidv1.ErrorAuth)
	}
	if b.driver.Capabilities().CanWithdraw {
		b.failsAs(b.withdraw(bid, posting), "withdraw", onebidv1.ErrorAuth)
	}
	b.Expect(b.live(posting)).To(gomega.Equal([]string{bid.ID}))
}

func waits(b *bench) {
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

// unknowns are replies that leave the outcome of a write unknown.
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

func unknownPlaces(b *bench) {
	for _, f := range unknowns() {
		for _, f.Commit = range []bool{true, false} {
			f.Operation, f.PostingID = "place", b.posting()
			b.Market.Spoil(b.T, f)
			b.refuses(f.PostingID, onebidv1.ErrorUnknownOutcome)
			b.Expect(b.placeCalls(f.PostingID)).To(gomega.Equal(1), "%s: on the wire exactly once", f)
			want := map[bool]int{true: 1, false: 0}[f.Commit]
			b.Expect(b.live(f.PostingID)).To(gomega.HaveLen(want), "%s", f)
			b.Expect(b.lookup(f.PostingID)).To(gomega.HaveLen(want), "%s", f)
		}
	}
}

func unknownWithdrawals(b *bench) {
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

func lateCommit(b *bench) {
	const late = 500 * time.Millisecond
	posting := b.posting()
	b.Market.Spoil(b.T, Fault{Operation: "place", PostingID: posting, Status: http.StatusGatewayTimeout, Late: late})
	begun := time.Now()
	b.refuses(posting, onebidv1.ErrorUnknownOutcome)
	if found := b.lookup(posting); time.Since(begun) < late { // else the machine stood still, and it may be there
		b.Expect(found).To(gomega.BeEmpty(), "not there yet")
	}
	b.Eventually(func() []string { return ids(b.lookup(posting)) }, 20*time.Second, 50*time.Millisecond).
		Should(gomega.HaveLen(1))
	b.Expect(b.placeCalls(posting)).To(gomega.Equal(1))
}

func lateShow(b *bench) {
	posting := b.posting()
	b.Market.Spoil(b.T, Fault{Operation: "place", PostingID: posting, Commit: true, Hide: 500 * time.Millisecond})
	bid := b.place(posting)
	b.Expect(b.live(posting)).To(gomega.Equal([]string{bid.ID}))
	b.Eventually(func() []string { return ids(b.lookup(posting)) }, 20*time.Second, 50*time.Millisecond).
		Should(gomega.Equal([]string{bid.ID}))
}

func failedReads(b *bench) {
	for _, f := range append(unknowns(), Fault{Status: http.StatusTooManyRequests}) {
		posting := b.posting()
		bid := b.place(posting)
		ref := marketplace.Ref{BidID: bid.ID, PostingID: posting}
		want := onebidv1.ErrorTransient
		if f.Status == http.StatusTooManyRequests {
			want = onebidv1.ErrorRateLimited
		}
		for _, operation := range append(b.lists(), "get") {
			b.sub(fmt.Sprintf("%s of %s%d", operation, f.Reply, f.Status), func(b *bench) {
				f.Operation = operation
				b.Market.Spoil(b.T, f)
				_, err := b.read(operation, ref)
				b.failsAs(err, operation, want)
			})
		}
	}
}

func deadlines(b *bench) {
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
