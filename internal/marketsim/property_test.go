package marketsim

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// walk is a server under a random sequence of calls, with the counts that a naive observer keeps of the replies.
type walk struct {
	t      *rapid.T
	server *Server
	live   map[place]int // counted from replies, not from the ledger
	max    map[place]int
}

type place struct{ market, posting string }

func (w *walk) count(at place, change int) {
	w.live[at] += change
	w.max[at] = max(w.max[at], w.live[at])
}

func (w *walk) call(method, path, key, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer alice")
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	out := httptest.NewRecorder()
	w.server.ServeHTTP(out, r)
	return out
}

var walkMarkets = []string{"rest", "unique", "none", "again"}

func (w *walk) draw() (market, posting string) {
	return rapid.SampledFrom(walkMarkets).Draw(w.t, "market"), rapid.SampledFrom([]string{"p", "q"}).Draw(w.t, "posting")
}

func (w *walk) place(*rapid.T) {
	market, posting := w.draw()
	key := rapid.SampledFrom([]string{"", "k1", "k2"}).Draw(w.t, "key")
	w.placeOn(market, posting, key)
}

func (w *walk) placeOn(market, posting, key string) {
	out := w.call("POST", "/"+market+"/bids", key, fmt.Sprintf(`{"posting_id":%q,"amount":"1"}`, posting))
	if out.Code == http.StatusCreated {
		w.count(place{market, posting}, 1)
	}
}

func (w *walk) withdraw(*rapid.T) {
	market, _ := w.draw()
	id := fmt.Sprint(firstBidID + rapid.IntRange(0, 5).Draw(w.t, "bid"))
	posting := w.server.current().market(market).postingOf(id)
	if w.call("POST", "/"+market+"/bids/"+id+"/withdraw", "", "").Code == http.StatusOK {
		w.count(place{market, posting}, -1)
	}
}

func (w *walk) setState(*rapid.T) {
	market, _ := w.draw()
	id := fmt.Sprint(firstBidID + rapid.IntRange(0, 5).Draw(w.t, "bid"))
	state := rapid.SampledFrom(allStates()).Draw(w.t, "state")
	b := w.server.current().market(market).bids[id]
	if b == nil {
		return
	}
	at, was := place{market, b.Posting}, b.State.Live()
	w.call("POST", "/_sim/bids/"+market+"/"+id, "", fmt.Sprintf(`{"state":%q}`, state))
	if was != state.Live() {
		w.count(at, map[bool]int{true: 1, false: -1}[state.Live()])
	}
}

func (w *walk) setClosed(*rapid.T) {
	market, posting := w.draw()
	closed := rapid.Bool().Draw(w.t, "closed")
	body := fmt.Sprintf(`{"market":%q,"posting":%q,"closed":%t}`, market, posting, closed)
	if out := w.call("POST", "/_sim/postings", "", body); out.Code != http.StatusOK {
		w.t.Fatalf("%s: %s", body, out.Body)
	}
}

func (w *walk) hide(*rapid.T) {
	w.call("POST", "/_sim/faults", "", `{"verb":"place","times":1,"hideMillis":1000}`)
}

func (w *walk) scheduleLate(*rapid.T) {
	// Never due in this walk; what matters is that the promise is kept over restarts.
	market, _ := w.draw()
	w.call("POST", "/_sim/faults", "", `{"posting":"late","times":1,"commit":"late","commitDelayMillis":3600000}`)
	w.placeOn(market, "late", "")
}

func (w *walk) restart(*rapid.T) {
	if err := w.server.Restart(); err != nil {
		w.t.Fatal(err)
	}
}

// check compares the state with one read anew from the ledger, and the ledger with what the replies said.
func (w *walk) check(*rapid.T) {
	before := picture(w.t, w.server)
	w.restart(w.t)
	if after := picture(w.t, w.server); after != before {
		w.t.Fatalf("live state:\n%s\nrebuilt from the ledger:\n%s", before, after)
	}
	s := w.server.ledger.summarize("")
	for at, live := range w.live {
		if row := s.Row(at.market, "alice", at.posting); row.Live != live || row.MaxLive != w.max[at] {
			w.t.Fatalf("%v: the ledger says %+v, the replies %d live, at most %d", at, row, live, w.max[at])
		}
	}
}

func TestStateRebuiltFromTheLedgerIsTheLiveState(t *testing.T) {
	dir, n := t.TempDir(), 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		server, err := New(Options{LedgerPath: filepath.Join(dir, fmt.Sprint(n)), Clock: steady()})
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { _ = server.Close() }()
		w := &walk{t: rt, server: server, live: map[place]int{}, max: map[place]int{}}
		w.call("PUT", "/_sim/markets/again", "", `{"shape":"rest","class":"UniquePerPosting","reuseIDs":true}`)
		rt.Repeat(map[string]func(*rapid.T){
			"place": w.place, "withdraw": w.withdraw, "state": w.setState, "close": w.setClosed, "hide": w.hide,
			"late": w.scheduleLate, "restart": w.restart, "": w.check,
		})
	})
}

// Late commits, calls and restarts at the same time: no reply may tell of an effect that the ledger does not have.
func TestRestartsAmongConcurrentCalls(t *testing.T) {
	b := start(t, nil)
	b.fault(Fault{Posting: "late", Commit: CommitLate, CommitDelayMillis: 1})
	stop := make(chan struct{})
	placed := make(chan int)
	for range 4 {
		go func() {
			created := 0
			for {
				select {
				case <-stop:
					placed <- created
					return
				default:
				}
				b.place1("none", "late", "")
				if b.place1("none", "p", "").status == http.StatusCreated {
					created++
				}
			}
		}()
	}
	for range 10 {
		if err := b.Restart(t.Context()); err != nil {
			t.Error(err)
		}
	}
	eventually(t, "calls after the last restart", func() bool { return b.row("none", "p").Placed > 20 })
	close(stop)
	created := 0
	for range 4 {
		created += <-placed
	}
	// A restart may cut off the reply to a call that took effect, so there may be more bids than 201s.
	if row := b.row("none", "p"); row.Placed < created {
		t.Errorf("%d replies told of a bid, the ledger has %d", created, row.Placed)
	}
	// Late commits go on; only a server that has come to rest can be compared.
	eventually(t, "no late commit is left", func() bool { return len(b.server.current().market("none").due()) == 0 })
	before := picture(t, b.server)
	if err := b.server.Restart(); err != nil {
		t.Fatal(err)
	}
	if picture(t, b.server) != before {
		t.Error("the state rebuilt from the ledger differs from the live one")
	}
}
