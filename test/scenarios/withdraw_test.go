package scenarios_test

import (
	"net/http"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketsim"
	"github.com/onebid-dev/onebid/internal/testenv/build"
	"github.com/onebid-dev/onebid/test/harness"
)

// 19: a withdrawal is answered 404, 410 or already withdrawn. That is success for a bid that is not live any more, and none
// for one that is.
func TestRow19AWithdrawalIsRefused(t *testing.T) {
	answers := map[string]marketsim.Fault{
		"404-gone": {Status: 404, Commit: "before"}, "410-gone": {Status: 410, Commit: "before"},
		"409-gone": {Status: 409, Code: "ALREADY_WITHDRAWN", Commit: "before"},
		"404-live": {Status: 404}, "410-live": {Status: 410}, "409-live": {Status: 409, Code: "ALREADY_WITHDRAWN"},
	}
	inEachClass(t, func(x *harness.Tenant, _ onebidv1.MarketplaceClass) {
		x.Manager()
		bids := map[string]*onebidv1.Bid{}
		for posting, fault := range answers {
			fault.Verb, fault.Posting, fault.Times = "withdraw", posting, 1
			x.Fault(fault)
			bids[posting] = x.Bid(posting)
		}
		for _, bid := range bids {
			x.State(bid, onebidv1.StateActive)
			x.Delete(bid)
		}
		for posting, bid := range bids {
			x.Gone(bid)
			x.G.Expect(x.Row(posting).Live).To(BeZero(), posting)
			want := 1
			if answers[posting].Commit == "" {
				want = 2 // what was read back was live, so it is withdrawn again
			}
			x.G.Expect(x.Calls(marketsim.VerbWithdraw, posting)).To(HaveLen(want), posting)
		}
	}, timeout(10)) // a read that timed out would be followed by one more
}

// 19: a bid that is awarded cannot be withdrawn. A person is told, nothing is tried in a loop, and it is let go once it is won.
func TestRow19AnAwardedBid(t *testing.T) {
	inEachClass(t, func(x *harness.Tenant, _ onebidv1.MarketplaceClass) {
		x.Manager()
		bid := x.State(x.Bid("1"), onebidv1.StateActive)
		x.G.Expect(world.Sim.SetState(x.T.Context(), x.Market, bid.Status.Remote.BidID, marketsim.StateAwardPending)).To(Succeed())
		x.Delete(bid)
		x.Reason(bid, onebidv1.ConditionStalled, onebidv1.ReasonNotWithdrawable)
		tried := len(x.Calls(marketsim.VerbWithdraw, "1"))
		x.G.Consistently(func() int { return len(x.Calls(marketsim.VerbWithdraw, "1")) }).WithTimeout(3*time.Second).
			Should(BeNumerically("<=", tried+4), "once in maxSeconds, and not more")
		x.G.Expect(world.Sim.SetState(x.T.Context(), x.Market, bid.Status.Remote.BidID, marketsim.StateWon)).To(Succeed())
		x.Gone(bid)
	})
}

// 20: 401 for long, to placing and to withdrawing, then the Secret changes. The finalizer stays, the account rests, and both
// go on by themselves.
func TestRow20RefusedCredentialsHealWhenTheSecretChanges(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey)
	x.Manager()
	leaving := x.State(x.Bid("1"), onebidv1.StateActive)
	x.Revoke()
	coming := x.Bid("2")
	x.Reason(coming, onebidv1.ConditionPlaced, onebidv1.ReasonAuthenticationFailed)
	x.Delete(leaving)
	before := len(x.Ledger())
	x.G.Consistently(func() int { return len(x.Ledger()) - before }).WithTimeout(5*time.Second).
		Should(BeNumerically("<", 20), "calls and replies of an account that nobody believes")
	x.G.Expect(x.Get(leaving).Finalizers).To(ContainElement(onebidv1.FinalizerWithdraw))
	x.G.Expect(x.Row("1").Live).To(Equal(1))
	x.G.Expect(x.Row("2").Placed).To(BeZero())

	second := "second-" + x.Account()
	x.G.Expect(world.Sim.PutToken(t.Context(), marketsim.Token{Token: second, Valid: true, Account: x.Account()})).To(Succeed())
	secret := &corev1.Secret{}
	x.G.Expect(world.Env.Client.Get(t.Context(), harness.KeyOf(x.NS, "account"), secret)).To(Succeed())
	secret.Data["token"] = []byte(second)
	x.G.Expect(world.Env.Client.Update(t.Context(), secret)).To(Succeed())
	x.Gone(leaving)
	x.State(coming, onebidv1.StateActive)
	x.G.Expect(x.Row("1").Live).To(BeZero())
	x.Settled()
}

// 20: 403 for long. The finalizer stays, and what is tried again is tried at a bounded rate until it works.
func TestRow20AForbiddenWithdrawalGoesOn(t *testing.T) {
	inEachClass(t, func(x *harness.Tenant, _ onebidv1.MarketplaceClass) {
		x.Manager()
		bid := x.State(x.Bid("1"), onebidv1.StateActive)
		x.Fault(marketsim.Fault{Verb: "withdraw", Status: http.StatusForbidden})
		x.Delete(bid)
		x.Reason(bid, onebidv1.ConditionStalled, onebidv1.ReasonManualReview)
		tried := len(x.Calls(marketsim.VerbWithdraw, "1"))
		x.G.Consistently(func() int { return len(x.Calls(marketsim.VerbWithdraw, "1")) }).WithTimeout(3*time.Second).
			Should(BeNumerically("<=", tried+6), "with full jitter up to 2 s apart")
		x.G.Expect(x.Row("1").Live).To(Equal(1))
		x.NoFaults()
		x.Gone(bid)
	})
}

// 25: a person withdraws in the marketplace's own pages, and somewhere else the posting closes. Both are reported; nothing
// is placed again by itself.
func TestRow25APersonWithdraws(t *testing.T) {
	inEachClass(t, func(x *harness.Tenant, _ onebidv1.MarketplaceClass) {
		x.Manager()
		bid, closing := x.State(x.Bid("1"), onebidv1.StateActive), x.State(x.Bid("2"), onebidv1.StateActive)
		x.G.Expect(world.Sim.SetState(x.T.Context(), x.Market, bid.Status.Remote.BidID, marketsim.StateWithdrawn)).To(Succeed())
		x.G.Expect(world.Sim.ClosePosting(x.T.Context(), x.Market, "2")).To(Succeed())
		x.G.Expect(world.Sim.SetState(x.T.Context(), x.Market, closing.Status.Remote.BidID, marketsim.StateExpired)).To(Succeed())
		x.State(bid, onebidv1.StateWithdrawn)
		x.State(closing, onebidv1.StateExpired)
		x.Known(build.Posting(x.NS, "rest", "3", func(p *onebidv1.Posting) { p.Spec.Closed = ptr.To(true) }))
		x.Reason(x.Bid("3"), onebidv1.ConditionAccepted, onebidv1.ReasonPostingClosed)
		x.Settled()
		for posting, calls := range map[string]int{"1": 1, "2": 1, "3": 0} {
			x.G.Expect(x.Row(posting).PlaceCalls).To(Equal(calls), posting)
			x.G.Expect(x.Row(posting).Live).To(BeZero(), posting)
		}
	}, func(m *onebidv1.Marketplace) { m.Spec.AuditIntervalSeconds = 5 })
}
