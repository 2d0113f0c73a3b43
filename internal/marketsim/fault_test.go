package marketsim

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	testclock "k8s.io/utils/clock/testing"
)

// steady is a clock that moves only when a test steps it.
func steady() *testclock.FakeClock {
	return testclock.NewFakeClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
}

func TestStatusFaultHasNoEffectInEveryShape(t *testing.T) {
	eachShape(t, func(t *testing.T, d dialect, s Shape) {
		b := start(t, nil)
		b.put("m", Settings{Shape: s, Class: ClassUniquePerPosting})
		b.fault(Fault{
			Verb: VerbPlace, Times: 1, Status: 429, Code: "TOO_MANY", RetryAfter: "7",
			Headers: map[string]string{"RateLimit-Remaining": "0"},
		})
		r := d.place(b, "m", "p", "").want(t, 429)
		if r.header.Get("Retry-After") != "7" || r.header.Get("RateLimit-Remaining") != "0" {
			t.Errorf("headers: %v", r.header)
		}
		if got := r.at(t, d.code...); got != d.alike("TOO_MANY") {
			t.Errorf("code = %v", got)
		}
		b.wantRow("m", "p", 1, 0, 0, 0)
		d.wants(t, d.place(b, "m", "p", ""), http.StatusCreated)
	})
}

func TestCommitBeforeAStatus(t *testing.T) {
	b := start(t, nil)
	b.fault(Fault{Market: "rest", Times: 1, Status: 500, Commit: CommitBefore, Body: "oops"})
	if r := b.place1("rest", "p", "k").want(t, 500); string(r.body) != "oops" {
		t.Errorf("body = %q", r.body)
	}
	b.wantRow("rest", "p", 1, 1, 1, 1)
	b.place1("rest", "p", "k").want(t, http.StatusOK)
	b.wantRow("rest", "p", 2, 1, 1, 1)
}

func TestDropResetsTheConnection(t *testing.T) {
	for _, c := range []struct {
		commit Commit
		placed int
	}{{"", 1}, {CommitBefore, 1}, {CommitNone, 0}} {
		t.Run(string(c.commit), func(t *testing.T) {
			b := start(t, nil)
			f := b.fault(Fault{Verb: VerbPlace, Times: 1, Commit: c.commit, Reply: ReplyDrop})
			r := b.place1("unique", "p", "k")
			if !errors.Is(r.err, syscall.ECONNRESET) && !errors.Is(r.err, io.EOF) {
				t.Fatalf("status %d, error %v; want a connection reset", r.status, r.err)
			}
			b.wantRow("unique", "p", 1, c.placed, c.placed, c.placed)
			records, err := b.Ledger(t.Context(), 0)
			if err != nil {
				t.Fatal(err)
			}
			last := records[len(records)-1]
			if last.Kind != KindReply || last.Status != 0 || last.Fault != f.ID {
				t.Errorf("the ledger tells of the reply: %+v", last)
			}
		})
	}
}

func TestTruncateAndGarbage(t *testing.T) {
	b := start(t, nil)
	b.fault(Fault{Posting: "cut", Times: 1, Reply: ReplyTruncate})
	r := b.place1("unique", "cut", "")
	if r.status != http.StatusCreated || !errors.Is(r.err, io.ErrUnexpectedEOF) || len(r.body) == 0 {
		t.Errorf("status %d, error %v, body %q; want a 201 cut short", r.status, r.err, r.body)
	}
	b.fault(Fault{Posting: "mad", Times: 1, Reply: ReplyGarbage})
	r = b.place1("unique", "mad", "").want(t, http.StatusOK)
	if !strings.HasPrefix(string(r.body), "<html>") {
		t.Errorf("body = %q; want something that is not JSON", r.body)
	}
	b.wantRow("unique", "cut", 1, 1, 1, 1)
	b.wantRow("unique", "mad", 1, 1, 1, 1)
}

func TestFaultWithoutCommitOrStatusDoesNotPretend(t *testing.T) {
	b := start(t, nil)
	b.fault(Fault{Times: 1, Commit: CommitNone})
	b.place1("rest", "p", "").want(t, http.StatusServiceUnavailable)
	b.fault(Fault{Times: 1, Commit: CommitLate, CommitDelayMillis: 1000})
	b.place1("rest", "q", "").want(t, http.StatusGatewayTimeout)
	b.wantRow("rest", "p", 1, 0, 0, 0)
}

