package bidding_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
)

func TestPriorityOf(t *testing.T) {
	closes := now.Add(time.Hour)
	posting := &onebidv1.Posting{Spec: onebidv1.PostingSpec{ClosesAt: ptr.To(metav1.NewTime(closes))}}
	live := placedBy(bidding.Remote{ID: "1", State: onebidv1.RemoteLive}, 1)
	for _, c := range []struct {
		why     string
		bid     *onebidv1.Bid
		posting *onebidv1.Posting
		want    bidding.Priority
	}{
		{"to be placed, with an end", newBid(), posting, bidding.Priority{Class: bidding.PriorityPlace, Deadline: closes}},
		{"to be placed, without one", newBid(), &onebidv1.Posting{}, bidding.Priority{Class: bidding.PriorityPlace}},
		{"to be placed, without a posting", newBid(), nil, bidding.Priority{Class: bidding.PriorityPlace}},
		{"perhaps placed", newBid(noted(bidding.OutcomeUnknown(1, "m"))), nil, bidding.Priority{Class: bidding.PriorityPlace}},
		{"live", newBid(noted(live)), posting, bidding.Priority{}},
		{"to be withdrawn", newBid(withdrawing, noted(live)), posting, bidding.Priority{Class: bidding.PriorityWithdraw}},
		{"settled", newBid(noted(bidding.Observed(onebidv1.RemoteWon))), posting, bidding.Priority{}},
	} {
		t.Run(c.why, func(t *testing.T) {
			NewWithT(t).Expect(bidding.PriorityOf(c.bid, c.posting)).To(Equal(c.want))
		})
	}
}

func TestAWaitIsReportedOnceAndInWords(t *testing.T) {
	for why, words := range map[string]string{
		onebidv1.ReasonRateLimited: "rate limit", onebidv1.ReasonAccountPaused: "is paused", onebidv1.ReasonCircuitOpen: "does not answer",
	} {
		g := NewWithT(t)
		bid := newBid()
		g.Expect(bidding.ReportsWait(bid)).To(BeFalse())
		bidding.Waiting("rest", why, 40*time.Second).Apply(bid, now)
		placed := condition(bid, onebidv1.ConditionPlaced)
		g.Expect(placed.Reason).To(Equal(why))
		g.Expect(placed.Message).To(And(ContainSubstring(words), ContainSubstring(`"rest"`), ContainSubstring("40s")))
		g.Expect(bid.Status.State).To(Equal(onebidv1.StatePending))
		g.Expect(bidding.ReportsWait(bid)).To(BeTrue())
	}
	g := NewWithT(t)
	g.Expect(bidding.ReportsWait(newBid(noted(bidding.Absent(1, onebidv1.ClassNone))))).To(BeFalse(), "it is as if nothing had been tried")
	g.Expect(bidding.ReportsWait(newBid(noted(bidding.OutcomeUnknown(1, "m"))))).To(BeTrue())
}

func TestAPostingThatClosedWhileTheBidWaitedIsMissed(t *testing.T) {
	closed := now.Add(-time.Minute)
	verdict := bidding.FreshnessVerdict{Reason: onebidv1.ReasonClosed, Message: "The posting closed", ClosedAt: closed}
	created := func(at time.Time) func(*onebidv1.Bid) {
		return func(b *onebidv1.Bid) { b.CreationTimestamp = metav1.NewTime(at) }
	}
	held := func(reason string) func(*onebidv1.Bid) {
		return noted(bidding.Denied(bidding.Denial{Reason: reason, Message: "m"}))
	}
	for _, c := range []struct {
		why    string
		bid    *onebidv1.Bid
		missed string // "" when the posting was closed before
	}{
		{"created too late", newBid(created(now)), ""},
		{"nothing was said of it", newBid(created(closed.Add(-time.Hour))), "earlier work."},
		{"an approval", newBid(created(closed.Add(-time.Hour)), held(onebidv1.ReasonAwaitingApproval)), "its approval"},
		{"a wrong approval", newBid(created(closed.Add(-time.Hour)), held(onebidv1.ReasonApprovalMismatch)), "its approval"},
		{"the mode", newBid(created(closed.Add(-time.Hour)), held(onebidv1.ReasonMarketplaceSuspended)), "spec.mode"},
		{"a limit", newBid(created(closed.Add(-time.Hour)), held(onebidv1.ReasonTooManyActiveBids)), "TooManyActiveBids"},
		{"the rate", newBid(noted(bidding.Waiting("rest", onebidv1.ReasonRateLimited, 40*time.Second))), "rate limit"},
		{"a pause", newBid(noted(bidding.Waiting("rest", onebidv1.ReasonAccountPaused, 40*time.Second))), "pause"},
		{"the breaker", newBid(noted(bidding.Waiting("rest", onebidv1.ReasonCircuitOpen, 40*time.Second))), "to answer again"},
		{"a quota", newBid(noted(bidding.PlaceFailed(bidding.Failure{Class: onebidv1.ErrorQuotaExhausted, Attempt: 1}))), "to have bids left"},
		{"a failure", newBid(noted(bidding.PlaceFailed(bidding.Failure{Class: onebidv1.ErrorForbidden, Attempt: 1}))), "Forbidden"},
		{"another attempt", newBid(noted(bidding.Absent(1, onebidv1.ClassNone))), "earlier work"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			hold := bidding.Guard(bidding.GuardInput{
				Bid: c.bid, Marketplace: &onebidv1.Marketplace{}, Connected: true, Freshness: verdict,
			})
			g.Expect(hold.Outcome).To(Equal(onebidv1.StateExpired))
			if c.missed == "" {
				g.Expect(hold.Reason).To(Equal(onebidv1.ReasonPostingClosed))
				return
			}
			g.Expect(hold.Reason).To(Equal(onebidv1.ReasonMissedDeadline))
			g.Expect(hold.Message).To(And(ContainSubstring(c.missed), HaveSuffix("The posting closed")))
		})
	}
}

func TestAPreviewIsBounded(t *testing.T) {
	g := NewWithT(t)
	long := make([]byte, 10_000)
	for i := range long {
		long[i] = 'x'
	}
	value := string(long)
	preview := &onebidv1.BidPreview{Method: "POST", URL: value, Body: value + "\xff"}
	for range 40 {
		preview.Headers = append(preview.Headers, onebidv1.PreviewHeader{Name: "a", Value: &value})
	}
	preview.Headers[1].Value = nil
	bid := newBid(noted(bidding.DryRun("rest", preview, "")))
	shown := bid.Status.Preview
	g.Expect(len(shown.URL)).To(BeNumerically("<=", 2048))
	g.Expect(len(shown.Body)).To(BeNumerically("<=", 4096))
	g.Expect(shown.Headers).To(HaveLen(32))
	g.Expect(len(*shown.Headers[0].Value)).To(BeNumerically("<=", 1024))
	g.Expect(preview.Headers).To(HaveLen(40), "what was given stays as it is")
	bidding.DryRun("rest", nil, "no such field").Apply(bid, now)
	g.Expect(bid.Status.Preview).To(BeNil())
	g.Expect(condition(bid, onebidv1.ConditionPlaced).Message).To(ContainSubstring("no such field"))
}
