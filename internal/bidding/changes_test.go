package bidding_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
)

func fail(class onebidv1.ErrorClass, attempt int32) bidding.Failure {
	return bidding.Failure{Class: class, Message: "it failed", Attempt: attempt, Next: now.Add(1500 * time.Millisecond), ReviewAfter: 3}
}

func TestChanges(t *testing.T) {
	for _, tc := range []struct {
		why     string
		bid     *onebidv1.Bid
		state   onebidv1.BidState
		outcome onebidv1.BidState
		ready   string
		stalled string
	}{
		{
			"a guard that passes by itself",
			newBid(noted(bidding.Denied(bidding.Denial{Reason: "Cooldown", Message: "m"}))),
			"Pending", "", "False/Cooldown", "",
		},
		{
			"a guard that a person must mend",
			newBid(noted(bidding.Denied(bidding.Denial{Reason: "NonCanonicalName", Message: "m", Stalled: true}))),
			"Pending", "", "False/NonCanonicalName", "NonCanonicalName",
		},
		{
			"a stale posting ends it",
			newBid(noted(bidding.Denied(bidding.Denial{Reason: "PostingStale", Message: "m", Outcome: onebidv1.StateExpired}))),
			"Expired", "Expired", "True/Expired", "",
		},
		{"a dry run waits", newBid(noted(bidding.DryRun("rest", &onebidv1.BidPreview{}, ""))), "Pending", "", "False/DryRun", ""},
		{"placed", newBid(noted(live)), "Active", "", "True/Active", ""},
		{
			"placed and already won",
			newBid(noted(placedBy(bidding.Remote{ID: "1", State: onebidv1.RemoteWon}, 1))),
			"Won", "Won", "True/Won", "",
		},
		{"placed while a withdrawal is wanted", newBid(withdrawing, noted(live)), "Withdrawing", "", "False/Requested", ""},
		{"a refusal that may pass", newBid(noted(failed)), "Pending", "", "False/MarketplaceError", ""},
		{
			"too many of them call a person",
			newBid(noted(bidding.PlaceFailed(fail(onebidv1.ErrorRateLimited, 3)))),
			"Pending", "", "False/RateLimited", "ManualReview",
		},
		{"refused credentials", newBid(noted(bidding.PlaceFailed(fail(onebidv1.ErrorAuth, 1)))), "Pending", "", "False/AuthenticationFailed", ""},
		{"a spent quota", newBid(noted(bidding.PlaceFailed(fail(onebidv1.ErrorQuotaExhausted, 1)))), "Pending", "", "False/QuotaExhausted", ""},
		{"refused for good", newBid(noted(bidding.PlaceFailed(fail(onebidv1.ErrorForbidden, 1)))), "Rejected", "Rejected", "True/Rejected", ""},
		{"refused as invalid", newBid(noted(bidding.PlaceFailed(fail(onebidv1.ErrorInvalid, 1)))), "Rejected", "Rejected", "True/Rejected", ""},
		{
			"the posting is not known there",
			newBid(noted(bidding.PlaceFailed(fail(onebidv1.ErrorNotFound, 1)))),
			"Rejected", "Rejected", "True/Rejected", "",
		},
		{
			"the posting closed",
			newBid(noted(bidding.PlaceFailed(fail(onebidv1.ErrorPostingClosed, 1)))),
			"Expired", "Expired", "True/Expired", "",
		},
		{"unknown", newBid(noted(unknown)), "Pending", "", "Unknown/OutcomeUnknown", ""},
		{
			"unknown and to be withdrawn", newBid(noted(unknown), deleted, noted(bidding.Acknowledged())),
			"Withdrawing", "", "Unknown/OutcomeUnknown", "",
		},
		{
			"looking up failed",
			newBid(noted(unknown, bidding.Unresolved(fail(onebidv1.ErrorTransient, 1)))),
			"Pending", "", "Unknown/OutcomeUnknown", "",
		},
		{
			"looking up failed for long",
			newBid(noted(unknown, bidding.Unresolved(fail(onebidv1.ErrorTransient, 3)))),
			"Pending", "", "Unknown/OutcomeUnknown", "ManualReview",
		},
		{
			"an earlier Bid left something",
			newBid(noted(bidding.EarlierUnresolved(onebidv1.ErrorTransient, "m"))),
			"Pending", "", "False/MarketplaceError", "",
		},
		{
			"an earlier Bid left something that was awarded",
			newBid(noted(bidding.EarlierUnresolved(onebidv1.ErrorNotWithdrawable, "m"))),
			"Pending", "", "False/NotWithdrawable", "NotWithdrawable",
		},
		{"looked up and absent", newBid(noted(unknown, bidding.Absent(1, onebidv1.ClassUniquePerPosting))), "Pending", "", "False/NotPlaced", ""},
		{
			"nobody can tell",
			newBid(noted(unknown, bidding.Undecidable("no trace"))),
			"Indeterminate", "", "Unknown/Indeterminate", "Indeterminate",
		},
		{"somebody else's bid is there", newBid(noted(bidding.ExistingBid("9", 1))), "Duplicate", "Duplicate", "True/Duplicate", ""},
		{"withdrawn", newBid(noted(live), withdrawing, noted(bidding.Withdrawn())), "Withdrawn", "Withdrawn", "True/Withdrawn", ""},
		{"withdrawn before it was placed", newBid(withdrawing, noted(bidding.NeverPlaced())), "Withdrawn", "Withdrawn", "True/Withdrawn", ""},
		{
			"withdrawing failed",
			newBid(noted(live), deleted, noted(bidding.WithdrawFailed(fail(onebidv1.ErrorTransient, 1)))),
			"Withdrawing", "", "False/MarketplaceError", "",
		},
		{
			"withdrawing failed too often",
			newBid(noted(live), deleted, noted(bidding.WithdrawFailed(fail(onebidv1.ErrorTransient, 3)))),
			"Withdrawing", "", "False/MarketplaceError", "ManualReview",
		},
		{
			"awarded",
			newBid(noted(live), deleted, noted(bidding.WithdrawFailed(fail(onebidv1.ErrorNotWithdrawable, 1)))),
			"Withdrawing", "", "False/NotWithdrawable", "NotWithdrawable",
		},
		{
			"no way to the marketplace",
			newBid(noted(live), deleted, noted(bidding.Blocked("MarketplaceNotFound", "m"))),
			"Withdrawing", "", "False/MarketplaceNotFound", "MarketplaceNotFound",
		},
		{
			"no way to look up",
			newBid(noted(unknown, bidding.Blocked("MarketplaceNotReady", "m"))),
			"Pending", "", "Unknown/OutcomeUnknown", "MarketplaceNotReady",
		},
		{"won", newBid(noted(live, bidding.Observed(onebidv1.RemoteWon))), "Won", "Won", "True/Won", ""},
		{"lost", newBid(noted(live, bidding.Observed(onebidv1.RemoteLost))), "Lost", "Lost", "True/Lost", ""},
		{"lapsed", newBid(noted(live, bidding.Observed(onebidv1.RemoteExpired))), "Expired", "Expired", "True/Expired", ""},
		{
			"withdrawn by a person there",
			newBid(noted(live, bidding.Observed(onebidv1.RemoteWithdrawn))),
			"Withdrawn", "Withdrawn", "True/Withdrawn", "",
		},
		{
			"rejected after the withdrawal",
			newBid(noted(live), withdrawing, noted(bidding.Withdrawn(), bidding.Observed(onebidv1.RemoteRejected))),
			"Rejected", "Rejected", "True/Rejected", "",
		},
		{"still live", newBid(noted(live, bidding.Observed(onebidv1.RemoteAwardPending))), "Active", "", "True/Active", ""},
		{
			"only seen",
			newBid(noted(live), deleted, noted(bidding.WithdrawFailed(fail(onebidv1.ErrorTransient, 3)), bidding.Acknowledged())),
			"Withdrawing", "", "False/MarketplaceError", "ManualReview",
		},
	} {
		t.Run(tc.why, func(t *testing.T) {
			g := NewWithT(t)
			s := tc.bid.Status
			g.Expect(s.State).To(Equal(tc.state))
			g.Expect(s.Outcome).To(Equal(tc.outcome))
			ready := condition(tc.bid, onebidv1.ConditionReady)
			g.Expect(string(ready.Status) + "/" + ready.Reason).To(Equal(tc.ready))
			g.Expect(ready.Message).NotTo(BeEmpty())
			g.Expect(condition(tc.bid, onebidv1.ConditionStalled).Reason).To(Equal(tc.stalled))
			for _, c := range s.Conditions {
				g.Expect(c.ObservedGeneration).To(Equal(tc.bid.Generation), c.Type)
			}
		})
	}
}

