package harness

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"github.com/onebid-dev/onebid/internal/marketsim"
)

// site is the tenant's market at the simulator, and its account there.
type site struct {
	T *testing.T
	G *gomega.WithT
	// Sim administers the simulator.
	Sim *marketsim.Client
	// Market is the market's name at the simulator.
	Market string
	// ByHand is how many postings a person put a second bid on.
	ByHand int

	faults  []string
	strange map[string]bool    // IDs of the bids that a person placed
	records []marketsim.Record // of this market, as far as they were read
	read    int64
}

// Account is the token of the tenant's account at its market.
func (x *site) Account() string { return "token-" + x.Market }

// Fault makes the tenant's market misbehave, until NoFaults or the end of the test.
func (x *site) Fault(f marketsim.Fault) {
	x.T.Helper()
	f.Market = x.Market
	added, err := x.Sim.AddFault(x.T.Context(), f)
	x.G.Expect(err).NotTo(gomega.HaveOccurred())
	x.faults = append(x.faults, added.ID)
}

// NoFaults ends the faults of the tenant's market. Calls that have met one are not disturbed.
func (x *site) NoFaults() {
	x.T.Helper()
	for _, id := range x.faults {
		_ = x.Sim.RemoveFault(x.T.Context(), id) // one that was for a number of calls may be gone
	}
	x.faults = nil
}

// Row is what the ledger says about a posting.
func (x *site) Row(posting string) marketsim.Row {
	x.T.Helper()
	summary, err := x.Sim.Summary(x.T.Context(), x.Market)
	x.G.Expect(err).NotTo(gomega.HaveOccurred())
	return summary.Row(x.Market, x.Account(), posting)
}

// Ledger returns the records of the tenant's market. Those that were read before are not read again.
func (x *site) Ledger() []marketsim.Record {
	x.T.Helper()
	fresh, err := x.Sim.Ledger(x.T.Context(), x.read)
	x.G.Expect(err).NotTo(gomega.HaveOccurred())
	for _, r := range fresh {
		x.read = r.Seq
		if r.Market == x.Market {
			x.records = append(x.records, r)
		}
	}
	return x.records
}

// Calls are the records of one kind of call on a posting, in their order.
func (x *site) Calls(verb marketsim.Verb, posting string) []marketsim.Record {
	x.T.Helper()
	var out []marketsim.Record
	for _, r := range x.Ledger() {
		if r.Kind == marketsim.KindCall && r.Verb == verb && r.Posting == posting {
			out = append(out, r)
		}
	}
	return out
}

// PlaceByHand puts a bid on a posting as a person would, in the marketplace's own pages.
func (x *site) PlaceByHand(posting string) {
	x.T.Helper()
	body := strings.NewReader(`{"posting_id":"` + posting + `","amount":"99","currency":"USD"}`)
	req, err := http.NewRequestWithContext(x.T.Context(), http.MethodPost, x.Sim.MarketURL(x.Market)+"/bids", body)
	x.G.Expect(err).NotTo(gomega.HaveOccurred())
	req.Header.Set("Authorization", "Bearer "+x.Account())
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	x.G.Expect(err).NotTo(gomega.HaveOccurred())
	defer func() { _ = resp.Body.Close() }()
	x.G.Expect(resp.StatusCode).To(gomega.Equal(http.StatusCreated))
	var placed struct{ ID string }
	x.G.Expect(json.NewDecoder(resp.Body).Decode(&placed)).To(gomega.Succeed())
	if x.strange == nil {
		x.strange = map[string]bool{}
	}
	x.strange[placed.ID] = true
}

// Revoke makes the marketplace refuse the account's token.
func (x *site) Revoke() {
	x.T.Helper()
	x.G.Expect(x.Sim.PutToken(x.T.Context(), marketsim.Token{Token: x.Account(), Valid: false})).To(gomega.Succeed())
}

// Live are the live bids of the account at the tenant's market that no person placed, by their ID.
func (x *site) Live() map[string]marketsim.LiveBid {
	x.T.Helper()
	list, err := x.Sim.Live(x.T.Context(), x.Market)
	x.G.Expect(err).NotTo(gomega.HaveOccurred())
	out := map[string]marketsim.LiveBid{}
	for _, bid := range list {
		if !x.strange[bid.BidID] {
			out[bid.BidID] = bid
		}
	}
	return out
}

// checkInvariants holds after every test: I1, one live bid per posting at every instant.
func (x *site) checkInvariants() {
	summary, err := x.Sim.Summary(context.Background(), x.Market)
	if err != nil {
		x.T.Errorf("read the ledger: %v", err)
		return
	}
	if summary.Totals.PlacedTwice > x.ByHand {
		x.T.Errorf("I1 broken: %d postings had two live bids at once", summary.Totals.PlacedTwice)
	}
}
