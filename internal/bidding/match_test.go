package bidding_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
)

func TestMatch(t *testing.T) {
	price := onebidv1.Money{Amount: "250", Currency: "USD"}
	bid := func(key string, state onebidv1.RemoteState, amount, currency string) bidding.Found {
		open := state == onebidv1.RemoteLive || state == onebidv1.RemoteAwardPending || state == onebidv1.RemoteUnknown
		return bidding.Found{Key: key, Open: open, Amount: amount, Currency: currency}
	}
	for _, tc := range []struct {
		why   string
		in    bidding.MatchInput
		want  bidding.Verdict
		index int
	}{
		{why: "an empty list", in: bidding.MatchInput{}, want: bidding.VerdictAbsent},
		{why: "an empty list where keys are kept", in: bidding.MatchInput{StoresKey: true}, want: bidding.VerdictAbsent},
		{
			why: "our key", in: bidding.MatchInput{StoresKey: true, Key: "k", Found: []bidding.Found{
				bid("other", onebidv1.RemoteLive, "", ""), bid("k", onebidv1.RemoteLive, "", ""),
			}}, want: bidding.VerdictOurs, index: 1,
		},
		{
			why: "our key on a bid that ended is still our bid", in: bidding.MatchInput{StoresKey: true, Key: "k", Found: []bidding.Found{
				bid("k", onebidv1.RemoteLost, "", ""),
			}}, want: bidding.VerdictOurs,
		},
		{
			why: "a live one with our key goes before an ended one", in: bidding.MatchInput{StoresKey: true, Key: "k", Found: []bidding.Found{
				bid("k", onebidv1.RemoteWithdrawn, "", ""), bid("k", onebidv1.RemoteLive, "", ""),
			}}, want: bidding.VerdictOurs, index: 1,
		},
		{
			why: "somebody else's key", in: bidding.MatchInput{StoresKey: true, Key: "k", Sent: true, Found: []bidding.Found{
				bid("other", onebidv1.RemoteLive, "250", "USD"),
			}}, want: bidding.VerdictExisting,
		},
		{
			why: "somebody else's bid that ended", in: bidding.MatchInput{StoresKey: true, Key: "k", Found: []bidding.Found{
				bid("other", onebidv1.RemoteLost, "", ""),
			}}, want: bidding.VerdictAbsent,
		},
		{
			why: "what is there before our first call is not ours", in: bidding.MatchInput{Price: price, Found: []bidding.Found{
				bid("", onebidv1.RemoteLive, "250", "USD"),
			}}, want: bidding.VerdictExisting,
		},
		{
			why: "after a call the one live bid with our price is ours", in: bidding.MatchInput{Price: price, Sent: true, Found: []bidding.Found{
				bid("", onebidv1.RemoteWithdrawn, "250", "USD"), bid("", onebidv1.RemoteLive, "250.00", "USD"),
			}}, want: bidding.VerdictOurs, index: 1,
		},
		{
			why: "a marketplace that shows no price is believed", in: bidding.MatchInput{Price: price, Sent: true, Found: []bidding.Found{
				bid("", onebidv1.RemoteLive, "", ""),
			}}, want: bidding.VerdictOurs,
		},
		{
			why: "another price is another bid", in: bidding.MatchInput{Price: price, Sent: true, Found: []bidding.Found{
				bid("", onebidv1.RemoteLive, "251", "USD"),
			}}, want: bidding.VerdictExisting,
		},
		{
			why: "another currency is another bid", in: bidding.MatchInput{Price: price, Sent: true, Found: []bidding.Found{
				bid("", onebidv1.RemoteLive, "250", "EUR"),
			}}, want: bidding.VerdictExisting,
		},
		{
			why: "two live bids cannot be told apart", in: bidding.MatchInput{Price: price, Sent: true, Found: []bidding.Found{
				bid("", onebidv1.RemoteLive, "250", "USD"), bid("", onebidv1.RemoteAwardPending, "250", "USD"),
			}}, want: bidding.VerdictAmbiguous,
		},
		{
			why: "a state that we do not know counts as live", in: bidding.MatchInput{Price: price, Sent: true, Found: []bidding.Found{
				bid("", onebidv1.RemoteUnknown, "250", "USD"),
			}}, want: bidding.VerdictOurs,
		},
	} {
		t.Run(tc.why, func(t *testing.T) {
			g := NewWithT(t)
			got := bidding.Match(tc.in)
			g.Expect(got.Verdict).To(Equal(tc.want))
			g.Expect(got.Index).To(Equal(tc.index))
		})
	}
}