func TestPlacedKeepsWhatTheMarketplaceReports(t *testing.T) {
	g := NewWithT(t)
	at := now.Add(-time.Minute)
	bid := newBid(noted(unknown, placedBy(bidding.Remote{ID: "7", URL: "https://x", PlacedAt: at, Adopted: true}, 2)))
	g.Expect(bid.Status.Remote.BidID).To(Equal("7"))
	g.Expect(bid.Status.Remote.URL).To(Equal("https://x"))
	g.Expect(bid.Status.Remote.PlacedAt.Time).To(BeTemporally("==", at))
	g.Expect(*bid.Status.Remote.Adopted).To(BeTrue())
	g.Expect(bid.Status.Attempts.Count).To(BeEquivalentTo(2))
	g.Expect(bid.Status.SettlingSince).To(BeNil())
	g.Expect(condition(bid, onebidv1.ConditionPlaced).Reason).To(Equal(onebidv1.ReasonAdopted))
	told := newBid(noted(live))
	g.Expect(told.Status.Remote.PlacedAt.Time).To(BeTemporally("==", now))
	g.Expect(told.Status.Remote.Adopted).To(BeNil())
}

func TestALearnedBidVoidsAVerdictReachedWithoutIt(t *testing.T) {
	g := NewWithT(t)
	bid := newBid(noted(bidding.NeverPlaced(), live))
	g.Expect(bid.Status.Outcome).To(BeEmpty())
	g.Expect(bid.Status.State).To(Equal(onebidv1.StateActive))
	g.Expect(live.Learned).To(BeTrue())
	g.Expect(unknown.Learned).To(BeFalse())
}

