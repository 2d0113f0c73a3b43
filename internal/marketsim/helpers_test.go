package marketsim

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/utils/clock"
)

// bench is a server under test, reached over real HTTP.
type bench struct {
	*Client
	t      *testing.T
	server *Server
	url    string
	ledger string
}

// start serves a new ledger on the clock; nil is the real one.
func start(t *testing.T, c clock.Clock) *bench {
	t.Helper()
	return open(t, filepath.Join(t.TempDir(), "ledger.jsonl"), c)
}

func open(t *testing.T, ledger string, c clock.Clock) *bench {
	t.Helper()
	s, err := New(Options{LedgerPath: ledger, Clock: c})
	if err != nil {
		t.Fatal(err)
	}
	hs := httptest.NewUnstartedServer(s)
	hs.Config.ConnState = s.ConnState
	hs.Start()
	t.Cleanup(func() {
		if err := s.Close(); err != nil { // first, as it ends the calls that a fault holds back
			t.Error(err)
		}
		hs.Close()
	})
	return &bench{Client: NewClient(hs.URL), t: t, server: s, url: hs.URL, ledger: ledger}
}

func (b *bench) fault(f Fault) Fault {
	b.t.Helper()
	f, err := b.AddFault(b.t.Context(), f)
	if err != nil {
		b.t.Fatal(err)
	}
	return f
}

func (b *bench) put(name string, s Settings) {
	b.t.Helper()
	if _, err := b.PutMarket(b.t.Context(), name, s); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) row(market, posting string) Row {
	b.t.Helper()
	s, err := b.Summary(b.t.Context(), market)
	if err != nil {
		b.t.Fatal(err)
	}
	return s.Row(market, "alice", posting)
}

func (b *bench) wantRow(market, posting string, placeCalls, placed, live, maxLive int) {
	b.t.Helper()
	r := b.row(market, posting)
	got := [4]int{r.PlaceCalls, r.Placed, r.Live, r.MaxLive}
	if want := [4]int{placeCalls, placed, live, maxLive}; got != want {
		b.t.Errorf("%s %q: placeCalls, placed, live, maxLive = %v, want %v", market, posting, got, want)
	}
}

// reply is what a client saw; err is a failure of the connection or of reading the body.
type reply struct {
	status int
	header http.Header
	body   []byte
	err    error
}

// call makes one call to a market as the account alice.
func (b *bench) call(method, path, key, body string) reply {
	return b.callAs("alice", method, path, key, body)
}

func (b *bench) callAs(token, method, path, key, body string) reply {
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return reply{err: err}
	}
	req.GetBody = nil // else net/http may send a call again that a fault has dropped
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("X-API-Key", token)
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	return b.do(req)
}

func (b *bench) do(req *http.Request) reply {
	b.t.Helper()
	req.Close = true // a restart closes connections, and net/http repeats no POST on one that was closed meanwhile
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return reply{err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	return reply{status: resp.StatusCode, header: resp.Header, body: text, err: err}
}

// at finds a value in the JSON body by keys and indexes.
func (r reply) at(t *testing.T, path ...any) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(r.body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("status %d, error %v, body %q: %v", r.status, r.err, r.body, err)
	}
	for _, step := range path {
		switch s := step.(type) {
		case string:
			v = v.(map[string]any)[s]
		case int:
			v = v.([]any)[s]
		}
	}
	return v
}

func (r reply) want(t *testing.T, status int) reply {
	t.Helper()
	if r.err != nil || r.status != status {
		t.Fatalf("status %d (%v), want %d; body %s", r.status, r.err, status, r.body)
	}
	return r
}

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick, end := time.NewTicker(2*time.Millisecond), time.After(20*time.Second)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("never happened: %s", what)
		}
	}
}

// place1 is a place call in the shape rest.
func (b *bench) place1(market, posting, key string) reply {
	return dialects()[ShapeRest].place(b, market, posting, key)
}

func (b *bench) liveCount(market string) int {
	b.t.Helper()
	live, err := b.Live(b.t.Context(), market)
	if err != nil {
		b.t.Fatal(err)
	}
	return len(live)
}
