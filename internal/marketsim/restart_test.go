package marketsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// picture is all that a server knows, for comparison.
func picture(t interface{ Fatal(...any) }, s *Server) string {
	w := s.current()
	type marketPicture struct {
		Settings  Settings
		NextID    int
		Bids      map[string]*bid
		Order     map[string][]string
		Keys      map[string]string
		Closed    []string
		Scheduled map[int64]Record
	}
	out := map[string]any{"tokens": w.tokens, "summary": s.ledger.summarize("")}
	for _, name := range w.marketNames() {
		m := w.market(name)
		p := marketPicture{
			Settings: m.settings, NextID: m.nextID, Bids: m.bids, Order: map[string][]string{}, Keys: map[string]string{},
			Closed: slices.Sorted(maps.Keys(m.closed)), Scheduled: m.scheduled,
		}
		for account, bids := range m.byAccount {
			for _, b := range bids {
				p.Order[account] = append(p.Order[account], b.BidID)
			}
		}
		for place, bids := range m.byPosting {
			for _, b := range bids {
				at := fmt.Sprintf("%q", place)
				p.Order[at] = append(p.Order[at], b.BidID)
			}
		}
		for key, b := range m.byKey {
			p.Keys[fmt.Sprintf("%q", key)] = b.BidID
		}
		out[name] = p
	}
	text, err := json.MarshalIndent(out, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestANewServerOnTheSameLedger(t *testing.T) {
	ledger := filepath.Join(t.TempDir(), "ledger.jsonl")
	var before, id string
	t.Run("first", func(t *testing.T) {
		b := open(t, ledger, nil)
		b.put("extra", Settings{Shape: ShapeTaskfast, Class: ClassNone, PageSize: 7})
		id = b.place1("rest", "Ж/1", "k").want(t, http.StatusCreated).at(t, "id").(string)
		withdrawn := b.place1("unique", "p", "").at(t, "id").(string)
		b.call("POST", "/unique/bids/"+withdrawn+"/withdraw", "", "").want(t, http.StatusOK)
		if err := b.ClosePosting(t.Context(), "none", "p"); err != nil {
			t.Fatal(err)
		}
		if err := b.PutToken(t.Context(), Token{Token: "mallory"}); err != nil {
			t.Fatal(err)
		}
		if _, err := New(Options{LedgerPath: ledger}); err == nil || !strings.Contains(err.Error(), "in use") {
			t.Errorf("a second server on one ledger: %v", err)
		}
		before = picture(t, b.server)
	})
	b := open(t, ledger, nil)
	if after := picture(t, b.server); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	if again := b.place1("rest", "Ж/1", "k").want(t, http.StatusOK); again.at(t, "id") != id {
		t.Errorf("the key was forgotten: %s", again.body)
	}
	b.place1("none", "p", "").want(t, http.StatusConflict)
	b.callAs("mallory", "GET", "/rest/me", "", "").want(t, http.StatusUnauthorized)
	b.wantRow("unique", "p", 1, 1, 0, 1)
}

func TestLateCommitsSurviveARestart(t *testing.T) {
	clock := steady()
	ledger := filepath.Join(t.TempDir(), "ledger.jsonl")
	t.Run("first", func(t *testing.T) {
		b := open(t, ledger, clock)
		for _, p := range []string{"soon", "later"} {
			delay := map[string]int{"soon": 1000, "later": 10_000}[p]
			b.fault(Fault{Posting: p, Commit: CommitLate, CommitDelayMillis: delay})
			b.place1("none", p, "").want(t, http.StatusGatewayTimeout)
		}
		if err := b.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	clock.Step(5 * time.Second)
	b := open(t, ledger, clock)
	b.wantRow("none", "soon", 1, 1, 1, 1)
	b.wantRow("none", "later", 1, 0, 0, 0)
	clock.Step(5 * time.Second)
	eventually(t, "the second late commit", func() bool { return b.liveCount("none") == 2 })
}

func TestRestartEndsCallsUnderWay(t *testing.T) {
	clock := steady()
	b := start(t, clock)
	b.fault(Fault{Verb: VerbPlace, Posting: "p", DelayMillis: 60_000})
	done := make(chan reply, 1)
	go func() { done <- b.place1("unique", "p", "") }()
	eventually(t, "the call waits", clock.HasWaiters)
	if err := b.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := <-done; r.err == nil {
		t.Errorf("status %d from before the restart", r.status)
	}
	clock.Step(time.Hour)
	b.wantRow("unique", "p", 1, 0, 0, 0)
}

func TestAStepOfTheOldWorldIsRefused(t *testing.T) {
	b := start(t, nil)
	old := b.server.current()
	if err := b.server.Restart(); err != nil {
		t.Fatal(err)
	}
	err := b.server.step(old, func() error {
		t.Error("the step was made: its effect is in the ledger and not in the state")
		return nil
	})
	if !errors.Is(err, errWorldGone) {
		t.Errorf("error %v", err)
	}
}

func TestRestartClosesIdleConnections(t *testing.T) {
	b := start(t, nil)
	b.call("GET", "/rest/me", "", "").want(t, http.StatusOK)
	if err := b.server.Restart(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no connection is left", func() bool {
		b.server.conns.mu.Lock()
		defer b.server.conns.mu.Unlock()
		return len(b.server.conns.open) == 0
	})
}

func TestCutLastLineIsRemoved(t *testing.T) {
	ledger := filepath.Join(t.TempDir(), "ledger.jsonl")
	t.Run("first", func(t *testing.T) { open(t, ledger, nil).place1("rest", "p", "").want(t, http.StatusCreated) })
	whole, err := os.ReadFile(ledger)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(ledger, append(whole, `{"seq":9,"kind":"eff`...), 0o600); err != nil {
		t.Fatal(err)
	}
	records, err := ReadLedger(ledger)
	if err != nil || records[len(records)-1].Kind != KindReply {
		t.Errorf("reading a cut ledger: %v", err)
	}
	b := open(t, ledger, nil)
	b.place1("rest", "q", "").want(t, http.StatusCreated)
	if _, err := ReadLedger(ledger); err != nil {
		t.Error(err)
	}
}

func TestDamagedLedgerIsRefused(t *testing.T) {
	for _, c := range []struct{ why, content, want string }{
		{"a line of another kind", "hello\n", "line 1"},
		{"a missing record", `{"seq":1,"kind":"call"}` + "\n" + `{"seq":3,"kind":"call"}` + "\n", "line 2 has seq 3"},
	} {
		t.Run(c.why, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ledger.jsonl")
			if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := New(Options{LedgerPath: path}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("New: %v, want %q", err, c.want)
			}
			if _, err := ReadLedger(path); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("ReadLedger: %v, want %q", err, c.want)
			}
		})
	}
}

func TestTemporaryLedgerGoesWithTheServer(t *testing.T) {
	s, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	path := s.Ledger()
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the temporary ledger is left: %v", err)
	}
}

