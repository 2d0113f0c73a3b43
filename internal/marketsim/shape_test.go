package marketsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

func eachShape(t *testing.T, f func(t *testing.T, d dialect, s Shape)) {
	shapesThat(t, func(dialect, Shape) bool { return true }, f)
}

// shapesThat runs a test for the shapes that it is about.
func shapesThat(t *testing.T, can func(dialect, Shape) bool, f func(t *testing.T, d dialect, s Shape)) {
	for s, d := range dialects() {
		if can(d, s) {
			t.Run(string(s), func(t *testing.T) { f(t, d, s) })
		}
	}
}

func TestLifeOfABidInEveryShape(t *testing.T) {
	eachShape(t, func(t *testing.T, d dialect, s Shape) {
		b := start(t, nil)
		b.put("m", Settings{Shape: s, Class: ClassUniquePerPosting})
		if d.me != "" {
			b.call("GET", "/m"+d.me, "", "").want(t, http.StatusOK)
		}
		placed := d.wants(t, d.place(b, "m", "p", "k"), http.StatusCreated)
		id := d.bidID(t, placed)
		if got := d.wordOf(t, placed, d.item); got != d.words[StateLive] {
			t.Errorf("status = %v, want %v", got, d.words[StateLive])
		}
		refused := d.wants(t, d.place(b, "m", "p", "k"), http.StatusConflict)
		if got := refused.at(t, d.code...); got != d.alike(codeDuplicate) {
			t.Errorf("code = %v", got)
		}
		if got := d.lookup(b, "m", "p").want(t, 200).at(t, join(d.one, d.id)...); fmt.Sprint(got) != id {
			t.Errorf("lookup found %v, want %s", got, id)
		}
		d.get(b, "m", id).want(t, http.StatusOK)
		d.wants(t, d.get(b, "m", "999"), http.StatusNotFound)
		known := d.ledgerID(b, "m", id)
		if err := b.SetState(t.Context(), "m", known, StateAwardPending); err != nil {
			t.Fatal(err)
		}
		if got := d.wants(t, d.withdraw(b, "m", "p", id), 409).at(t, d.code...); got != d.alike(codeAwarded) {
			t.Errorf("code = %v", got)
		}
		if err := b.SetState(t.Context(), "m", known, StateLive); err != nil {
			t.Fatal(err)
		}
		withdrawn := d.withdraw(b, "m", "p", id).want(t, http.StatusOK)
		if got := d.wordOf(t, withdrawn, d.itemOf(true)); got != d.words[StateWithdrawn] {
			t.Errorf("status = %v, want %v", got, d.words[StateWithdrawn])
		}
		if got := d.wants(t, d.withdraw(b, "m", "p", id), 409).at(t, d.code...); got != d.alike(codeAlreadyWithdrawn) {
			t.Errorf("code = %v", got)
		}
		d.wants(t, d.withdraw(b, "m", "p", "999"), http.StatusNotFound)
		if err := b.ClosePosting(t.Context(), "m", "p"); err != nil {
			t.Fatal(err)
		}
		if got := d.wants(t, d.place(b, "m", "p", "k2"), 409).at(t, d.code...); got != d.alike(codePostingClosed) {
			t.Errorf("code = %v", got)
		}
		if err := b.ReopenPosting(t.Context(), "m", "p"); err != nil {
			t.Fatal(err)
		}
		d.wants(t, d.place(b, "m", "p", "k2"), http.StatusCreated)
		b.wantRow("m", "p", 4, 2, 1, 1)
	})
}

func TestEveryStateHasAWord(t *testing.T) {
	eachShape(t, func(t *testing.T, d dialect, s Shape) {
		b := start(t, nil)
		b.put("m", Settings{Shape: s, Class: ClassNone})
		id := d.bidID(t, d.place(b, "m", "p", ""))
		for _, state := range allStates() {
			if err := b.SetState(t.Context(), "m", d.ledgerID(b, "m", id), state); err != nil {
				t.Fatal(err)
			}
			got := d.wordOf(t, d.get(b, "m", id), d.itemOf(false))
			if got == "" || got != d.words[state] {
				t.Errorf("%s is called %v, want %q", state, got, d.words[state])
			}
		}
	})
}

