package bidding

import (
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// freshnessEpoch is when the objects of these tests were created.
var freshnessEpoch = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func atHour(h float64) *metav1.Time {
	return &metav1.Time{Time: freshnessEpoch.Add(time.Duration(h * float64(time.Hour)))}
}

func freshPostingWith(change func(*onebidv1.Posting)) *onebidv1.Posting {
	p := &onebidv1.Posting{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: *atHour(0), Generation: 1}}
	if change != nil {
		change(p)
	}
	return p
}

func freshBidWith(created float64, cachedAt *metav1.Time) *onebidv1.Bid {
	return &onebidv1.Bid{
		ObjectMeta: metav1.ObjectMeta{CreationTimestamp: *atHour(created)},
		Spec:       onebidv1.BidSpec{PostingCachedAt: cachedAt},
	}
}

func TestFreshness(t *testing.T) {
	const reread = "; read it again and set spec.cachedAt of the Posting"
	cases := map[string]struct {
		why     string
		posting *onebidv1.Posting
		bid     *onebidv1.Bid
		ttl     time.Duration
		now     float64
		fresh   bool
		reason  string
		message string
		until   *metav1.Time
	}{
		"nothing known": {
			why: "no object, no time: nobody can say", reason: "NoTimestamp",
			message: "Nothing says when the posting was read; set spec.cachedAt of the Posting or spec.postingCachedAt of the Bid",
		},
		"posting without times": {
			why:     "a Posting that no API server has seen has no creation either",
			posting: &onebidv1.Posting{}, reason: "NoTimestamp",
			message: "Nothing says when the posting was read; set spec.cachedAt of the Posting or spec.postingCachedAt of the Bid",
		},
		"posting closed": {
			why:     "closed wins over any reading",
			posting: freshPostingWith(func(p *onebidv1.Posting) { p.Spec.Closed = new(true) }),
			reason:  "Closed", message: "The posting takes no bids any more: spec.closed is true",
		},
		"posting said to be open": {
			why:     "closed: false is as good as none",
			posting: freshPostingWith(func(p *onebidv1.Posting) { p.Spec.Closed = new(false) }),
			fresh:   true, reason: "Fresh", until: atHour(24),
			message: "The posting was read at 2026-11-01T12:00:00Z and is good for 24h0m0s",
		},
		"just before it closes": {
			why:     "the verdict changes at closesAt, not at the later expiry",
			posting: freshPostingWith(func(p *onebidv1.Posting) { p.Spec.ClosesAt = atHour(2) }), now: 1.99,
			fresh: true, reason: "Fresh", until: atHour(2),
			message: "The posting was read at 2026-11-01T12:00:00Z and is good for 24h0m0s",
		},
		"at the time it closes": {
			why:     "closesAt itself is too late",
			posting: freshPostingWith(func(p *onebidv1.Posting) { p.Spec.ClosesAt = atHour(2) }), now: 2,
			reason:  "Closed",
			message: "The posting closed at 2026-11-01T14:00:00Z; if it was prolonged, set spec.closesAt again",
		},
		"closes after it expires": {
			why:     "the earlier of both ends it",
			posting: freshPostingWith(func(p *onebidv1.Posting) { p.Spec.ClosesAt = atHour(99) }),
			fresh:   true, reason: "Fresh", until: atHour(24),
			message: "The posting was read at 2026-11-01T12:00:00Z and is good for 24h0m0s",
		},
		"marketplace's ttl": {
			why:     "a Posting without a ttl takes the Marketplace's",
			posting: freshPostingWith(nil), ttl: time.Hour, now: 0.5, fresh: true, reason: "Fresh", until: atHour(1),
			message: "The posting was read at 2026-11-01T12:00:00Z and is good for 1h0m0s",
		},
		"posting's ttl": {
			why:     "the Posting overrides the Marketplace",
			posting: freshPostingWith(func(p *onebidv1.Posting) { p.Spec.TTLSeconds = 60 }), ttl: time.Hour, now: 0.5,
			reason: "Stale", message: "The posting was read at 2026-11-01T12:00:00Z and is good for 1m0s" + reread,
		},
		"at the expiry": {
			why:     "good for an hour means less than an hour",
			posting: freshPostingWith(nil), ttl: time.Hour, now: 1,
			reason: "Stale", message: "The posting was read at 2026-11-01T12:00:00Z and is good for 1h0m0s" + reread,
		},
		"posting read before it was created": {
			why:     "what counts is the reading, not when the object was written",
			posting: freshPostingWith(func(p *onebidv1.Posting) { p.Spec.CachedAt = atHour(-1) }), ttl: 2 * time.Hour,
			fresh: true, reason: "Fresh", until: atHour(1),
			message: "The posting was read at 2026-11-01T11:00:00Z and is good for 2h0m0s",
		},
		"posting read after it was created": {
			why:     "an unchanged Posting cannot have been read later: the scanner's clock runs ahead",
			posting: freshPostingWith(func(p *onebidv1.Posting) { p.Spec.CachedAt = atHour(9) }), ttl: time.Hour, now: 1,
			reason: "Stale", message: "The posting was read at 2026-11-01T12:00:00Z and is good for 1h0m0s" + reread,
		},
		"posting read again": {
			why: "a changed Posting may have been read after its creation",
			posting: freshPostingWith(func(p *onebidv1.Posting) {
				p.Generation = 2
				p.Spec.CachedAt = atHour(9)
			}), ttl: time.Hour, now: 9.5, fresh: true, reason: "Fresh", until: atHour(10),
			message: "The posting was read at 2026-11-01T21:00:00Z and is good for 1h0m0s",
		},
		"posting read again in the future": {
			why: "a time to come is believed when it has come",
			posting: freshPostingWith(func(p *onebidv1.Posting) {
				p.Generation = 2
				p.Spec.CachedAt = atHour(9)
			}), ttl: time.Hour, now: 8, reason: "Stale", until: atHour(9),
			message: "The posting was read at 2026-11-01T12:00:00Z and is good for 1h0m0s" + reread,
		},
		"bid alone": {
			why: "a Bid without a Posting and without a reading counts from its creation",
			bid: freshBidWith(1, nil), ttl: time.Hour, now: 1.5, fresh: true, reason: "Fresh", until: atHour(2),
			message: "The posting was read at 2026-11-01T13:00:00Z and is good for 1h0m0s",
		},
		"bid alone, stale": {
			why: "the advice is one that works without a Posting",
			bid: freshBidWith(1, atHour(0)), ttl: time.Hour, now: 1.5, reason: "Stale",
			message: "The posting was read at 2026-11-01T12:00:00Z and is good for 1h0m0s" +
				"; read it again, delete the Bid and create it again with a new spec.postingCachedAt",
		},
		"bid from the future": {
			why: "a Bid's spec cannot change, so its creation bounds it",
			bid: freshBidWith(1, atHour(5)), ttl: time.Hour, now: 2, reason: "Stale",
			message: "The posting was read at 2026-11-01T13:00:00Z and is good for 1h0m0s" +
				"; read it again, delete the Bid and create it again with a new spec.postingCachedAt",
		},
		"bid's reading before the posting's creation": {
			why:     "the Bid's own reading comes before the Posting's creation",
			posting: freshPostingWith(nil), bid: freshBidWith(1, atHour(-3)), ttl: time.Hour, now: 0.5, reason: "Stale",
			message: "The posting was read at 2026-11-01T09:00:00Z and is good for 1h0m0s" + reread,
		},
		"posting's reading newer than the bid's": {
			why:     "the newer of two readings counts",
			posting: freshPostingWith(func(p *onebidv1.Posting) { p.Spec.CachedAt = atHour(0) }),
			bid:     freshBidWith(1, atHour(-3)), ttl: time.Hour, now: 0.5, fresh: true, reason: "Fresh", until: atHour(1),
			message: "The posting was read at 2026-11-01T12:00:00Z and is good for 1h0m0s",
		},
		"bid's reading newer than the posting's": {
			why:     "the newer of two readings counts",
			posting: freshPostingWith(func(p *onebidv1.Posting) { p.Spec.CachedAt = atHour(-3) }),
			bid:     freshBidWith(1, atHour(0)), ttl: time.Hour, now: 0.5, fresh: true, reason: "Fresh", until: atHour(1),
			message: "The posting was read at 2026-11-01T12:00:00Z and is good for 1h0m0s",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			got := Freshness(FreshnessInput{Posting: c.posting, Bid: c.bid, DefaultTTL: c.ttl}, atHour(c.now).Time)
			g.Expect(got.Fresh).To(Equal(c.fresh), c.why)
			g.Expect(got.Reason).To(Equal(c.reason), c.why)
			g.Expect(got.Message).To(Equal(c.message), c.why)
			want := time.Time{}
			if c.until != nil {
				want = c.until.Time
			}
			g.Expect(got.Until).To(BeTemporally("==", want), c.why)
		})
	}
}