func TestLedgerPagesFileAndSummaryAgree(t *testing.T) {
	b := start(t, nil)
	for i := range 5 {
		b.place1("none", fmt.Sprint(i%2), "")
	}
	all, err := ReadLedger(b.ledger)
	if err != nil {
		t.Fatal(err)
	}
	served, err := b.Ledger(t.Context(), 0)
	if err != nil || !reflect.DeepEqual(all, served) {
		t.Errorf("the file has %d records, the server sent %d (%v)", len(all), len(served), err)
	}
	page := b.call("GET", "/_sim/ledger?after=7&limit=2", "", "").want(t, http.StatusOK)
	if lines := strings.Split(strings.TrimSpace(string(page.body)), "\n"); len(lines) != 2 ||
		!strings.HasPrefix(lines[0], `{"seq":8,`) {
		t.Errorf("page: %s", page.body)
	}
	tail, err := b.Ledger(t.Context(), all[len(all)-1].Seq)
	if err != nil || len(tail) != 0 {
		t.Errorf("behind the end there are %d records (%v)", len(tail), err)
	}
	s, err := b.Summary(t.Context(), "")
	if err != nil || !reflect.DeepEqual(s, Summarize(all)) {
		t.Errorf("served %+v (%v), pure %+v", s, err, Summarize(all))
	}
}