func TestOutcomeOf(t *testing.T) {
	g := NewWithT(t)
	for state, want := range map[onebidv1.RemoteState]onebidv1.BidState{
		onebidv1.RemoteLive: "", onebidv1.RemoteAwardPending: "", onebidv1.RemoteUnknown: "",
		onebidv1.RemoteWon: "Won", onebidv1.RemoteLost: "Lost", onebidv1.RemoteWithdrawn: "Withdrawn",
		onebidv1.RemoteRejected: "Rejected", onebidv1.RemoteExpired: "Expired",
	} {
		g.Expect(bidding.OutcomeOf(state)).To(Equal(want), string(state))
	}
}

var policy = onebidv1.RetryPolicy{InitialSeconds: 1, MaxSeconds: 600, ManualReviewAfter: 10}

func TestBackoff(t *testing.T) {
	for _, tc := range []struct {
		why        string
		failures   int32
		retryAfter time.Duration
		jitter     float64
		want       time.Duration
	}{
		{"the first wait is at most the initial one", 1, 0, 1, time.Second},
		{"it doubles", 4, 0, 1, 8 * time.Second},
		{"up to the maximum", 30, 0, 1, 600 * time.Second},
		{"full jitter, but never a hot loop", 4, 0, 0, 800 * time.Millisecond},
		{"never before the marketplace asked for", 1, time.Minute, 0, time.Minute},
		{"those who were told the same time spread out after it", 1, time.Minute, 1, 66 * time.Second},
	} {
		t.Run(tc.why, func(t *testing.T) {
			NewWithT(t).Expect(bidding.Backoff(policy, tc.failures, tc.retryAfter, tc.jitter)).To(Equal(tc.want))
		})
	}
}

func TestTriesGrowWithTheLogarithmOfTheTime(t *testing.T) {
	g := NewWithT(t)
	policy := onebidv1.RetryPolicy{InitialSeconds: 2, MaxSeconds: 600}
	since := metav1.NewTime(now)
	g.Expect(bidding.AttemptsSince(policy, nil, now)).To(BeEquivalentTo(1), "nothing is open")
	for after, want := range map[time.Duration]int{0: 1, 3 * time.Second: 1, 4 * time.Second: 2, 8 * time.Second: 3, time.Hour: 11} {
		g.Expect(bidding.AttemptsSince(policy, &since, now.Add(after))).To(BeEquivalentTo(want), "%s", after)
	}
}

func TestRetryDelay(t *testing.T) {
	g := NewWithT(t)
	g.Expect(bidding.RetryDelay(policy, onebidv1.ErrorTransient, 4, 0, 1)).To(Equal(8 * time.Second))
	g.Expect(bidding.RetryDelay(policy, onebidv1.ErrorQuotaExhausted, 1, 24*time.Hour, 0)).To(Equal(24 * time.Hour))
	g.Expect(bidding.RetryDelay(policy, onebidv1.ErrorQuotaExhausted, 1, time.Minute, 0)).To(Equal(time.Minute), "as it says")
	g.Expect(bidding.RetryDelay(policy, onebidv1.ErrorAuth, 30, 0, 1)).To(Equal(time.Minute), "a mended Secret heals within a minute")
}

func TestBackoffStaysInItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		initial := rapid.Int32Range(1, 3600).Draw(t, "initial")
		p := onebidv1.RetryPolicy{InitialSeconds: initial, MaxSeconds: rapid.Int32Range(initial, 86400).Draw(t, "max")}
		after := time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "after"))
		got := bidding.Backoff(p, rapid.Int32Range(0, 1000).Draw(t, "failures"), after, rapid.Float64Range(0, 0.999).Draw(t, "jitter"))
		limit := max(time.Duration(p.MaxSeconds)*time.Second, after+after/10)
		if got < after || got < time.Duration(p.InitialSeconds)*time.Second/10 || got > limit {
			t.Fatalf("got %s, asked for %s, at most %s", got, after, limit)
		}
	})
}