func TestLateCommitHappensAfterTheClientHasGone(t *testing.T) {
	clock := steady()
	b := start(t, clock)
	b.fault(Fault{Verb: VerbPlace, Times: 1, Commit: CommitLate, CommitDelayMillis: 30_000, Reply: ReplyDrop})
	if r := b.place1("none", "p", "k"); r.err == nil {
		t.Fatalf("status %d, want a dropped connection", r.status)
	}
	clock.Step(29_999 * time.Millisecond)
	b.wantRow("none", "p", 1, 0, 0, 0)
	clock.Step(time.Millisecond)
	eventually(t, "the late commit", func() bool { return b.liveCount("none") == 1 })
	b.wantRow("none", "p", 1, 1, 1, 1)
}

func TestLateCommitMeetsTheRulesOfItsMarket(t *testing.T) {
	for _, c := range []struct {
		market, code string
		live         int
	}{{"rest", codeReplayed, 1}, {"unique", codeDuplicate, 1}, {"none", "", 2}} {
		t.Run(c.market, func(t *testing.T) {
			clock := steady()
			b := start(t, clock)
			b.fault(Fault{Verb: VerbPlace, Times: 1, Commit: CommitLate, CommitDelayMillis: 10})
			b.place1(c.market, "p", "k").want(t, http.StatusGatewayTimeout)
			b.place1(c.market, "p", "k").want(t, http.StatusCreated) // an impatient client
			clock.Step(10 * time.Millisecond)
			var last Record
			eventually(t, "the late commit or its end", func() bool {
				records, err := b.Ledger(t.Context(), 0)
				if err != nil {
					t.Fatal(err)
				}
				last = records[len(records)-1]
				return last.Kind == KindEffect
			})
			if last.Code != c.code || (c.code != "" && last.Effect != EffectDropped) {
				t.Errorf("last effect: %+v, want code %q", last, c.code)
			}
			b.wantRow(c.market, "p", 2, c.live, c.live, c.live)
		})
	}
}

func TestLateWithdrawal(t *testing.T) {
	clock := steady()
	b := start(t, clock)
	id := b.place1("unique", "p", "").at(t, "id").(string)
	b.fault(Fault{Verb: VerbWithdraw, Posting: "p", Times: 1, Commit: CommitLate, CommitDelayMillis: 10, Status: 502})
	b.call("POST", "/unique/bids/"+id+"/withdraw", "", "").want(t, 502)
	b.wantRow("unique", "p", 1, 1, 1, 1)
	clock.Step(10 * time.Millisecond)
	eventually(t, "the late withdrawal", func() bool { return b.liveCount("unique") == 0 })
}

func TestLateCommitNeedsAValidCall(t *testing.T) {
	clock := steady()
	b := start(t, clock)
	b.fault(Fault{Times: 3, Commit: CommitLate, CommitDelayMillis: 10})
	b.callAs("", "POST", "/none/bids", "", `{"posting_id":"p","amount":"1"}`).want(t, 504)
	b.call("POST", "/none/bids", "", `{"posting_id":"p"}`).want(t, 504)
	b.call("GET", "/none/bids", "", "").want(t, 504)
	if clock.HasWaiters() {
		t.Error("a call that has no effect has a late one")
	}
}

func TestHiddenBids(t *testing.T) {
	eachShape(t, func(t *testing.T, d dialect, s Shape) {
		clock := steady()
		b := start(t, clock)
		b.put("m", Settings{Shape: s, Class: ClassUniquePerPosting})
		b.fault(Fault{Verb: VerbPlace, Times: 1, HideMillis: 5000})
		id := d.bidID(t, d.wants(t, d.place(b, "m", "p", ""), http.StatusCreated))
		shown := func() int {
			n := d.count(t, d.lookup(b, "m", "p").want(t, 200))
			want := map[int]int{0: http.StatusNotFound, 1: http.StatusOK}[n]
			d.wants(t, d.get(b, "m", id), want)
			return n
		}
		clock.Step(4999 * time.Millisecond)
		if shown() != 0 {
			t.Error("the bid shows too early")
		}
		d.wants(t, d.place(b, "m", "p", ""), http.StatusConflict) // the market itself knows
		b.wantRow("m", "p", 2, 1, 1, 1)
		if err := b.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		if shown() != 0 {
			t.Error("the bid shows after a restart")
		}
		clock.Step(time.Millisecond)
		if shown() != 1 {
			t.Error("the bid never shows")
		}
	})
}

