package marketsim

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
)

func TestIdempotencyKeyHasOneEffectPerKey(t *testing.T) {
	b := start(t, nil)
	first := b.place1("rest", "p", "k1").want(t, http.StatusCreated)
	id := first.at(t, "id").(string)
	if got := first.at(t, "client_ref"); got != "k1" {
		t.Errorf("client_ref = %v, want the key", got)
	}
	again := b.place1("rest", "p", "k1").want(t, http.StatusOK)
	if again.at(t, "id") != id {
		t.Errorf("the same key made another bid: %s", again.body)
	}
	b.wantRow("rest", "p", 2, 1, 1, 1)

	b.call("POST", "/rest/bids/"+id+"/withdraw", "", `{"reason":"r"}`).want(t, http.StatusOK)
	after := b.place1("rest", "p", "k1").want(t, http.StatusOK)
	if after.at(t, "id") != id || after.at(t, "state") != "withdrawn" {
		t.Errorf("a key given after the withdrawal must return the withdrawn bid, got %s", after.body)
	}
	b.wantRow("rest", "p", 3, 1, 0, 1)

	other := b.place1("rest", "q", "k1")
	other.want(t, http.StatusUnprocessableEntity)
	if other.at(t, "error", "code") != codeKeyReused {
		t.Errorf("a key of another posting: %s", other.body)
	}
}

func TestIdempotencyKeyConvictsTwoKeysOnOnePosting(t *testing.T) {
	b := start(t, nil)
	b.place1("rest", "p", "k1").want(t, http.StatusCreated)
	b.place1("rest", "p", "k2").want(t, http.StatusCreated)
	b.wantRow("rest", "p", 2, 2, 2, 2)
	s, err := b.Summary(t.Context(), "rest")
	if err != nil || s.Totals.PlacedTwice != 1 {
		t.Errorf("placedTwice = %d (%v), want 1", s.Totals.PlacedTwice, err)
	}
}

func TestUniquePerPostingRefusesTheSecond(t *testing.T) {
	b := start(t, nil)
	id := b.place1("unique", "p", "k1").want(t, http.StatusCreated).at(t, "id").(string)
	no := b.place1("unique", "p", "k1").want(t, http.StatusConflict)
	if no.at(t, "error", "code") != codeDuplicate {
		t.Errorf("code of a second bid: %s", no.body)
	}
	if r := b.row("unique", "p"); r.DuplicatesRefused != 1 {
		t.Errorf("duplicatesRefused = %d, want 1", r.DuplicatesRefused)
	}
	for _, state := range []State{StateAwardPending, StateWon} {
		if err := b.SetState(t.Context(), "unique", id, state); err != nil {
			t.Fatal(err)
		}
		b.place1("unique", "p", "").want(t, http.StatusConflict)
	}
	if err := b.SetState(t.Context(), "unique", id, StateWithdrawn); err != nil {
		t.Fatal(err)
	}
	if again := b.place1("unique", "p", "").want(t, http.StatusCreated); again.at(t, "id") == id {
		t.Error("the withdrawn bid's ID came back without reuseIDs")
	}
	b.wantRow("unique", "p", 5, 2, 1, 1)
	b.callAs("bob", "POST", "/unique/bids", "", `{"posting_id":"p","amount":"1"}`).want(t, http.StatusCreated)
}

func TestReuseIDs(t *testing.T) {
	b := start(t, nil)
	b.put("again", Settings{Shape: ShapeRest, Class: ClassUniquePerPosting, ReuseIDs: true})
	id := b.place1("again", "p", "").want(t, http.StatusCreated).at(t, "id").(string)
	b.call("POST", "/again/bids/"+id+"/withdraw", "", "").want(t, http.StatusOK)
	if again := b.place1("again", "p", "").want(t, http.StatusCreated); again.at(t, "id") != id {
		t.Errorf("the ID was not reused: %s", again.body)
	}
	b.call("GET", "/again/bids/"+id, "", "").want(t, http.StatusOK)
	if n := len(b.call("GET", "/again/bids", "", "").at(t, "items").([]any)); n != 1 {
		t.Errorf("%d bids listed, want the one", n)
	}
	b.wantRow("again", "p", 2, 2, 1, 1)
}

