package marketsim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// send makes one call with the headers.
func (b *bench) send(method, path, body string, header map[string]string) reply {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	return b.do(req)
}

const tokenForm = "application/x-www-form-urlencoded"

func (b *bench) token(form string) reply {
	b.t.Helper()
	return b.send("POST", "/m/oauth/token", form, map[string]string{"Content-Type": tokenForm})
}

func TestAccessTokens(t *testing.T) {
	clock := steady()
	b := start(t, clock)
	b.put("m", Settings{Shape: ShapeRest, Class: ClassNone, Auth: AuthOAuth2, TokenSeconds: 60})
	me := func(token string) reply {
		return b.send("GET", "/m/me", "", map[string]string{"Authorization": "Bearer " + token})
	}
	given := func(form string) string {
		return b.token(form).want(t, http.StatusOK).at(t, "access_token").(string)
	}
	me("alice").want(t, http.StatusUnauthorized)
	first := given("grant_type=client_credentials&client_id=alice&client_secret=secret-alice")
	if got := me(first).want(t, http.StatusOK).at(t, "id"); got != "alice" {
		t.Errorf("the token is of %v", got)
	}
	clock.Step(time.Minute)
	me(first).want(t, http.StatusUnauthorized)

	second := given("grant_type=refresh_token&refresh_token=refresh-alice&client_id=alice&client_secret=secret-alice")
	me(second).want(t, http.StatusOK)
	if err := b.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	me(second).want(t, http.StatusUnauthorized)

	basic, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+"/m/oauth/token",
		strings.NewReader("grant_type=client_credentials"))
	if err != nil {
		t.Fatal(err)
	}
	basic.SetBasicAuth("alice", "secret-alice")
	third := b.do(basic).want(t, http.StatusOK).at(t, "access_token").(string)
	if err := b.PutToken(t.Context(), Token{Token: "alice", Valid: false}); err != nil {
		t.Fatal(err)
	}
	me(third).want(t, http.StatusUnauthorized)
}

func TestBadTokenRequests(t *testing.T) {
	b := start(t, nil)
	b.put("m", Settings{Shape: ShapeRest, Class: ClassNone, Auth: AuthOAuth2})
	const alice = "&client_id=alice&client_secret=secret-alice"
	for form, want := range map[string]string{
		"grant_type=client_credentials":                                     "invalid_client",
		"grant_type=client_credentials&client_id=alice&client_secret=wrong": "invalid_client",
		"grant_type=refresh_token&refresh_token=refresh-bob" + alice:        "invalid_client",
		"grant_type=refresh_token" + alice:                                  "unsupported_grant_type",
		"grant_type=password" + alice:                                       "unsupported_grant_type",
	} {
		if got := b.token(form).at(t, "error"); got != want {
			t.Errorf("%s: %v, want %s", form, got, want)
		}
	}
	b.send("GET", "/m/oauth/token", "", nil).want(t, http.StatusUnauthorized)
	b.send("POST", "/rest/oauth/token", "", map[string]string{"Authorization": "Bearer alice"}).want(t, http.StatusNotFound)
}

func TestSignatures(t *testing.T) {
	clock := steady()
	b := start(t, clock)
	b.put("m", Settings{Shape: ShapeRest, Class: ClassNone, Auth: AuthHMAC})
	sign := func(at time.Time, payload string) map[string]string {
		stamp := strconv.FormatInt(at.Unix(), 10)
		mac := hmac.New(sha256.New, []byte("secret-alice"))
		mac.Write([]byte(stamp + "\n" + payload))
		return map[string]string{"X-Client": "alice", "X-Timestamp": stamp, "X-Signature": hex.EncodeToString(mac.Sum(nil))}
	}
	const body = `{"posting_id":"p","amount":"1"}`
	const place = "POST\n/m/bids\n\n" + body
	now := clock.Now()
	b.send("POST", "/m/bids", body, sign(now, place)).want(t, http.StatusCreated)
	b.send("GET", "/m/bids?posting_id=a%2Fb", "", sign(now, "GET\n/m/bids\nposting_id=a%2Fb\n")).want(t, http.StatusOK)
	for why, header := range map[string]map[string]string{
		"another body": sign(now, place+" "), "another path": sign(now, "POST\n/m/bid\n\n"+body), "old": sign(now.Add(-6*time.Minute), place),
		"early": sign(now.Add(6*time.Minute), place), "none": nil,
	} {
		t.Run(why, func(t *testing.T) { b.send("POST", "/m/bids", body, header).want(t, http.StatusUnauthorized) })
	}
	b.wantRow("m", "p", 1, 1, 1, 1) // what is not signed is nobody's call
}

// A bid that is a resource of its posting is one bid, however often it is put there.
func TestPut(t *testing.T) {
	b := start(t, nil)
	d := dialects()[ShapeLoadboard]
	const m = "loadboard"
	put := func() reply { return d.place(b, m, "p", "") }
	state := func(s State) {
		t.Helper()
		if err := b.SetState(t.Context(), m, d.ledgerID(b, m, "p"), s); err != nil {
			t.Fatal(err)
		}
	}
	put().want(t, http.StatusOK)
	if err := b.ClosePosting(t.Context(), m, "p"); err != nil {
		t.Fatal(err)
	}
	put().want(t, http.StatusOK)
	b.wantRow(m, "p", 2, 1, 1, 1)
	d.withdraw(b, m, "p", "p").want(t, http.StatusOK)
	put().want(t, http.StatusConflict)
	if err := b.ReopenPosting(t.Context(), m, "p"); err != nil {
		t.Fatal(err)
	}
	id := d.ledgerID(b, m, "p")
	put().want(t, http.StatusOK)
	if again := d.ledgerID(b, m, "p"); again != id {
		t.Errorf("the bid was %s and is %s", id, again)
	}
	state(StateRejected)
	if got := put().want(t, http.StatusConflict).at(t, d.code...); got != codeBidFinal {
		t.Errorf("code = %v", got)
	}
	b.wantRow(m, "p", 5, 2, 0, 1)
}
