// Package simulated lets the conformance suite of drivers run against a market of the simulator, over real HTTP.
package simulated

import (
	"context"
	"net/http/httptest"
	"path/filepath"
	"testing"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace/conformance"
	"github.com/onebid-dev/onebid/internal/marketsim"
)

// Simulator is a server of a test.
type Simulator struct {
	*marketsim.Client

	// Address is its base URL.
	Address string

	ledger []marketsim.Record // as far as it was read
}

// Records gives the whole ledger, and reads what is new of it.
func (s *Simulator) Records(t *testing.T) []marketsim.Record {
	t.Helper()
	var last int64
	if len(s.ledger) > 0 {
		last = s.ledger[len(s.ledger)-1].Seq
	}
	more, err := s.Ledger(t.Context(), last)
	must(t, err)
	s.ledger = append(s.ledger, more...)
	return s.ledger
}

// Start starts a simulator that ends with the test.
func Start(t *testing.T) *Simulator {
	t.Helper()
	s, err := marketsim.New(marketsim.Options{LedgerPath: filepath.Join(t.TempDir(), "ledger.jsonl")})
	must(t, err)
	server := httptest.NewUnstartedServer(s)
	server.Config.ConnState = s.ConnState
	server.Start()
	t.Cleanup(func() {
		must(t, s.Close()) // first: it ends the calls that a fault holds back
		server.Close()
	})
	return &Simulator{Client: marketsim.NewClient(server.URL), Address: server.URL}
}

// Market is one of the simulator's markets.
type Market struct {
	Sim *Simulator
	// Name of the market.
	Name string
	// Unfiltered says that a look-up reads the whole list, as its API knows no other way.
	Unfiltered bool
	// ByPosting says that a bid has no ID but its posting's.
	ByPosting bool
}

var _ conformance.Market = (*Market)(nil)

func (m *Market) verb(operation string) marketsim.Verb {
	if operation == "lookup" && m.Unfiltered {
		return marketsim.VerbList
	}
	return marketsim.Verb(operation)
}

// Spoil implements conformance.Market.
func (m *Market) Spoil(t *testing.T, f conformance.Fault) {
	t.Helper()
	rule := marketsim.Fault{
		Market: m.Name, Verb: m.verb(f.Operation), Posting: f.PostingID, Status: f.Status, Code: f.Code, Headers: f.Headers,
		DelayMillis: int(f.Delay.Milliseconds()), HideMillis: int(f.Hide.Milliseconds()),
		Reply: marketsim.Reply(f.Reply), Commit: marketsim.CommitNone,
	}
	if rule.Verb == marketsim.VerbList {
		rule.Posting = ""
	}
	switch {
	case f.Commit:
		rule.Commit = marketsim.CommitBefore
	case f.Late > 0:
		rule.Commit, rule.CommitDelayMillis = marketsim.CommitLate, int(f.Late.Milliseconds())
	}
	if f.Skip > 0 {
		m.add(t, marketsim.Fault{Market: m.Name, Verb: rule.Verb, Posting: rule.Posting, Times: f.Skip})
	}
	m.add(t, rule)
}

func (m *Market) add(t *testing.T, rule marketsim.Fault) {
	t.Helper()
	added, err := m.Sim.AddFault(t.Context(), rule)
	must(t, err)
	t.Cleanup(func() { must(t, m.Sim.RemoveFault(context.Background(), added.ID)) }) // t.Context() is over by then
}

// Calls implements conformance.Market.
func (m *Market) Calls(t *testing.T, operation, account, postingID string) int {
	t.Helper()
	n := 0
	for _, r := range m.Sim.Records(t) {
		if r.Kind == marketsim.KindCall && r.Market == m.Name && r.Verb == m.verb(operation) && r.Account == account &&
			(postingID == "" || r.Posting == postingID) {
			n++
		}
	}
	return n
}

// Live implements conformance.Market.
func (m *Market) Live(t *testing.T, account, postingID string) []string {
	t.Helper()
	all, err := m.Sim.Live(t.Context(), m.Name)
	must(t, err)
	out := []string{}
	for _, bid := range all {
		if bid.Account == account && bid.Posting == postingID {
			out = append(out, m.idOf(bid))
		}
	}
	return out
}

// idOf is the ID under which a driver knows the bid.
func (m *Market) idOf(bid marketsim.LiveBid) string {
	if m.ByPosting {
		return bid.Posting
	}
	return bid.BidID
}

// Move implements conformance.Market.
func (m *Market) Move(t *testing.T, bidID string, state onebidv1.RemoteState) {
	t.Helper()
	words := map[onebidv1.RemoteState]marketsim.State{
		onebidv1.RemoteLive: marketsim.StateLive, onebidv1.RemoteAwardPending: marketsim.StateAwardPending,
		onebidv1.RemoteWon: marketsim.StateWon, onebidv1.RemoteLost: marketsim.StateLost,
		onebidv1.RemoteWithdrawn: marketsim.StateWithdrawn, onebidv1.RemoteRejected: marketsim.StateRejected,
		onebidv1.RemoteExpired: marketsim.StateExpired,
	}
	all, err := m.Sim.Live(t.Context(), m.Name)
	must(t, err)
	for _, bid := range all {
		if m.idOf(bid) == bidID {
			must(t, m.Sim.SetState(t.Context(), m.Name, bid.BidID, words[state]))
			return
		}
	}
	t.Fatalf("the market %s has no live bid %q that could be moved", m.Name, bidID)
}

// Close implements conformance.Market.
func (m *Market) Close(t *testing.T, postingID string) {
	t.Helper()
	must(t, m.Sim.ClosePosting(t.Context(), m.Name, postingID))
}

// Revoke implements conformance.Market.
func (m *Market) Revoke(t *testing.T, account string) {
	t.Helper()
	must(t, m.Sim.PutToken(t.Context(), marketsim.Token{Token: account, Valid: false}))
	t.Cleanup(func() { must(t, m.Sim.PutToken(context.Background(), marketsim.Token{Token: account, Valid: true})) })
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
