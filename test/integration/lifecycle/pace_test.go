package lifecycle_test

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketsim"
	"github.com/onebid-dev/onebid/internal/testenv"
	"github.com/onebid-dev/onebid/test/harness"

	. "github.com/onsi/gomega"
)

// marketplace is the tenant's.
func (x *tenant) marketplace() *onebidv1.Marketplace {
	x.T.Helper()
	mkt := &onebidv1.Marketplace{}
	x.G.Expect(world.Env.Client.Get(x.T.Context(), harness.KeyOf(x.NS, "rest"), mkt)).To(Succeed())
	return mkt
}

func (x *tenant) reachable() string {
	if c := meta.FindStatusCondition(x.marketplace().Status.Conditions, onebidv1.ConditionReachable); c != nil {
		return string(c.Status) + " " + c.Reason
	}
	return ""
}

// A pause of the account costs each Bid that waits one write, however long it is, and nothing is sent meanwhile.
func TestAPauseCostsEachWaitingBidOneWrite(t *testing.T) {
	const waiting = 100
	x := newTenant(t, onebidv1.ClassIdempotencyKey)
	x.Fault(marketsim.Fault{Verb: "place", Posting: "first", Status: 429, RetryAfter: "600", Times: 1})
	api := x.counted(1)
	x.Reason(x.Bid("first"), onebidv1.ConditionPlaced, onebidv1.ReasonRateLimited)
	x.G.Eventually(x.reachable).Should(Equal("False RateLimited"))
	x.G.Expect(x.marketplace().Status.RateLimit.PausedUntil).NotTo(BeNil())

	var bids []*onebidv1.Bid
	writes := x.writes(api, func() {
		for i := range waiting {
			bids = append(bids, x.Bid(fmt.Sprint(i)))
		}
		for _, bid := range bids {
			x.Reason(bid, onebidv1.ConditionPlaced, onebidv1.ReasonAccountPaused)
		}
	})
	x.G.Expect(writes.Writes("bids")).To(Equal(testenv.Requests{bidStatus: waiting}), "%s", writes)
	quiet := x.writes(api, func() { idle(t.Context(), 10*time.Second) }).Writes("bids", "marketplaces")
	x.G.Expect(quiet).To(BeEmpty(), "%s", quiet)
	for _, bid := range bids[:10] {
		x.G.Expect(x.Calls("place", bid.Spec.PostingID)).To(BeEmpty(), "nothing is sent in the pause")
	}
	x.newCredentials()
	for _, bid := range bids {
		x.State(bid, onebidv1.StateActive)
	}
	x.G.Eventually(x.reachable).Should(Equal("True Answering"))
}

// newCredentials changes the Secret, which ends a pause.
func (x *tenant) newCredentials() {
	x.T.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: x.NS, Name: "account"}}
	patch := client.RawPatch(types.MergePatchType, []byte(`{"stringData":{"changed":"yes"}}`))
	x.G.Expect(world.Env.Client.Patch(x.T.Context(), secret, patch)).To(Succeed())
}

// When the account's bids are used up, nobody but the one who was told asks again, and withdrawals go on.
func TestASpentQuotaIsNotAskedForByEveryBid(t *testing.T) {
	const waiting = 30
	x := newTenant(t, onebidv1.ClassIdempotencyKey)
	x.Manager()
	live := x.State(x.Bid("live"), onebidv1.StateActive)
	x.Fault(marketsim.Fault{Verb: "place", Status: 403, Code: "BID_LIMIT_EXCEEDED", RetryAfter: "30", Times: 1})
	told := x.Bid("told")
	x.Reason(told, onebidv1.ConditionPlaced, onebidv1.ReasonQuotaExhausted)
	x.G.Eventually(func() string {
		if limit := x.marketplace().Status.RateLimit; limit != nil {
			return limit.Reason
		}
		return ""
	}).Should(Equal(onebidv1.ReasonQuotaExhausted))
	x.G.Expect(x.reachable()).To(Equal("True Answering"))
	bids := []*onebidv1.Bid{told}
	for i := range waiting {
		bids = append(bids, x.Bid(fmt.Sprint(i)))
	}
	x.Delete(live)
	x.Gone(live)
	for _, bid := range bids {
		x.State(bid, onebidv1.StateActive)
		calls := 1
		if bid == told {
			calls = 2
		}
		x.G.Expect(x.Row(bid.Spec.PostingID).PlaceCalls).To(Equal(calls), bid.Name)
	}
}