func TestABidThatWasKnownAlreadyVoidsNothing(t *testing.T) {
	g := NewWithT(t)
	ended := newBid(noted(live), withdrawing, noted(bidding.Withdrawn()))
	before := ended.DeepCopy()
	live.Apply(ended, now.Add(time.Hour))
	g.Expect(ended).To(Equal(before), "told late of what was withdrawn meanwhile")
	failing := newBid(noted(live), deleted, noted(bidding.WithdrawFailed(fail(onebidv1.ErrorTransient, 3))))
	before = failing.DeepCopy()
	live.Apply(failing, now.Add(time.Hour))
	g.Expect(failing).To(Equal(before), "the wait for the next attempt stands")
}

func TestRetryTimesAreNeverEarly(t *testing.T) {
	g := NewWithT(t)
	bid := newBid(noted(bidding.PlaceFailed(fail(onebidv1.ErrorRateLimited, 1))))
	g.Expect(bid.Status.Attempts.NextTime.Time).To(BeTemporally("==", now.Add(2*time.Second)))
	g.Expect(bid.Status.Attempts.LastError).To(Equal("it failed"))
	held := newBid(noted(bidding.Denied(bidding.Denial{Reason: "Cooldown", Message: "m", Until: now.Add(time.Minute)})))
	g.Expect(held.Status.Attempts.NextTime.Time).To(BeTemporally("==", now.Add(time.Minute)))
	g.Expect(held.Status.Attempts.Count).To(BeZero())
}

func TestWithdrawnKeepsReasonAndTime(t *testing.T) {
	g := NewWithT(t)
	bid := newBid(noted(live), withdrawing, noted(bidding.Withdrawn()))
	g.Expect(bid.Status.WithdrawnReason).To(Equal("changed my mind"))
	g.Expect(bid.Status.WithdrawalTimestamp.Time).To(BeTemporally("==", now))
	g.Expect(condition(bid, onebidv1.ConditionWithdrawn).Reason).To(Equal(onebidv1.ReasonWithdrawn))
	never := newBid(withdrawing, noted(bidding.NeverPlaced()))
	g.Expect(condition(never, onebidv1.ConditionWithdrawn).Reason).To(Equal(onebidv1.ReasonNeverPlaced))
}

func TestPlaceRecorded(t *testing.T) {
	g := NewWithT(t)
	g.Expect(bidding.PlaceRecorded(newBid(), 1)).To(BeFalse(), "nothing is recorded yet")
	g.Expect(bidding.PlaceRecorded(newBid(noted(live)), 1)).To(BeTrue())
	g.Expect(bidding.PlaceRecorded(newBid(noted(live)), 2)).To(BeFalse(), "a later attempt is another call")
	g.Expect(bidding.PlaceRecorded(newBid(noted(unknown)), 1)).To(BeFalse(), "unknown is what resolving is for")
	g.Expect(bidding.PlaceRecorded(newBid(noted(live, bidding.WithdrawFailed(fail(onebidv1.ErrorTransient, 1)))), 5)).To(BeTrue(),
		"withdrawing begins when all of placing is recorded")
}