func TestDelayHoldsUpOnlyItsCall(t *testing.T) {
	for _, c := range []struct {
		commit Commit
		during int // bids placed while the call waits
	}{{CommitNormal, 0}, {CommitBefore, 1}} {
		t.Run(string(c.commit), func(t *testing.T) {
			clock := steady()
			b := start(t, clock)
			b.fault(Fault{Verb: VerbPlace, Posting: "slow", DelayMillis: 60_000, Commit: c.commit})
			done := make(chan reply, 1)
			go func() { done <- b.place1("unique", "slow", "") }()
			eventually(t, "the call waits", clock.HasWaiters)
			b.wantRow("unique", "slow", 1, c.during, c.during, c.during)
			b.place1("unique", "quick", "").want(t, http.StatusCreated)
			clock.Step(time.Minute)
			(<-done).want(t, http.StatusCreated)
			b.wantRow("unique", "slow", 1, 1, 1, 1)
		})
	}
}

func TestRulesMatchInOrderAndAreSpent(t *testing.T) {
	b := start(t, nil)
	b.fault(Fault{ID: "twice", Market: "rest", Verb: VerbLookup, Posting: "p", Times: 2, Status: 503})
	b.fault(Fault{ID: "rest", Market: "rest", Verb: VerbLookup, Status: 500})
	lookup := func(market, posting string) int {
		return b.call("GET", "/"+market+"/bids?posting_id="+posting, "", "").status
	}
	got := []int{lookup("rest", "q"), lookup("rest", "p"), lookup("rest", "p"), lookup("rest", "p"), lookup("none", "p")}
	for i, want := range []int{500, 503, 503, 500, 200} {
		if got[i] != want {
			t.Errorf("call %d: status %d, want %d", i, got[i], want)
		}
	}
	b.call("GET", "/rest/bids", "", "").want(t, 200) // a list is no lookup
	rules, err := b.Faults(t.Context())
	if err != nil || len(rules) != 2 || rules[0].Used != 2 || rules[1].Used != 2 {
		t.Errorf("rules: %+v, %v", rules, err)
	}
	b.fault(Fault{ID: "twice", Status: 418, Times: 1}) // a spent rule makes way, behind the other
	if err := b.RemoveFault(t.Context(), "rest"); err != nil {
		t.Fatal(err)
	}
	if got := lookup("rest", "p"); got != 418 {
		t.Errorf("status %d after removing a rule, want 418", got)
	}
	b.fault(Fault{Status: 500})
	if err := b.ClearFaults(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := lookup("rest", "p"); got != 200 {
		t.Errorf("status %d without rules", got)
	}
}

func TestFaultOfABidMatchesItsPosting(t *testing.T) {
	b := start(t, nil)
	id := b.place1("unique", "p", "").at(t, "id").(string)
	b.fault(Fault{Posting: "p", Verb: VerbGet, Status: 500})
	b.call("GET", "/unique/bids/"+id, "", "").want(t, 500)
	b.call("GET", "/unique/bids/999", "", "").want(t, 404)
}

func TestLateCommitMayBeHiddenToo(t *testing.T) {
	clock := steady()
	b := start(t, clock)
	b.fault(Fault{Verb: VerbPlace, Times: 1, Commit: CommitLate, CommitDelayMillis: 1000, HideMillis: 1000})
	b.place1("unique", "p", "").want(t, 504)
	clock.Step(time.Second)
	eventually(t, "the late commit", func() bool { return b.liveCount("unique") == 1 })
	items := func() int {
		return len(b.call("GET", "/unique/bids?posting_id=p", "", "").at(t, "items").([]any))
	}
	if items() != 0 {
		t.Error("the late bid shows at once")
	}
	clock.Step(time.Second)
	if items() != 1 {
		t.Error("the late bid never shows")
	}
}