// Posting IDs are the marketplace's own spelling; any change of it would make two keys of one, or one of two.
func TestPostingIDsRoundTrip(t *testing.T) {
	ids := []string{
		"1", "007", "39211345", "~01abc", "Ж/1", "a b", "a:b", "a//b", "..", ".", "a%2Fb", "a+b", "100%", "?x=1#y", "A", "a",
		"a&b=c", "1.0", "1e3", "\"quoted\"", "日本", "99999999999999999999",
	}
	eachShape(t, func(t *testing.T, d dialect, s Shape) {
		b := start(t, nil)
		b.put("m", Settings{Shape: s, Class: ClassUniquePerPosting, PageSize: 100})
		for i, posting := range ids {
			placed := d.wants(t, d.place(b, "m", posting, ""), http.StatusCreated)
			if got := fmt.Sprint(placed.at(t, join(d.item, d.posting)...)); got != posting {
				t.Errorf("posting %q came back as %q", posting, got)
			}
			one := d.one
			if s == ShapeTaskfast {
				one = join(d.list, []any{i}) // it has no filter
			}
			found := d.lookup(b, "m", posting).want(t, 200).at(t, join(one, d.posting)...)
			if fmt.Sprint(found) != posting {
				t.Errorf("posting %q was found as %q", posting, found)
			}
			b.wantRow("m", posting, 1, 1, 1, 1)
			d.withdraw(b, "m", posting, d.bidID(t, placed)).want(t, http.StatusOK)
		}
	})
}

func TestTokens(t *testing.T) {
	eachShape(t, func(t *testing.T, d dialect, s Shape) {
		b := start(t, nil)
		b.put("m", Settings{Shape: s, Class: ClassNone})
		id := d.bidID(t, d.wants(t, d.place(b, "m", "p", ""), http.StatusCreated))
		missing := d.asNobody(b)
		if got := missing.at(t, d.code...); got != d.alike(codeUnauthenticated) {
			t.Errorf("code = %v", got)
		}
		if err := b.PutToken(t.Context(), Token{Token: "alice", Valid: false}); err != nil {
			t.Fatal(err)
		}
		d.wants(t, d.place(b, "m", "p", ""), http.StatusUnauthorized)
		d.wants(t, d.withdraw(b, "m", "p", id), http.StatusUnauthorized)
		b.wantRow("m", "p", 2, 1, 1, 1)
		if err := b.PutToken(t.Context(), Token{Token: "alice", Valid: true, Account: "carol"}); err != nil {
			t.Fatal(err)
		}
		d.wants(t, d.get(b, "m", id), http.StatusNotFound)
		d.wants(t, d.withdraw(b, "m", "p", id), http.StatusNotFound)
		if s == ShapeBotguild { // the look-up names the bot, which is not carol's
			d.lookup(b, "m", "p").want(t, http.StatusForbidden)
			return
		}
		if n := d.count(t, d.lookup(b, "m", "p").want(t, http.StatusOK)); n != 0 {
			t.Errorf("carol sees %d bids of alice", n)
		}
	})
}

func TestTaskfastTakesAnAPIKey(t *testing.T) {
	b := start(t, nil)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+"/taskfast/api/agents/me", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-API-Key", "dave")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var me struct{ ID string }
	if err := json.NewDecoder(resp.Body).Decode(&me); err != nil || me.ID != "dave" {
		t.Errorf("me = %v, %v", me, err)
	}
}

// Every page is read by following what the reply says, as a driver does.
func TestPaging(t *testing.T) {
	next := map[Shape]func(b *bench, r reply) string{
		ShapeRest: func(b *bench, r reply) string {
			if n := r.at(b.t, "next_page"); n != nil {
				return fmt.Sprint("/m/bids?per_page=50&page=", n)
			}
			return ""
		},
		ShapeFreelancehunt: func(b *bench, r reply) string {
			if n, ok := r.at(b.t, "links", "next").(string); ok {
				return strings.TrimPrefix(n, b.url)
			}
			return ""
		},
		ShapeTaskfast: func(b *bench, r reply) string {
			if n, ok := r.at(b.t, "next_cursor").(string); ok {
				return "/m/api/agents/me/bids?cursor=" + url.QueryEscape(n)
			}
			return ""
		},
		ShapeBotguild: func(b *bench, r reply) string {
			found := regexp.MustCompile(`<([^>]*)>; rel="next"`).FindStringSubmatch(r.header.Get("Link"))
			if found == nil {
				return ""
			}
			return strings.TrimPrefix(found[1], b.url)
		},
		ShapeQuayside: func(b *bench, r reply) string {
			if more, ok := r.at(b.t, "more").(bool); ok && more {
				return fmt.Sprint("/m/offers?job=p&after=", r.at(b.t, "offers", 2, "no"))
			}
			return ""
		},
		ShapeGraphQL: func(b *bench, r reply) string {
			if more, ok := r.at(b.t, "data", "proposals", "pageInfo", "hasNextPage").(bool); ok && more {
				return fmt.Sprint("after ", r.at(b.t, "data", "proposals", "pageInfo", "endCursor"))
			}
			return ""
		},
	}
	follow := func(b *bench, path string) reply {
		if cursor, found := strings.CutPrefix(path, "after "); found {
			return b.call("POST", "/m/graphql", "", `{"query":"query proposals","operationName":"proposals",`+
				`"variables":{"jobId":"p","after":"`+cursor+`"}}`)
		}
		return b.call("GET", path, "", "")
	}
	// A shape with one bid on a plan at most has no list, and so no pages.
	hasPages := func(d dialect, _ Shape) bool { return d.list != nil }
	shapesThat(t, hasPages, func(t *testing.T, d dialect, s Shape) {
		b := start(t, nil)
		b.put("m", Settings{Shape: s, Class: ClassNone, PageSize: 3})
		for range 6 { // two full pages: the second one must not promise a third
			d.place(b, "m", "p", "")
		}
		pages, seen := 0, map[string]bool{}
		for r := d.lookup(b, "m", "p"); ; pages++ {
			items := r.want(t, http.StatusOK).at(t, d.list...).([]any)
			for i := range items {
				seen[fmt.Sprint(r.at(t, join(d.list, []any{i}, d.id)...))] = true
			}
			path := next[s](b, r)
			if path == "" {
				break
			}
			r = follow(b, path)
		}
		if pages+1 != 2 || len(seen) != 6 {
			t.Errorf("%d pages with %d bids, want 2 with 6", pages+1, len(seen))
		}
	})
}

