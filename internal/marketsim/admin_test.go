package marketsim

import (
	"net/http"
	"strings"
	"testing"
)

// A mistake in a test's own set-up must not look like a fault of what it tests, so every answer names the field.
func TestBadAdminInput(t *testing.T) {
	b := start(t, nil)
	for _, c := range []struct{ method, path, body, field, hint string }{
		{"POST", "faults", `{"vrb":"place"}`, "vrb", "verb"},
		{"POST", "faults", `{"verb":"plac"}`, `verb: "plac"`, "place, lookup"},
		{"POST", "faults", `{"market":"rst"}`, `"rst"`, "rest"},
		{"POST", "faults", `{"status":99}`, "status: 99", "200 to 599"},
		{"POST", "faults", `{"times":-1}`, "times: -1", "0 or more"},
		{"POST", "faults", `{"delayMillis":-1}`, "delayMillis: -1", "0 or more"},
		{"POST", "faults", `{"commit":"lte"}`, `commit: "lte"`, "late"},
		{"POST", "faults", `{"commit":"late"}`, "commitDelayMillis: 0", "above 0"},
		{"POST", "faults", `{"commitDelayMillis":5}`, "commitDelayMillis: 5", "commit late"},
		{"POST", "faults", `{"reply":"drip"}`, `reply: "drip"`, "drop"},
		{"POST", "faults", `{"reply":"drop","status":500}`, "status: 500", "commit none"},
		{"POST", "faults", `{"status":500,"hideMillis":5}`, "hideMillis: 5", "before"},
		{"POST", "faults", `{} {}`, "body", "more than one"},
		{"PUT", "markets/m", `{"shape":"soap","class":"None"}`, `shape: "soap"`, "taskfast"},
		{"PUT", "markets/m", `{"shape":"rest","class":"None","put":true}`, "put: true", "UniquePerPosting"},
		{"PUT", "markets/m", `{"shape":"rest","class":"None","auth":"basic"}`, `auth: "basic"`, "oauth2"},
		{"PUT", "markets/m", `{"shape":"rest","class":"None","tokenSeconds":5}`, "tokenSeconds: 5", "oauth2"},
		{"PUT", "markets/m", `{"shape":"rest","class":"None","auth":"oauth2","tokenSeconds":-1}`, "tokenSeconds: -1", "86400"},
		{"PUT", "markets/m", `{"shape":"rest","class":"none"}`, `class: "none"`, "UniquePerPosting"},
		{"PUT", "markets/m", `{"shape":"rest","class":"None","pageSize":-1}`, "pageSize: -1", "1 and 1000"},
		{"PUT", "markets/m", `{"shape":"rest","class":"None","reuseIDs":true}`, "reuseIDs", "UniquePerPosting"},
		{"PUT", "markets/m", `{"shape":"rest","class":"IdempotencyKey","echoKey":false}`, "echoKey", "IdempotencyKey"},
		{"PUT", "markets/_sim", `{"shape":"rest","class":"None"}`, `name: "_sim"`, "DNS label"},
		{"POST", "tokens", `{"valid":true}`, `token: ""`, "text"},
		{"POST", "tokens", `{"token":"t"}`, "valid", "true or false"},
		{"POST", "postings", `{"market":"rest","posting":"p"}`, "closed", "true or false"},
		{"POST", "postings", `{"market":"rest","closed":true}`, "posting", "one byte"},
		{"POST", "bids/rest/1001", `{"state":"dead"}`, `state: "dead"`, "withdrawn"},
		{"GET", "summary?market=nix", "", `"nix"`, "unique"},
		{"GET", "live?market=nix", "", `"nix"`, "unique"},
		{"GET", "ledger?after=x", "", `after: "x"`, "0 to"},
		{"GET", "ledger?limit=99999", "", "limit", "10000"},
	} {
		r := b.call(c.method, "/_sim/"+c.path, "", c.body)
		message, _ := r.at(t, "error", "message").(string)
		if r.status != http.StatusBadRequest || !strings.Contains(message, c.field) || !strings.Contains(message, c.hint) {
			t.Errorf("%s %s %s: %d %q, want 400 with %q and %q",
				c.method, c.path, c.body, r.status, message, c.field, c.hint)
		}
	}
	rules, err := b.Faults(t.Context())
	if err != nil || len(rules) != 0 {
		t.Errorf("bad rules were kept: %v, %v", rules, err)
	}
}

func TestUnknownAdminObjects(t *testing.T) {
	b := start(t, nil)
	if err := b.Healthy(t.Context()); err != nil {
		t.Error(err)
	}
	if err := b.SetState(t.Context(), "rest", "999", StateWon); err == nil || !strings.Contains(err.Error(), "999") {
		t.Errorf("SetState of no bid: %v", err)
	}
	if err := b.RemoveFault(t.Context(), "f9"); err == nil || !strings.Contains(err.Error(), "f9") {
		t.Errorf("RemoveFault of no rule: %v", err)
	}
	b.fault(Fault{ID: "x", Verb: VerbGet})
	if _, err := b.AddFault(t.Context(), Fault{ID: "x"}); err == nil || !strings.Contains(err.Error(), "active") {
		t.Errorf("AddFault of a name in use: %v", err)
	}
	b.call("GET", "/_sim/nothing", "", "").want(t, http.StatusNotFound)
}

func TestMarketsAreListedWithTheirDefaults(t *testing.T) {
	b := start(t, nil)
	b.put("m", Settings{Shape: ShapeRest, Class: ClassNone})
	markets, err := b.Markets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(markets) != 11 || markets["m"].PageSize != defaultPageSize || *markets["m"].EchoKey || !*markets["rest"].EchoKey {
		t.Errorf("markets: %+v", markets)
	}
}

func TestSettingsCanChangeWhileThereAreBids(t *testing.T) {
	b := start(t, nil)
	b.place1("unique", "p", "").want(t, http.StatusCreated)
	b.put("unique", Settings{Shape: ShapeRest, Class: ClassNone})
	b.place1("unique", "p", "").want(t, http.StatusCreated)
	b.wantRow("unique", "p", 2, 2, 2, 2)
}

func TestLedgerThatCannotBeWrittenMeansNoEffect(t *testing.T) {
	b := start(t, nil)
	b.place1("none", "p", "").want(t, http.StatusCreated)
	if err := b.server.ledger.file.Close(); err != nil {
		t.Fatal(err)
	}
	r := b.place1("none", "p", "").want(t, http.StatusInternalServerError)
	if r.at(t, "error", "code") != codeLedger {
		t.Errorf("body: %s", r.body)
	}
	if n := b.liveCount("none"); n != 1 {
		t.Errorf("%d live bids, want the one that is written", n)
	}
	b.server.ledger.closed = true // so that the clean-up does not close the file again
}