// A marketplace that does not answer is left alone but for a probe now and then, its status says so, and all goes on by
// itself when it is back.
func TestAMarketplaceThatDoesNotAnswerIsLeftAlone(t *testing.T) {
	const waiting = 30
	x := newTenant(t, onebidv1.ClassIdempotencyKey, func(m *onebidv1.Marketplace) {
		m.Spec.Retry = onebidv1.RetryPolicy{InitialSeconds: 5, MaxSeconds: 5, ManualReviewAfter: 100}
	})
	x.Manager()
	live := x.State(x.Bid("live"), onebidv1.StateActive)
	x.Fault(marketsim.Fault{Reply: "drop", Commit: "none"})
	var bids []*onebidv1.Bid
	for i := range waiting {
		bids = append(bids, x.Bid(fmt.Sprint(i)))
	}
	x.G.Eventually(x.reachable).Should(Equal("False CircuitOpen"))
	breaker := x.marketplace().Status.Breaker
	x.G.Expect(breaker.State).NotTo(Equal(onebidv1.BreakerClosed))
	x.G.Expect(breaker.NextProbe).NotTo(BeNil())
	x.G.Expect(breaker.Failures).To(BeNumerically(">=", 5))
	x.Delete(live)

	began, calls := time.Now(), len(x.Ledger())
	idle(t.Context(), 10*time.Second)
	sent, took := len(x.Ledger())-calls, time.Since(began)
	t.Logf("%d Bids and a withdrawal wait: %d records of calls in %s", waiting, sent, took)
	x.G.Expect(float64(sent)).To(BeNumerically("<=", 3*took.Seconds()),
		"probes one at a time, a withdrawal's every 1.25 s and others' every 5 s")
	x.NoFaults()
	x.Gone(live)
	for _, bid := range bids {
		x.State(bid, onebidv1.StateActive)
	}
	x.G.Eventually(x.reachable).Should(Equal("True Answering"))
	x.G.Expect(x.marketplace().Status.Breaker.NextProbe).To(BeNil())
}

func TestADryRunShowsTheRequestAndSendsNothing(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, func(m *onebidv1.Marketplace) { m.Spec.Mode = onebidv1.ModeDryRun })
	x.Manager()
	bid := x.Reason(x.Bid("1", func(b *onebidv1.Bid) { b.Spec.Proposal = "nobody but us" }),
		onebidv1.ConditionPlaced, onebidv1.ReasonDryRun)
	shown := bid.Status.Preview
	x.G.Expect(shown).NotTo(BeNil())
	x.G.Expect(shown.Method).To(Equal("POST"))
	x.G.Expect(shown.URL).To(HavePrefix(world.Sim.MarketURL(x.Market)))
	x.G.Expect(shown.Body).To(And(ContainSubstring(bid.Spec.Price.Amount), ContainSubstring("[proposal of 13 characters]")))
	x.G.Expect(fmt.Sprint(bid.Status)).NotTo(Or(ContainSubstring("nobody but us"), ContainSubstring(x.Account())))
	x.G.Expect(x.Row("1").PlaceCalls).To(BeZero())
	x.mode(onebidv1.ModeLive)
	x.G.Expect(x.State(bid, onebidv1.StateActive).Status.Preview).To(BeNil())
}

// What happens to a bid at the marketplace without us is noticed, and it is not placed again.
func TestWhatOthersDoToABidIsNoticed(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, func(m *onebidv1.Marketplace) { m.Spec.AuditIntervalSeconds = 5 })
	x.Manager()
	for posting, there := range map[string]struct {
		state marketsim.State
		here  onebidv1.BidState
	}{
		"taken-back": {marketsim.StateWithdrawn, onebidv1.StateWithdrawn}, "rejected": {marketsim.StateRejected, onebidv1.StateRejected},
	} {
		bid := x.State(x.Bid(posting), onebidv1.StateActive)
		x.G.Expect(world.Sim.SetState(t.Context(), x.Market, bid.Status.Remote.BidID, there.state)).To(Succeed())
		ended := x.State(bid, there.here)
		if there.state == marketsim.StateWithdrawn {
			x.G.Expect(harness.ReasonOf(ended, onebidv1.ConditionWithdrawn)).To(Equal(onebidv1.ReasonWithdrawnElsewhere))
		}
		x.Annotate(ended, onebidv1.AnnotationReconcileRequestedAt, "now")
		x.Eventually(ended, "an acknowledgement", func(b *onebidv1.Bid) bool { return b.Status.LastHandledReconcileAt == "now" })
		x.G.Expect(x.Row(posting).PlaceCalls).To(Equal(1), "never again by itself")
	}
}
