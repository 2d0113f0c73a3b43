package bidding

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// DefaultPostingTTL is how long a reading stays good where nothing else says so: a Marketplace's default.
const DefaultPostingTTL = 24 * time.Hour

// FreshnessInput is what is known about a posting.
type FreshnessInput struct {
	// Posting is nil when there is none.
	Posting *onebidv1.Posting
	// Bid is nil when the posting is judged for itself.
	Bid *onebidv1.Bid
	// DefaultTTL is the Marketplace's; 0 stands for DefaultPostingTTL.
	DefaultTTL time.Duration
}

// FreshnessVerdict says whether a posting may be bid on.
type FreshnessVerdict struct {
	// Fresh is true while it may.
	Fresh bool
	// Reason is Fresh, Stale, Closed or NoTimestamp.
	Reason string
	// Message is for people. It depends on the objects alone, so it stays the same while they do.
	Message string
	// Until is when the verdict changes by itself; zero when only a change of the objects can.
	Until time.Time
	// ClosedAt is when the posting closed by its own date; zero when it did not.
	ClosedAt time.Time
}

// reading is one look at the posting.
type reading struct {
	at time.Time
	// credibleAt is when a time that lies in the future will be believed; zero when there is none.
	credibleAt time.Time
}

// Freshness judges a posting at a time. A posting that is closed takes no bids; else its newest reading counts for the
// time that the Posting, or else the Marketplace, gives it.
func Freshness(in FreshnessInput, now time.Time) FreshnessVerdict {
	if verdict, closed := closedVerdict(in.Posting, now); closed {
		return verdict
	}
	read := newestReading(in, now)
	if read.at.IsZero() {
		return FreshnessVerdict{
			Reason:  onebidv1.ReasonNoTimestamp,
			Message: "Nothing says when the posting was read; set spec.cachedAt of the Posting or spec.postingCachedAt of the Bid",
		}
	}
	ttl := ttlOf(in)
	expiry := read.at.Add(ttl)
	facts := fmt.Sprintf("The posting was read at %s and is good for %s", read.at.UTC().Format(time.RFC3339), ttl)
	if now.Before(expiry) {
		return FreshnessVerdict{
			Fresh: true, Reason: onebidv1.ReasonFresh, Message: facts,
			Until: firstOf(expiry, closesAt(in.Posting), read.credibleAt),
		}
	}
	return FreshnessVerdict{
		Reason: onebidv1.ReasonStale, Message: facts + "; " + staleAdvice(in),
		Until: firstOf(closesAt(in.Posting), read.credibleAt),
	}
}

func closedVerdict(posting *onebidv1.Posting, now time.Time) (FreshnessVerdict, bool) {
	if posting == nil {
		return FreshnessVerdict{}, false
	}
	verdict := FreshnessVerdict{Reason: onebidv1.ReasonClosed}
	closes := closesAt(posting)
	switch {
	case posting.Spec.Closed != nil && *posting.Spec.Closed:
		verdict.Message = "The posting takes no bids any more: spec.closed is true"
	case !closes.IsZero() && !now.Before(closes):
		verdict.ClosedAt = closes
		verdict.Message = fmt.Sprintf("The posting closed at %s; if it was prolonged, set spec.closesAt again",
			closes.UTC().Format(time.RFC3339))
	default:
		return FreshnessVerdict{}, false
	}
	return verdict, true
}

// newestReading takes the newer of what Bid and Posting say. Only when neither says anything does the creation of the
// Posting count, and without a Posting that of the Bid.
func newestReading(in FreshnessInput, now time.Time) reading {
	var newest reading
	if in.Bid != nil && in.Bid.Spec.PostingCachedAt != nil {
		// A Bid's spec cannot change, so nothing in it can be younger than the Bid.
		newest.at = earlier(in.Bid.Spec.PostingCachedAt.Time, in.Bid.CreationTimestamp)
	}
	if in.Posting != nil && in.Posting.Spec.CachedAt != nil {
		own := postingReading(in.Posting, now)
		if own.at.After(newest.at) {
			newest.at = own.at
		}
		newest.credibleAt = own.credibleAt
	}
	switch {
	case !newest.at.IsZero():
	case in.Posting != nil && !in.Posting.CreationTimestamp.IsZero():
		newest.at = in.Posting.CreationTimestamp.Time
	case in.Bid != nil:
		newest.at = in.Bid.CreationTimestamp.Time
	}
	return newest
}

// postingReading believes no scanner whose clock runs ahead, or one wrong cachedAt kept a posting fresh for ever. As long
// as the Posting is as it was created it cannot have been read later than that. One that was changed since may have been
// read again, but not in the future: such a time waits until it has come, and until then the creation counts.
func postingReading(posting *onebidv1.Posting, now time.Time) reading {
	cachedAt := posting.Spec.CachedAt.Time
	created := earlier(cachedAt, posting.CreationTimestamp)
	switch {
	case posting.Generation <= 1:
		return reading{at: created}
	case cachedAt.After(now):
		return reading{at: created, credibleAt: cachedAt}
	}
	return reading{at: cachedAt}
}

func earlier(claimed time.Time, created metav1.Time) time.Time {
	if !created.IsZero() && claimed.After(created.Time) {
		return created.Time
	}
	return claimed
}

func ttlOf(in FreshnessInput) time.Duration {
	switch {
	case in.Posting != nil && in.Posting.Spec.TTLSeconds > 0:
		return time.Duration(in.Posting.Spec.TTLSeconds) * time.Second
	case in.DefaultTTL > 0:
		return in.DefaultTTL
	}
	return DefaultPostingTTL
}

func closesAt(posting *onebidv1.Posting) time.Time {
	if posting == nil || posting.Spec.ClosesAt == nil {
		return time.Time{}
	}
	return posting.Spec.ClosesAt.Time
}

// firstOf returns the earliest of the times that are set.
func firstOf(times ...time.Time) time.Time {
	var first time.Time
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

func staleAdvice(in FreshnessInput) string {
	if in.Posting != nil {
		return "read it again and set spec.cachedAt of the Posting"
	}
	return "read it again, delete the Bid and create it again with a new spec.postingCachedAt"
}