func TestEveryChangeAnswersARequest(t *testing.T) {
	g := NewWithT(t)
	bid := newBid(func(b *onebidv1.Bid) {
		b.Annotations = map[string]string{onebidv1.AnnotationReconcileRequestedAt: strings.Repeat("x", 100)}
	}, noted(live))
	g.Expect(bid.Status.LastHandledReconcileAt).To(Equal(bidding.Requested(bid)))
	g.Expect(bid.Status.LastHandledReconcileAt).To(HaveLen(64))
}

func TestIdempotencyKey(t *testing.T) {
	key := onebidv1.Key{Marketplace: "rest", PostingID: "1"}
	g := NewWithT(t)
	g.Expect(bidding.IdempotencyKey("tenant", key, "u")).To(MatchRegexp("^[0-9a-f]{64}$"))
	g.Expect(bidding.IdempotencyKey("tenant", key, "u")).To(Equal(bidding.IdempotencyKey("tenant", key, "u")))
	g.Expect(newBid(noted(live)).Status.AtomicEventID).To(Equal(bidding.IdempotencyKey("tenant", key, "uid-1")))
	g.Expect(bidding.IdempotencyKey("tenant", key, "v")).NotTo(Equal(bidding.IdempotencyKey("tenant", key, "u")), "a re-bid has its own")
	g.Expect(bidding.IdempotencyKey("tenan", onebidv1.Key{Marketplace: "trest", PostingID: "1"}, "u")).
		NotTo(Equal(bidding.IdempotencyKey("tenant", key, "u")), "fields do not run into each other")
}

func TestMessagesAreBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(0, 2000, 4000).Draw(t, "text")
		bid := newBid(noted(bidding.PlaceFailed(bidding.Failure{Class: onebidv1.ErrorTransient, Message: text, Attempt: 1, ReviewAfter: 9})))
		for _, c := range bid.Status.Conditions {
			if len(c.Message) > 1024 || !utf8.ValidString(c.Message) {
				t.Fatalf("%s: message of %d bytes, valid %v", c.Type, len(c.Message), utf8.ValidString(c.Message))
			}
		}
	})
}

// However changes follow each other, what is derived agrees with what it is derived from.
func TestStateAgreesWithConditions(t *testing.T) {
	changes := map[string]bidding.Change{
		"live": live, "failed": failed, "unknown": unknown, "undecidable": bidding.Undecidable("?"),
		"absent": bidding.Absent(1, onebidv1.ClassUniquePerPosting), "unproven": bidding.Absent(1, onebidv1.ClassIdempotencyKey),
		"foreign": bidding.ExistingBid("9", 1), "withdrawn": bidding.Withdrawn(), "never": bidding.NeverPlaced(), "seen": bidding.Acknowledged(),
		"held": bidding.Denied(bidding.Denial{Reason: "Cooldown", Message: "m"}), "won": bidding.Observed(onebidv1.RemoteWon),
	}
	rapid.Check(t, func(t *rapid.T) {
		bid := newBid()
		if rapid.Bool().Draw(t, "withdrawing") {
			withdrawing(bid)
		}
		for range rapid.IntRange(1, 6).Draw(t, "steps") {
			changes[rapid.SampledFrom([]string{
				"live", "failed", "unknown", "absent", "unproven", "undecidable", "foreign", "withdrawn", "never", "seen", "held",
				"won",
			}).Draw(t, "change")].Apply(bid, now)
			ready := condition(bid, onebidv1.ConditionReady)
			settled := bid.Status.Outcome != ""
			if settled && (bid.Status.State != bid.Status.Outcome || ready.Status != metav1.ConditionTrue) {
				t.Fatalf("settled as %s: state %s, Ready %s", bid.Status.Outcome, bid.Status.State, ready.Status)
			}
			if bid.Status.State == onebidv1.StateActive && bidding.PlacedStatus(bid) != metav1.ConditionTrue {
				t.Fatal("Active without Placed")
			}
			if bidding.PlacedStatus(bid) == metav1.ConditionUnknown && ready.Status == metav1.ConditionTrue && !settled {
				t.Fatal("Ready although the outcome is unknown")
			}
		}
	})
}

func TestALongMessageIsCutBetweenCharacters(t *testing.T) {
	g := NewWithT(t)
	for _, text := range []string{strings.Repeat("é", 1000), "x" + strings.Repeat("é", 1000)} {
		bid := newBid(noted(bidding.Blocked("MarketplaceNotFound", text)))
		message := condition(bid, onebidv1.ConditionStalled).Message
		g.Expect(len(message)).To(And(BeNumerically(">", 1020), BeNumerically("<=", 1024)))
		g.Expect(utf8.ValidString(message)).To(BeTrue())
		g.Expect(message).To(HaveSuffix("…"))
	}
}
