package marketsim

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// tokenPath is where a market with [AuthOAuth2] gives out access tokens.
var tokenPath = []string{"oauth", "token"}

// clockSkew is how far the time of a signature may be off.
const clockSkew = 5 * time.Minute

func clientSecret(account string) string { return "secret-" + account }

func refreshToken(account string) string { return "refresh-" + account }

// credential returns what the call proves to be from: a token or the name of an account; "" when it proves nothing.
func (s *Server) credential(x *exchange, way Auth, r *http.Request, body []byte) string {
	switch {
	case way == AuthHMAC:
		return signedBy(r, body, s.clock.Now())
	case way == AuthOAuth2 && x.request.verb != VerbToken:
		return x.world.grants.account(bearer(r), s.clock.Now())
	}
	return x.shape.tokenOf(r)
}

// signedBy returns the account that signed the call, "" when the signature is missing, old or wrong.
func signedBy(r *http.Request, body []byte, now time.Time) string {
	account, at := r.Header.Get("X-Client"), r.Header.Get("X-Timestamp")
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > clockSkew {
		return ""
	}
	given, err := hex.DecodeString(r.Header.Get("X-Signature"))
	mac := hmac.New(sha256.New, []byte(clientSecret(account)))
	mac.Write([]byte(strings.Join([]string{at, r.Method, r.URL.EscapedPath(), r.URL.RawQuery, string(body)}, "\n")))
	if err != nil || !hmac.Equal(given, mac.Sum(nil)) {
		return ""
	}
	return account
}

// grant is an access token that was given out.
type grant struct {
	token   string
	account string
	life    time.Duration
	expires time.Time
}

// grants are the access tokens of one world, so that a restart forgets them. They are safe for concurrent use.
type grants struct {
	mu    sync.Mutex
	given map[string]grant
}

func (g *grants) issue(account string, now time.Time, life time.Duration) grant {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.given == nil {
		g.given = map[string]grant{}
	}
	out := grant{"access-" + rand.Text(), account, life, now.Add(life)}
	g.given[out.token] = out
	return out
}

// account is the one that the token was given to; "" when it never was, or has expired.
func (g *grants) account(token string, now time.Time) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if given := g.given[token]; now.Before(given.expires) {
		return given.account
	}
	return ""
}

// tokenShape is the token endpoint of RFC 6749: POST with a form, the client's ID and secret in it or as basic credentials.
var tokenShape = shape{
	token:  clientOf,
	routes: []route{{"POST oauth/token", VerbToken, readGrant}},
	other: func(res result) any {
		return map[string]any{
			"access_token": res.token.token, "token_type": "Bearer", "expires_in": int(res.token.life.Seconds()),
		}
	},
	headers: func(view, result) map[string]string { return map[string]string{"Cache-Control": "no-store"} },
	failure: func(f refusal) (int, any) {
		code := strings.ToLower(f.code)
		if f.code == codeUnauthenticated {
			code = "invalid_client"
		}
		return f.status, map[string]string{"error": code, "error_description": f.message}
	},
}

// clientOf returns the client's ID if the call proves to be that client.
func clientOf(r *http.Request) string {
	id, secret, basic := r.BasicAuth()
	if !basic {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	refresh := r.PostFormValue("refresh_token")
	if secret != clientSecret(id) || refresh != "" && refresh != refreshToken(id) {
		return ""
	}
	return id
}

func readGrant(c *call) *refusal {
	form, err := url.ParseQuery(string(c.body))
	c.req.PostForm = form //nolint:forbidigo // a field of the request, where clientOf finds it; no client is used
	grant := form.Get("grant_type")
	switch {
	case err != nil:
		return badRequest(codeBadRequest, "the body is no form: %v", err)
	case grant == "client_credentials", grant == "refresh_token" && form.Get("refresh_token") != "":
		return nil
	}
	return badRequest("UNSUPPORTED_GRANT_TYPE", "grant_type must be client_credentials, or refresh_token with one")
}
