package scenarios_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketsim"
	"github.com/onebid-dev/onebid/internal/testenv/build"
	"github.com/onebid-dev/onebid/test/harness"
)

// 4: the API server is down when the outcome is to be recorded, for longer than the heartbeat. It is recorded once the API
// server is back, and nothing is sent again.
func TestRow04TheAPIServerIsDownAfterTheCall(t *testing.T) {
	inEachClass(t, func(x *harness.Tenant, _ onebidv1.MarketplaceClass) {
		bid, p, m := cutOffInTheMiddleOfACall(x)
		x.G.Eventually(m.IsReady).Should(BeFalse())
		p.Heal()
		active := x.State(bid, onebidv1.StateActive)
		x.G.Expect(x.Row("1").LiveBids).To(Equal([]string{active.Status.Remote.BidID}))
		x.G.Expect(x.Row("1").PlaceCalls).To(Equal(1))
	}, timeout(10))
}

// 4: the same, and the only process that knows the outcome dies before the API server is back.
func TestRow04AndThenTheManagerDies(t *testing.T) {
	inEachClass(t, func(x *harness.Tenant, _ onebidv1.MarketplaceClass) {
		bid, _, m := cutOffInTheMiddleOfACall(x)
		x.G.Eventually(func() int { return len(replies(x, marketsim.VerbPlace)) }).Should(Equal(1))
		m.Kill()
		x.Manager()
		adopted := x.Reason(bid, onebidv1.ConditionPlaced, onebidv1.ReasonAdopted)
		x.G.Expect(x.Row("1").LiveBids).To(Equal([]string{adopted.Status.Remote.BidID}))
		x.G.Expect(x.Row("1").PlaceCalls).To(Equal(1))
	}, timeout(3))
}

// cutOffInTheMiddleOfACall takes the API server from a manager that waits for the marketplace's reply.
func cutOffInTheMiddleOfACall(x *harness.Tenant) (*onebidv1.Bid, *harness.Proxy, *harness.Manager) {
	x.T.Helper()
	p := x.Proxy()
	x.Fault(marketsim.Fault{Verb: "place", DelayMillis: 1500, Commit: "before", Times: 1})
	p.Lose(harness.Loss{Wanted: func(r *http.Request) bool { return sent(r, x) }})
	m := x.Manager("--kubeconfig", p.Kubeconfig)
	bid := x.Bid("1")
	x.G.Eventually(func() int { return x.Row("1").PlaceCalls }).Should(Equal(1))
	p.Cut()
	return bid, p, m
}

// sent is true once a place call for posting "1" has reached the marketplace. A proxy that asks it for each request loses
// what comes after the call, and nothing before, however late the test learns of the call.
func sent(r *http.Request, x *harness.Tenant) bool {
	summary, err := world.Sim.Summary(r.Context(), x.Market)
	return err == nil && summary.Row(x.Market, x.Account(), "1").PlaceCalls > 0
}

// replies of the tenant's market to one kind of call.
func replies(x *harness.Tenant, verb marketsim.Verb) []marketsim.Record {
	var out []marketsim.Record
	for _, r := range x.Ledger() {
		if r.Kind == marketsim.KindReply && r.Verb == verb {
			out = append(out, r)
		}
	}
	return out
}

// 8: the holder loses its heartbeat and nothing else. It sends nothing once its validity has ended, although it could read
// the Bid, and another replica goes on.
func TestRow08TheHolderLosesItsHeartbeat(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey)
	p := x.Proxy()
	x.Fault(marketsim.Fault{Verb: "place", Status: 429, RetryAfter: "4", Times: 1})
	p.Lose(harness.Loss{Silent: true, Wanted: func(r *http.Request) bool {
		return r.Method != http.MethodGet && strings.Contains(r.URL.Path, "/namespaces/"+x.System+"/leases") && sent(r, x)
	}})
	holder := x.Manager("--kubeconfig", p.Kubeconfig)
	bid := x.Bid("1")
	x.Reason(bid, onebidv1.ConditionPlaced, onebidv1.ReasonRateLimited)
	x.G.Eventually(holder.IsReady).Should(BeFalse())
	x.G.Consistently(func() int { return x.Row("1").PlaceCalls }).WithTimeout(6*time.Second).Should(Equal(1), "its turn came and went")
	x.Manager()
	x.State(bid, onebidv1.StateActive)
	x.G.Expect(x.Row("1").PlaceCalls).To(Equal(2))
	p.Heal()
	x.G.Eventually(holder.IsReady).Should(BeTrue())
	x.Settled()
}

