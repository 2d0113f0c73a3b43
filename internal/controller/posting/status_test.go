package posting

import (
	"fmt"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/testenv/build"
)

func at(seconds int64) *metav1.Time { return new(metav1.Unix(seconds, 0)) }

func TestRemember(t *testing.T) {
	record := func(outcome onebidv1.BidState, ended *metav1.Time) onebidv1.BidRecord {
		return onebidv1.BidRecord{UID: "u", Outcome: outcome, EndedAt: ended}
	}
	cases := map[string]struct {
		why        string
		known, new onebidv1.BidRecord
		replaced   bool
	}{
		"the same again": {
			why:   "noting an outcome twice changes nothing, whenever it was seen",
			known: record(onebidv1.StateLost, at(1)), new: record(onebidv1.StateLost, at(2)),
		},
		"a later outcome": {
			why:   "the owner of the posting may still refuse a bid that was withdrawn",
			known: record(onebidv1.StateWithdrawn, at(1)), new: record(onebidv1.StateRejected, at(2)), replaced: true,
		},
		"in the same second": {
			why:   "times are kept in seconds",
			known: record(onebidv1.StateWithdrawn, at(1)), new: record(onebidv1.StateRejected, at(1)), replaced: true,
		},
		"without times": {
			why:   "a record need not know when",
			known: record(onebidv1.StateWithdrawn, nil), new: record(onebidv1.StateRejected, at(1)), replaced: true,
		},
		"an older one that was delayed": {
			why:   "times never run backwards",
			known: record(onebidv1.StateWon, at(2)), new: record(onebidv1.StateLost, at(1)),
		},
		"back to withdrawn": {
			why:   "nothing becomes Withdrawn that had ended otherwise",
			known: record(onebidv1.StateRejected, at(1)), new: record(onebidv1.StateWithdrawn, at(1)),
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			status := &onebidv1.PostingStatus{History: []onebidv1.BidRecord{{UID: "newer"}, c.known}}
			addRecord(status, c.new)
			want := c.known
			if c.replaced {
				want = c.new
			}
			g.Expect(status.History).To(Equal([]onebidv1.BidRecord{{UID: "newer"}, want}), c.why)
		})
	}
}

// Whatever is noted in whatever order: at most ten entries, one a Bid, newest first, and no live Bid that ended.
func TestHistoryIsConsistent(t *testing.T) {
	outcomes := []onebidv1.BidState{onebidv1.StateWithdrawn, onebidv1.StateRejected, onebidv1.StateWon}
	rapid.Check(t, func(t *rapid.T) {
		status := &onebidv1.PostingStatus{}
		var order []string
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			bid := &onebidv1.Bid{}
			bid.Name, bid.UID = "b", types.UID(fmt.Sprint(rapid.IntRange(0, 14).Draw(t, "uid")))
			if rapid.Bool().Draw(t, "active") {
				claim(status, bid)
				continue
			}
			if indexOf(status.History, bid.UID) < 0 {
				order = append([]string{string(bid.UID)}, order...)
			}
			release(status, bid.UID)
			addRecord(status, onebidv1.BidRecord{
				UID: string(bid.UID), Outcome: rapid.SampledFrom(outcomes).Draw(t, "outcome"),
				EndedAt: at(rapid.Int64Range(1, 5).Draw(t, "endedAt")),
			})
			if status.ActiveBid != nil && status.ActiveBid.UID == string(bid.UID) {
				t.Fatal("a Bid that ended is active")
			}
		}
		if len(status.History) != min(len(order), historyLength) {
			t.Fatalf("%d entries after %d Bids", len(status.History), len(order))
		}
		for i, record := range status.History {
			if record.UID != order[i] {
				t.Fatalf("entry %d is of %s, not of %s", i, record.UID, order[i])
			}
			if status.ActiveBid != nil && status.ActiveBid.UID == record.UID {
				t.Fatal("a Bid that ended is active")
			}
		}
	})
}

func TestReadyCondition(t *testing.T) {
	g := NewWithT(t)
	right := build.Posting("ns", "m", "UPPER")
	g.Expect(readyCondition(right).Status).To(Equal(metav1.ConditionTrue))
	wrong := right.DeepCopy()
	wrong.Name = "m.x.00"
	got := readyCondition(wrong)
	g.Expect(got.Status).To(Equal(metav1.ConditionFalse))
	g.Expect(got.Message).To(Equal(`metadata.name must be "m.x.5550504552", the one name of this posting: ` +
		"delete this Posting and create it under that name"))
	wrong.Spec.PostingID = ""
	g.Expect(readyCondition(wrong).Message).To(Equal(
		`postingID: invalid value "": must be 1 to 100 bytes long; delete this Posting`))
}

func TestFreshCondition(t *testing.T) {
	g := NewWithT(t)
	for reason, want := range map[string]metav1.ConditionStatus{
		onebidv1.ReasonFresh: "True", onebidv1.ReasonStale: "False", onebidv1.ReasonClosed: "False", onebidv1.ReasonNoTimestamp: "Unknown",
	} {
		got := freshCondition(bidding.FreshnessVerdict{Fresh: reason == onebidv1.ReasonFresh, Reason: reason, Message: "why"})
		g.Expect(got.Status).To(Equal(want), reason)
		g.Expect(got.Reason + got.Message).To(Equal(reason + "why"))
	}
}