// The verdict holds until the time it names, and no posting stays fresh for ever.
func TestFreshnessHoldsUntilItSaysSo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hour := rapid.Float64Range(-50, 50)
		optional := func(label string) *metav1.Time {
			if rapid.Bool().Draw(t, "has "+label) {
				return atHour(hour.Draw(t, label))
			}
			return nil
		}
		var in FreshnessInput
		if rapid.Bool().Draw(t, "has Posting") {
			in.Posting = freshPostingWith(func(p *onebidv1.Posting) {
				p.Generation = rapid.Int64Range(1, 3).Draw(t, "generation")
				p.Spec.CachedAt, p.Spec.ClosesAt = optional("cachedAt"), optional("closesAt")
			})
		}
		if in.Posting == nil || rapid.Bool().Draw(t, "has Bid") {
			in.Bid = freshBidWith(hour.Draw(t, "created"), optional("postingCachedAt"))
		}
		in.DefaultTTL = time.Duration(rapid.IntRange(1, 86400).Draw(t, "ttl")) * time.Second
		now := atHour(hour.Draw(t, "now")).Time

		verdict := Freshness(in, now)
		if verdict.Until.IsZero() {
			if verdict.Fresh {
				t.Fatal("fresh without an end")
			}
			later := Freshness(in, now.AddDate(10, 0, 0))
			if later.Fresh {
				t.Fatalf("turned fresh without saying when: %+v", later)
			}
			return
		}
		if !verdict.Until.After(now) {
			t.Fatalf("until %s is not after now %s: the caller would spin", verdict.Until, now)
		}
		before := Freshness(in, verdict.Until.Add(-time.Nanosecond))
		if before != verdict {
			t.Fatalf("changed early: %+v, then %+v", verdict, before)
		}
		at := Freshness(in, verdict.Until)
		if verdict.Fresh && at.Fresh && at.Until.Equal(verdict.Until) {
			t.Fatalf("does not change at its end: %+v", at)
		}
		if strings.Contains(at.Message, now.Format(time.RFC3339Nano)) && now.Nanosecond() != 0 {
			t.Fatalf("the message holds the time of judgement: %s", at.Message)
		}
		if Freshness(in, now.AddDate(10, 0, 0)).Fresh {
			t.Fatal("fresh for ever")
		}
	})
}