func TestFiltersByState(t *testing.T) {
	paths := map[Shape]string{
		ShapeRest: "/m/bids?state=", ShapeFreelancehunt: "/m/my/bids?filter[status]=",
		ShapeTaskfast: "/m/api/agents/me/bids?status=", ShapeBotguild: "/m/proposals?status=",
	}
	filters := func(_ dialect, s Shape) bool { return paths[s] != "" }
	shapesThat(t, filters, func(t *testing.T, d dialect, s Shape) {
		b := start(t, nil)
		b.put("m", Settings{Shape: s, Class: ClassNone})
		d.place(b, "m", "p", "")
		id := d.bidID(t, d.place(b, "m", "p", ""))
		d.withdraw(b, "m", "p", id).want(t, http.StatusOK)
		r := b.call("GET", paths[s]+d.words[StateWithdrawn], "", "").want(t, http.StatusOK)
		if n := len(r.at(t, d.list...).([]any)); n != 1 || fmt.Sprint(r.at(t, join(d.one, d.id)...)) != id {
			t.Errorf("withdrawn bids: %s", r.body)
		}
		b.call("GET", paths[s]+"nonsense", "", "").want(t, http.StatusBadRequest)
	})
}

func TestBadCallsHaveNoEffect(t *testing.T) {
	b := start(t, nil)
	for _, c := range []struct {
		why, method, path, body string
		status                  int
	}{
		{"no amount", "POST", "/rest/bids", `{"posting_id":"p"}`, 400},
		{"amount zero", "POST", "/rest/bids", `{"posting_id":"p","amount":"0.00"}`, 400},
		{"negative amount", "POST", "/rest/bids", `{"posting_id":"p","amount":"-1"}`, 400},
		{"an amount must not lose its spelling", "POST", "/rest/bids", `{"posting_id":"p","amount":12.5}`, 400},
		{"exponent", "POST", "/freelancehunt/projects/p/bids", `{"budget":{"amount":1e3}}`, 400},
		{"price is a word", "POST", "/taskfast/api/tasks/p/bids", `{"price":"much"}`, 400},
		{"no posting", "POST", "/rest/bids", `{"amount":"1"}`, 400},
		{"posting not UTF-8", "POST", "/taskfast/api/tasks/%ff/bids", `{"price":"1"}`, 400},
		{"not JSON", "POST", "/rest/bids", `{`, 400},
		{"too large", "POST", "/rest/bids", `{"text":"` + strings.Repeat("x", maxBody) + `"}`, 413},
		{"page zero", "GET", "/rest/bids?page=0", "", 400},
		{"foreign cursor", "GET", "/taskfast/api/agents/me/bids?cursor=7", "", 400},
		{"a page too large", "GET", "/botguild/proposals?limit=101", "", 400},
		{"nobody's proposal", "POST", "/botguild/proposals", `{"gigId":"p","price":1}`, 400},
		{"in another bot's name", "POST", "/botguild/proposals", `{"gigId":"p","price":1,"botId":"bob"}`, 403},
		{"neither placed nor withdrawn", "PUT", "/loadboard/plans/p/bid", `{"status":"MAYBE"}`, 400},
		{"a price that is none", "PUT", "/loadboard/plans/p/bid", `{"status":"ACCEPTED","bidPrice":{"measurementValue":"x"}}`, 400},
		{"no such route", "DELETE", "/rest/bids/1001", "", 404},
		{"nothing but the market", "GET", "/taskfast", "", 404},
		{"no such market", "GET", "/nowhere/bids", "", 404},
	} {
		t.Run(c.why, func(t *testing.T) { b.call(c.method, c.path, "", c.body).want(t, c.status) })
	}
	records, err := b.Ledger(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if r.Kind == KindEffect {
			t.Errorf("a bad call took effect: %+v", r)
		}
	}
}
