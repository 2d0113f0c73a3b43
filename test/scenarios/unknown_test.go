package scenarios_test

import (
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/utils/ptr"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketsim"
	"github.com/onebid-dev/onebid/test/harness"
)

// 5: timeout, and the marketplace commits as late as it may. Nothing is sent before that time is over; the bid is adopted.
func TestRow05ALateCommitIsWaitedFor(t *testing.T) {
	inEachClass(t, func(x *harness.Tenant, _ onebidv1.MarketplaceClass) {
		x.Fault(marketsim.Fault{Verb: "place", DelayMillis: 60000, Commit: "late", CommitDelayMillis: 3500, Times: 1})
		x.Manager()
		x.Reason(x.Bid("1"), onebidv1.ConditionPlaced, onebidv1.ReasonAdopted)
		x.G.Expect(x.Row("1").PlaceCalls).To(Equal(1))
		x.G.Expect(x.Row("1").Live).To(Equal(1))
	}, func(m *onebidv1.Marketplace) { m.Spec.LateCommitSeconds = ptr.To[int32](3) })
}

// 5: timeout, and the marketplace commits long after it said that it may. Nothing is sent again inside the settle time; where
// neither a key nor the marketplace guards the posting, a person is asked.
func TestRow05ACommitBeyondAllBounds(t *testing.T) {
	const settle = 2 * time.Second // of the harness's timings, at least
	inEachClass(t, func(x *harness.Tenant, class onebidv1.MarketplaceClass) {
		x.Fault(marketsim.Fault{Verb: "place", DelayMillis: 60000, Commit: "late", CommitDelayMillis: 12000, Times: 1})
		x.Manager()
		begun := time.Now()
		bid := x.Bid("1")
		if class == onebidv1.ClassNone {
			x.State(bid, onebidv1.StateIndeterminate)
			x.G.Eventually(func() int { return x.Row("1").Live }).Should(Equal(1))
			x.G.Expect(x.Row("1").PlaceCalls).To(Equal(1))
			x.Annotate(bid, onebidv1.AnnotationResolve, onebidv1.ResolvePlaced)
			x.State(bid, onebidv1.StateActive)
			return
		}
		x.State(bid, onebidv1.StateActive)
		calls := x.Calls(marketsim.VerbPlace, "1")
		x.G.Eventually(func() bool { return happened(x, calls[0].Seq) }).Should(BeTrue(), "the first call took effect or was too late")
		x.G.Expect(len(calls)).To(BeNumerically("<=", 2))
		if len(calls) == 2 {
			// The manager counts from when it began to send, which a busy simulator notes a little later.
			x.G.Expect(calls[1].Time.Sub(begun)).To(BeNumerically(">", time.Second+settle), "from the timeout on")
			x.G.Expect(calls[1].Key).To(Equal(calls[0].Key))
		}
		x.G.Expect(x.Row("1").MaxLive).To(Equal(1))
	})
}

// happened is true once a late commit took effect, or was dropped because it was too late.
func happened(x *harness.Tenant, call int64) bool {
	for _, r := range x.Ledger() {
		if r.Kind == marketsim.KindEffect && r.Call == call && r.Effect != marketsim.EffectScheduled {
			return true
		}
	}
	return false
}