func TestNoneAcceptsEverythingAndKeepsNoKey(t *testing.T) {
	b := start(t, nil)
	for range 2 {
		r := b.place1("none", "p", "k1").want(t, http.StatusCreated)
		if _, echoed := r.at(t).(map[string]any)["client_ref"]; echoed {
			t.Errorf("class None showed a key: %s", r.body)
		}
	}
	b.wantRow("none", "p", 2, 2, 2, 2)
	records, err := b.Ledger(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if r.Kind == KindEffect && r.Key != "" {
			t.Errorf("the market kept a key: %+v", r)
		}
		if r.Kind == KindCall && r.Verb == VerbPlace && r.Key != "k1" {
			t.Errorf("the ledger does not show the key as sent: %+v", r)
		}
	}
}

func TestEchoKeyWithoutHonouringIt(t *testing.T) {
	b := start(t, nil)
	yes := true
	b.put("ref", Settings{Shape: ShapeRest, Class: ClassNone, EchoKey: &yes})
	b.place1("ref", "p", "k1").want(t, http.StatusCreated)
	if r := b.place1("ref", "p", "k1").want(t, http.StatusCreated); r.at(t, "client_ref") != "k1" {
		t.Errorf("the key is not shown: %s", r.body)
	}
	b.wantRow("ref", "p", 2, 2, 2, 2)
}

// Each class under as much contention as one posting can see; the numbers come from the ledger.
func TestThousandConcurrentPlaces(t *testing.T) {
	const calls = 1000
	for _, c := range []struct {
		name, market string
		key          func(i int) string
		live         int
		first, other int
	}{
		{"one key", "rest", func(int) string { return "k" }, 1, 1, http.StatusOK},
		{"a key each", "rest", func(i int) string { return fmt.Sprint("k", i) }, calls, calls, 0},
		{"unique", "unique", func(int) string { return "k" }, 1, 1, http.StatusConflict},
		{"none", "none", func(int) string { return "k" }, calls, calls, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := start(t, nil)
			statuses := make([]int, calls)
			var all sync.WaitGroup
			slots := make(chan struct{}, 64) // connections at a time
			for i := range calls {
				slots <- struct{}{}
				all.Go(func() {
					defer func() { <-slots }()
					statuses[i] = b.place1(c.market, "p", c.key(i)).status
				})
			}
			all.Wait()
			seen := map[int]int{}
			for _, s := range statuses {
				seen[s]++
			}
			if seen[http.StatusCreated] != c.first || (c.other != 0 && seen[c.other] != calls-c.first) {
				t.Errorf("replies by status: %v", seen)
			}
			b.wantRow(c.market, "p", calls, c.live, c.live, c.live)
		})
	}
}

// The oracle must not know a bid that its own file does not.
func TestEffectThatCannotBeWrittenDoesNotHappen(t *testing.T) {
	full := errors.New("disk full")
	var broken error
	m := newMarket("m", func(r Record) (Record, error) { return r, broken })
	settings, err := Settings{Shape: ShapeRest, Class: ClassNone}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	m.apply(Record{Kind: KindSetting, Settings: &settings})
	placed, err := m.act(VerbPlace, Record{Account: "alice", Posting: "p"})
	if err != nil {
		t.Fatal(err)
	}
	broken = full
	if _, err := m.act(VerbPlace, Record{Account: "alice", Posting: "p"}); !errors.Is(err, full) {
		t.Errorf("place: %v", err)
	}
	if _, err := m.act(VerbWithdraw, Record{Account: "alice", BidID: placed.bid.BidID}); !errors.Is(err, full) {
		t.Errorf("withdraw: %v", err)
	}
	if live := m.live(); len(live) != 1 || live[0].BidID != placed.bid.BidID {
		t.Errorf("live bids: %+v, want the first one alone, untouched", live)
	}
}