// 8: a marketplace does not answer any more, while more bids wait for it than there are workers. Others are not held up.
func TestRow08AMarketplaceIsLost(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, timeout(5))
	market := second(x, "other")
	x.Manager("--max-concurrent-reconciles", "4")
	warm := build.Bid(x.NS, "other", "warm")
	x.Create(warm)
	x.State(warm, onebidv1.StateActive)
	x.Fault(marketsim.Fault{DelayMillis: 60000, Commit: "none"})
	stuck := numbered("stuck", 24)
	for _, posting := range stuck {
		x.Bid(posting)
	}
	x.G.Eventually(func() int { return totals(x).PlaceCalls }).Should(BeNumerically(">=", 4))
	begun := time.Now()
	for _, posting := range numbered("p", 5) {
		bid := build.Bid(x.NS, "other", posting)
		x.Create(bid)
		x.State(bid, onebidv1.StateActive)
	}
	took := time.Since(begun)
	t.Logf("5 bids at the other marketplace, one after another: %s", took)
	x.G.Expect(took).To(BeNumerically("<", 20*time.Second), "one round of all that are stuck takes 30 s of every worker")
	x.NoFaults()
	for _, posting := range stuck {
		x.State(build.Bid(x.NS, "rest", posting), onebidv1.StateActive)
	}
	summary, err := world.Sim.Summary(t.Context(), market)
	x.G.Expect(err).NotTo(HaveOccurred())
	x.G.Expect(summary.Totals.PlaceCalls).To(Equal(6))
}

// second makes one more Marketplace of the tenant, after the edits, at a market of its own, whose name it returns.
func second(x *harness.Tenant, name string, edit ...func(*onebidv1.Marketplace)) string {
	x.T.Helper()
	market := x.Market + "-" + name
	settings := marketsim.Settings{Shape: "rest", Class: marketsim.ClassIdempotencyKey}
	_, err := world.Sim.PutMarket(x.T.Context(), market, settings)
	x.G.Expect(err).NotTo(HaveOccurred())
	mkt := x.Sample(onebidv1.ClassIdempotencyKey)
	mkt.Name = name
	mkt.Spec.HTTP.BaseURL = world.Sim.MarketURL(market)
	for _, e := range edit {
		e(mkt)
	}
	x.Create(mkt)
	return market
}

// 23: every event comes twice. Nothing is sent twice.
func TestRow23EventsComeTwice(t *testing.T) {
	inEachClass(t, func(x *harness.Tenant, _ onebidv1.MarketplaceClass) {
		p := x.Proxy()
		p.Events(harness.EventsTwice)
		x.Manager("--kubeconfig", p.Kubeconfig)
		postings := numbered("p", 10)
		for _, posting := range postings {
			x.Bid(posting)
		}
		for _, posting := range postings {
			bid := x.State(build.Bid(x.NS, "rest", posting), onebidv1.StateActive)
			x.Delete(bid)
			x.Gone(bid)
			x.G.Expect(x.Row(posting).PlaceCalls).To(Equal(1))
			x.G.Expect(x.Row(posting).Withdrawn).To(Equal(1))
		}
	})
}

// 23: events come late, or never because the watch ended, while Bids come, change and go. All ends as it should, and
// nothing is sent that the live Bid does not want.
func TestRow23EventsComeLateOrNever(t *testing.T) {
	for name, lost := range map[string]bool{"late": false, "never": true} {
		t.Run(name, func(t *testing.T) {
			x := newTenant(t, onebidv1.ClassIdempotencyKey)
			p := x.Proxy()
			x.Manager("--kubeconfig", p.Kubeconfig)
			leaving, back := x.State(x.Bid("leaving"), onebidv1.StateActive), x.State(x.Bid("back"), onebidv1.StateActive)
			p.Events(harness.EventsHeld)
			coming, gone := x.Bid("coming"), x.Bid("gone")
			x.Delete(leaving)
			x.Withdraw(back, "no")
			x.Withdraw(gone, "changed my mind")
			x.Delete(gone)
			x.G.Eventually(p.Held).Should(BeNumerically(">", 0))
			x.G.Expect(x.Calls(marketsim.VerbWithdraw, "leaving")).To(BeEmpty(), "the manager does not know")
			if lost {
				p.Cut()
			}
			p.Events(harness.EventsPass)
			x.State(coming, onebidv1.StateActive)
			x.State(back, onebidv1.StateWithdrawn)
			x.Gone(leaving)
			x.Gone(gone)
			x.G.Expect(x.Row("gone").PlaceCalls).To(BeZero())
			for _, posting := range []string{"coming", "leaving", "back"} {
				x.G.Expect(x.Row(posting).PlaceCalls).To(Equal(1), posting)
			}
			x.Settled()
		})
	}
}