// 6: 5xx, EOF or a broken 2xx after the commit. That is unknown and no failure: nothing is sent again.
func TestRow06AnErrorAfterTheCommit(t *testing.T) {
	replies := map[string]marketsim.Fault{
		"500": {Status: 500}, "502": {Status: 502, Body: "<html>"}, "503": {Status: 503, RetryAfter: "1"}, "504": {Status: 504},
		"eof": {Reply: "drop"}, "cut": {Reply: "truncate"}, "garbage": {Reply: "garbage"}, "empty": {Status: 201, Body: "{}"},
		"redirect": {Status: 307, Headers: map[string]string{"Location": "/elsewhere"}},
	}
	inEachClass(t, func(x *harness.Tenant, _ onebidv1.MarketplaceClass) {
		for posting, fault := range replies {
			fault.Verb, fault.Posting, fault.Commit, fault.Times = "place", posting, "before", 1
			x.Fault(fault)
		}
		x.Manager()
		bids := map[string]*onebidv1.Bid{}
		for posting := range replies {
			bids[posting] = x.Bid(posting)
		}
		for posting, bid := range bids {
			adopted := x.Reason(bid, onebidv1.ConditionPlaced, onebidv1.ReasonAdopted)
			x.G.Expect(*adopted.Status.Remote.Adopted).To(BeTrue())
			x.G.Expect(x.Row(posting).PlaceCalls).To(Equal(1), posting)
		}
	})
}

// 7: a reused connection drops while an Idempotency-Key is set, which makes Go's HTTP client send a request again in silence.
// It is on the wire once; and no connection for a place call was used before.
func TestRow07AReusedConnectionDrops(t *testing.T) {
	inEachClass(t, func(x *harness.Tenant, _ onebidv1.MarketplaceClass) {
		x.Manager()
		warm := numbered("warm", 5)
		for _, posting := range warm {
			x.State(x.Bid(posting), onebidv1.StateActive)
		}
		x.Fault(marketsim.Fault{Verb: "place", Posting: "1", Commit: "before", Reply: "drop", Times: 1})
		x.Reason(x.Bid("1"), onebidv1.ConditionPlaced, onebidv1.ReasonAdopted)
		x.G.Expect(x.Calls(marketsim.VerbPlace, "1")).To(HaveLen(1))
		used := map[string]bool{}
		for _, r := range x.Ledger() {
			if r.Kind == marketsim.KindCall && r.Verb == marketsim.VerbPlace {
				x.G.Expect(r.Key).NotTo(BeEmpty())
				x.G.Expect(used).NotTo(HaveKey(r.RemoteAddr), "a connection for a place call was used before")
			}
			if r.Kind == marketsim.KindCall {
				used[r.RemoteAddr] = true
			}
		}
	}, func(m *onebidv1.Marketplace) { m.Spec.HTTP.IdempotencyHeader = "Idempotency-Key" })
}

// 14: deleted while the outcome is unknown. That is resolved first, and nothing is live at the end.
func TestRow14DeletedWhileTheOutcomeIsUnknown(t *testing.T) {
	faults := []marketsim.Fault{
		{Commit: "before", Reply: "drop"}, {Commit: "none", Reply: "drop"},
		{Commit: "late", CommitDelayMillis: 2500, DelayMillis: 60000},
	}
	inEachClass(t, func(x *harness.Tenant, class onebidv1.MarketplaceClass) {
		var bids []*onebidv1.Bid
		for i, fault := range faults {
			fault.Verb, fault.Posting, fault.Times = "place", fmt.Sprint(i), 1
			x.Fault(fault)
		}
		x.Manager()
		for i := range faults {
			bids = append(bids, x.Bid(fmt.Sprint(i)))
		}
		for _, bid := range bids {
			x.Reason(bid, onebidv1.ConditionPlaced, onebidv1.ReasonOutcomeUnknown)
			x.Delete(bid)
		}
		if class == onebidv1.ClassNone {
			x.State(bids[1], onebidv1.StateIndeterminate)
			x.Annotate(bids[1], onebidv1.AnnotationResolve, onebidv1.ResolveNotPlaced)
		}
		for i, bid := range bids {
			x.Gone(bid)
			x.G.Expect(x.Row(fmt.Sprint(i)).Live).To(BeZero())
			if class != onebidv1.ClassIdempotencyKey { // there the key is sent once more, to learn what exists
				x.G.Expect(x.Row(fmt.Sprint(i)).PlaceCalls).To(Equal(1))
			}
		}
	}, func(m *onebidv1.Marketplace) { m.Spec.LateCommitSeconds = ptr.To[int32](8) }) // it stays unknown until all are deleted
}
