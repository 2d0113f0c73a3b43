package scenarios_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketsim"
	"github.com/onebid-dev/onebid/internal/testenv/build"
	"github.com/onebid-dev/onebid/test/harness"
)

// rarely is how often the ledger of very many bids is summed up.
const rarely = 500 * time.Millisecond

// 21: a thousand Bids wait for an account of 25 requests a second that answers 429 now and then, and the manager is
// restarted in the middle. The account's rate is kept to, and what is to be withdrawn goes before what is to be placed.
func TestRow21ManyBidsAndARestart(t *testing.T) {
	const bids, rate, burst = 1000, 25, 10
	x := newTenant(t, onebidv1.ClassIdempotencyKey, func(m *onebidv1.Marketplace) {
		m.Spec.RateLimit = &onebidv1.RateLimit{RequestsPerSecond: rate, Burst: burst}
		m.Spec.TimeoutSeconds = 10
	})
	x.Binary = world.Binary
	x.Fault(marketsim.Fault{Verb: "place", Posting: "p-7", Status: 429, RetryAfter: "2", Times: 2})
	first := x.Manager()
	leaving := numbered("leaving", 5)
	for _, posting := range leaving {
		x.State(x.Bid(posting), onebidv1.StateActive)
	}
	postings := numbered("p", bids)
	x.Frozen(func() { createAll(x, postings) }) // however long that takes, they wait when it is done
	live := func() int { return totals(x).Live }
	x.G.Eventually(live).WithPolling(rarely).Should(BeNumerically(">", bids/10))
	first.Kill()
	x.Manager()
	pending := bids - live()
	x.G.Expect(pending).To(BeNumerically(">", bids/2), "most of them still wait")
	for _, posting := range leaving {
		x.Delete(build.Bid(x.NS, "rest", posting))
	}
	for _, posting := range leaving {
		x.Gone(build.Bid(x.NS, "rest", posting))
	}
	x.G.Expect(bids-live()).To(BeNumerically(">", pending/4), "withdrawals do not wait for the others")
	x.G.Eventually(live).WithTimeout(3 * harness.Patience).WithPolling(rarely).Should(Equal(bids))
	x.G.Expect(totals(x).PlaceCalls).To(Equal(bids + len(leaving) + 2))
	x.G.Expect(busiest(x, time.Second)).To(BeNumerically("<=", 2*(rate+burst)), "what waits on a busy machine arrives together")
	x.G.Expect(busiest(x, 5*time.Second)).To(BeNumerically("<=", 6*rate+2*burst),
		"in five seconds, with the burst of a new process and a second of delay")
	x.Settled()
}

// createAll creates a Bid on each posting, some at once.
func createAll(x *harness.Tenant, postings []string) {
	x.T.Helper()
	bids := make([]*onebidv1.Bid, 0, len(postings))
	for _, posting := range postings {
		bids = append(bids, build.Bid(x.NS, "rest", posting))
	}
	createBids(x, bids)
}

func createBids(x *harness.Tenant, bids []*onebidv1.Bid) {
	x.T.Helper()
	todo := make(chan *onebidv1.Bid)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for bid := range todo {
				if err := world.Env.Client.Create(x.T.Context(), bid); err != nil {
					x.T.Error(err)
				}
			}
		})
	}
	for _, bid := range bids {
		todo <- bid
	}
	close(todo)
	wg.Wait()
}

// busiest is the largest number of calls that the account made in any such time.
func busiest(x *harness.Tenant, window time.Duration) int {
	x.T.Helper()
	var calls []time.Time
	most := 0
	for _, r := range x.Ledger() {
		if r.Kind != marketsim.KindCall {
			continue
		}
		calls = append(calls, r.Time)
		for r.Time.Sub(calls[0]) >= window {
			calls = calls[1:]
		}
		most = max(most, len(calls))
	}
	return most
}

// 22: poison among the Bids: the largest proposals, replies that are huge, endless, nested or no text at all. The others are
// as fast as without, and the poison says what is wrong or gets through.
func TestRow22PoisonAmongTheBids(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, timeout(2))
	poison := map[string]string{
		"huge": strings.Repeat("x", 256<<10), "nested": strings.Repeat("[", 128<<10), "number": `{"id":1e999999999}`,
		"text": "{\"id\":\"\xff\xfe\x00\"}", "null": "null", "list": "[]",
		"many": `{"items":[` + strings.TrimSuffix(strings.Repeat(`{},`, 60000), ",") + `]}`,
	}
	for posting, body := range poison {
		x.Fault(marketsim.Fault{Verb: "place", Posting: posting, Status: 201, Body: body, Commit: "before", Times: 3})
		x.Fault(marketsim.Fault{Verb: "lookup", Posting: posting, Status: 200, Body: body, Times: 3})
	}
	x.Manager("--max-concurrent-reconciles", "4")
	x.State(x.Bid("warm"), onebidv1.StateActive)
	without := timeToActive(x, numbered("without", 10))
	for posting := range poison {
		x.Bid(posting, build.Proposal(strings.Repeat("\u2028", 16384/3)))
	}
	x.G.Eventually(func() int { return totals(x).PlaceCalls }).Should(BeNumerically(">=", len(poison)))
	among := timeToActive(x, numbered("among", 10))
	t.Logf("10 bids, one after another: %s without poison, %s among it", without, among)
	x.G.Expect(among).To(BeNumerically("<", 4*without+10*time.Second))
	for posting := range poison {
		x.State(build.Bid(x.NS, "rest", posting), onebidv1.StateActive)
		x.G.Expect(x.Row(posting).PlaceCalls).To(Equal(1), posting)
	}
	x.Settled()
}

// timeToActive is how long Bids take, one after another.
func timeToActive(x *harness.Tenant, postings []string) time.Duration {
	x.T.Helper()
	begun := time.Now()
	for _, posting := range postings {
		x.State(x.Bid(posting), onebidv1.StateActive)
	}
	return time.Since(begun)
}
