package httpdriver_test

import (
	"context"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/conformance"
	"github.com/onebid-dev/onebid/internal/marketplace/egress"
	httpdriver "github.com/onebid-dev/onebid/internal/marketplace/http"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
	"github.com/onebid-dev/onebid/internal/marketsim"
)

// TestConformance runs the suite on the Marketplaces of config/samples, as they are but for their address.
func TestConformance(t *testing.T) {
	sim := startSimulator(t)
	for _, market := range []string{"rest", "unique", "none", "freelancehunt", "taskfast"} {
		t.Run(market, func(t *testing.T) {
			const pageSize = 4
			settings, err := sim.Markets(t.Context())
			must(t, err)
			mine := settings[market]
			mine.PageSize = pageSize
			_, err = sim.PutMarket(t.Context(), market, mine)
			must(t, err)
			spec := sample(t, market)
			conformance.Run(t, conformance.Harness{
				Open: func(t *testing.T, account string) marketplace.Driver {
					t.Helper()
					return open(t, spec.HTTP, sim.address+"/"+market, account)
				},
				Market:   &simulated{sim, market, market == "taskfast"},
				Class:    spec.Class,
				Currency: "USD",
				PageSize: pageSize,
			})
		})
	}
}

// sample reads a Marketplace of config/samples, strictly.
func sample(t *testing.T, market string) *onebidv1.MarketplaceSpec {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "..", "config", "samples", "marketplace-"+market+".yaml"))
	must(t, err)
	var m onebidv1.Marketplace
	must(t, yaml.UnmarshalStrict(raw, &m))
	if u, err := url.Parse(m.Spec.HTTP.BaseURL); err != nil || u.Host != "127.0.0.1:8090" || u.Path != "/"+m.Name {
		t.Errorf("the sample %s must be at http://127.0.0.1:8090/%[1]s, where the simulator is; it is at %s", market, u)
	}
	return &m.Spec
}

// open returns a driver whose token names the account.
func open(t *testing.T, spec *onebidv1.HTTPDriver, address, account string) *httpdriver.Driver {
	t.Helper()
	spec = spec.DeepCopy()
	spec.BaseURL = address
	d, err := httpdriver.New(t.Context(), spec, map[string][]byte{"token": []byte(account + "\n")},
		wire.Options{Egress: inside(t), Timeout: 5 * time.Second})
	must(t, err)
	t.Cleanup(func() { must(t, d.Close()) })
	return d
}

func inside(t *testing.T) egress.Policy {
	t.Helper()
	p, err := egress.ParsePolicy([]string{"127.0.0.0/8"})
	must(t, err)
	return p
}

type simulator struct {
	*marketsim.Client
	address string
	ledger  []marketsim.Record // as far as it was read
}

// records gives the whole ledger, and reads what is new of it.
func (s *simulator) records(t *testing.T) []marketsim.Record {
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

func startSimulator(t *testing.T) *simulator {
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
	return &simulator{Client: marketsim.NewClient(server.URL), address: server.URL}
}

// simulated is one of its markets.
type simulated struct {
	sim    *simulator
	market string
	// unfiltered says that a look-up reads the whole list, as its API knows no other way.
	unfiltered bool
}

func (s *simulated) verb(operation string) marketsim.Verb {
	if operation == "lookup" && s.unfiltered {
		return marketsim.VerbList
	}
	return marketsim.Verb(operation)
}

func (s *simulated) Spoil(t *testing.T, f conformance.Fault) {
	t.Helper()
	rule := marketsim.Fault{
		Market: s.market, Verb: s.verb(f.Operation), Posting: f.PostingID, Status: f.Status, Code: f.Code, Headers: f.Headers,
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
		s.add(t, marketsim.Fault{Market: s.market, Verb: rule.Verb, Posting: rule.Posting, Times: f.Skip})
	}
	s.add(t, rule)
}

func (s *simulated) add(t *testing.T, rule marketsim.Fault) {
	t.Helper()
	added, err := s.sim.AddFault(t.Context(), rule)
	must(t, err)
	t.Cleanup(func() { must(t, s.sim.RemoveFault(context.Background(), added.ID)) }) // t.Context() is over by then
}

func (s *simulated) Calls(t *testing.T, operation, account, postingID string) int {
	t.Helper()
	n := 0
	for _, r := range s.sim.records(t) {
		if r.Kind == marketsim.KindCall && r.Market == s.market && r.Verb == s.verb(operation) && r.Account == account &&
			(postingID == "" || r.Posting == postingID) {
			n++
		}
	}
	return n
}

func (s *simulated) Live(t *testing.T, account, postingID string) []string {
	t.Helper()
	all, err := s.sim.Live(t.Context(), s.market)
	must(t, err)
	out := []string{}
	for _, bid := range all {
		if bid.Account == account && bid.Posting == postingID {
			out = append(out, bid.BidID)
		}
	}
	return out
}

func (s *simulated) Move(t *testing.T, bidID string, state onebidv1.RemoteState) {
	t.Helper()
	words := map[onebidv1.RemoteState]marketsim.State{
		onebidv1.RemoteLive: marketsim.StateLive, onebidv1.RemoteAwardPending: marketsim.StateAwardPending,
		onebidv1.RemoteWon: marketsim.StateWon, onebidv1.RemoteLost: marketsim.StateLost,
		onebidv1.RemoteWithdrawn: marketsim.StateWithdrawn, onebidv1.RemoteRejected: marketsim.StateRejected,
		onebidv1.RemoteExpired: marketsim.StateExpired,
	}
	must(t, s.sim.SetState(t.Context(), s.market, bidID, words[state]))
}

func (s *simulated) Close(t *testing.T, postingID string) {
	t.Helper()
	must(t, s.sim.ClosePosting(t.Context(), s.market, postingID))
}

func (s *simulated) Revoke(t *testing.T, account string) {
	t.Helper()
	must(t, s.sim.PutToken(t.Context(), marketsim.Token{Token: account, Valid: false}))
	t.Cleanup(func() { must(t, s.sim.PutToken(context.Background(), marketsim.Token{Token: account, Valid: true})) })
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
