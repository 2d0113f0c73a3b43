package httpdriver_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	httpdriver "github.com/onebid-dev/onebid/internal/marketplace/http"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
	"github.com/onebid-dev/onebid/internal/marketsim"
	"github.com/onebid-dev/onebid/internal/testenv/simulated"
)

// withTokens makes a spec use access tokens from the address.
func withTokens(tokenURL string, change func(*onebidv1.HTTPOAuth2)) func(*onebidv1.HTTPDriver) {
	return func(d *onebidv1.HTTPDriver) {
		d.Headers = []onebidv1.HTTPParameter{{Name: "Authorization", Value: "'Bearer ' + accessToken"}}
		d.Auth = &onebidv1.HTTPAuth{OAuth2: &onebidv1.HTTPOAuth2{TokenURL: tokenURL}}
		if change != nil {
			change(d.Auth.OAuth2)
		}
	}
}

func client() map[string][]byte {
	return map[string][]byte{
		"clientID": []byte("our-client"), "clientSecret": []byte("client-s3cr3t"), "refreshToken": []byte("refresh-0"),
	}
}

// tokenDriver speaks to a market at the address with access tokens from tokenURL.
func tokenDriver(t *testing.T, address, tokenURL string, o wire.Options, change func(*onebidv1.HTTPOAuth2)) *httpdriver.Driver {
	t.Helper()
	spec := shop(withTokens(tokenURL, change))
	spec.BaseURL = address
	if o.Egress = inside(t); o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	d, err := httpdriver.New(t.Context(), spec, client(), o)
	must(t, err)
	t.Cleanup(func() { must(t, d.Close()) })
	return d
}

// granting is a market of the simulator that gives out tokens, and a driver for it.
func granting(t *testing.T, seconds int, o wire.Options) (*simulated.Simulator, *httpdriver.Driver) {
	t.Helper()
	sim := simulated.Start(t)
	_, err := sim.PutMarket(t.Context(), "rest", marketsim.Settings{
		Shape: marketsim.ShapeRest, Class: marketsim.ClassIdempotencyKey, Auth: marketsim.AuthOAuth2, TokenSeconds: seconds,
	})
	must(t, err)
	spec := sample(t, "rest").HTTP
	withTokens(sim.Address+"/rest/oauth/token", nil)(spec)
	spec.BaseURL = sim.Address + "/rest"
	o.Egress, o.Timeout = inside(t), 5*time.Second
	d, err := httpdriver.New(t.Context(), spec, accountOf("alice"), o)
	must(t, err)
	t.Cleanup(func() { must(t, d.Close()) })
	return sim, d
}

func count(t *testing.T, s *simulated.Simulator, verb marketsim.Verb) int {
	t.Helper()
	n := 0
	for _, r := range s.Records(t) {
		if r.Kind == marketsim.KindCall && r.Verb == verb {
			n++
		}
	}
	return n
}

func TestOneTokenServesManyCalls(t *testing.T) {
	g := NewWithT(t)
	sim, d := granting(t, 60, wire.Options{})
	errs := make([]error, 12)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { _, errs[i] = d.List(t.Context(), marketplace.Unpaced{}) })
	}
	wg.Wait()
	g.Expect(errs).To(HaveEach(Succeed()))
	g.Expect(count(t, sim, marketsim.VerbToken)).To(Equal(1))
}

func TestATokenIsRenewedBeforeItExpires(t *testing.T) {
	g := NewWithT(t)
	var offset time.Duration
	sim, d := granting(t, 60, wire.Options{Now: func() time.Time { return time.Now().Add(offset) }})
	for _, c := range []struct {
		at     time.Duration
		tokens int
	}{{0, 1}, {40 * time.Second, 1}, {49 * time.Second, 2}, {60 * time.Second, 2}} {
		offset = c.at
		_, err := d.List(t.Context(), marketplace.Unpaced{})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(count(t, sim, marketsim.VerbToken)).To(Equal(c.tokens), "after %s", c.at)
	}
	g.Expect(count(t, sim, marketsim.VerbList)).To(Equal(4*2), "two states, and no call was refused")
}

// TestARefusedTokenIsReplaced as when the marketplace revokes tokens before their time: a read goes on with a new one, a
// write is not sent again but finds a new one the next time.
func TestARefusedTokenIsReplaced(t *testing.T) {
	g := NewWithT(t)
	sim, d := granting(t, 3600, wire.Options{})
	_, err := d.Account(t.Context(), marketplace.Unpaced{})
	g.Expect(err).NotTo(HaveOccurred())
	must(t, sim.Restart(t.Context()))
	_, err = d.Account(t.Context(), marketplace.Unpaced{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(count(t, sim, marketsim.VerbMe)).To(Equal(3), "one of them was refused")
	g.Expect(count(t, sim, marketsim.VerbToken)).To(Equal(2))

	must(t, sim.Restart(t.Context()))
	_, err = d.Place(t.Context(), marketplace.Unpaced{}, bid())
	g.Expect(err).To(beOf(onebidv1.ErrorAuth))
	g.Expect(count(t, sim, marketsim.VerbPlace)).To(Equal(1), "never sent again")
	_, err = d.Place(t.Context(), marketplace.Unpaced{}, bid())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(count(t, sim, marketsim.VerbPlace)).To(Equal(2))
	g.Expect(count(t, sim, marketsim.VerbToken)).To(Equal(3))
}

func TestAReadIsSentOnceMoreOnly(t *testing.T) {
	g := NewWithT(t)
	tokens := serve(t, granted(http.StatusOK, `{"access_token": "tok-1", "expires_in": 3600}`))
	status := http.StatusOK
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, last())
	})
	d := tokenDriver(t, s.URL, tokens.URL, wire.Options{}, nil)
	_, err := d.List(t.Context(), marketplace.Unpaced{})
	g.Expect(err).NotTo(HaveOccurred())
	status = http.StatusUnauthorized
	_, err = d.List(t.Context(), marketplace.Unpaced{})
	g.Expect(err).To(beOf(onebidv1.ErrorAuth))
	g.Expect(s.requests()).To(HaveLen(3))
	g.Expect(tokens.requests()).To(HaveLen(2))

	status = http.StatusOK
	_, err = d.List(t.Context(), marketplace.Unpaced{})
	g.Expect(err).NotTo(HaveOccurred(), "with a token of its own: the second one was refused as well")
	g.Expect(tokens.requests()).To(HaveLen(3))
	status = http.StatusUnauthorized
	_, err = d.List(t.Context(), &slots{err: io.EOF})
	g.Expect(err).To(beOf(onebidv1.ErrorTransient))
	g.Expect(err).To(MatchError(io.EOF))
	g.Expect(s.requests()).To(HaveLen(5), "the second sending waits for its turn, which was not to be had")
}

func TestRefreshTokensThatChange(t *testing.T) {
	g := NewWithT(t)
	uses := 0
	tokens := serve(t, func(w http.ResponseWriter, r *http.Request) {
		uses++
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"access_token": "tok-%d", "expires_in": 60, "refresh_token": "refresh-%d"}`, uses, uses)
	})
	s := serve(t, reply(http.StatusOK, last()))
	var offset time.Duration
	now := func() time.Time { return time.Now().Add(offset) }
	d := tokenDriver(t, s.URL, tokens.URL, wire.Options{Now: now}, func(o *onebidv1.HTTPOAuth2) {
		o.Grant, o.ClientAuthentication = onebidv1.GrantRefreshToken, onebidv1.ClientAuthenticationBody
	})
	for range 3 {
		_, err := d.List(t.Context(), marketplace.Unpaced{})
		g.Expect(err).NotTo(HaveOccurred())
		offset += time.Minute
	}
	for i, r := range tokens.requests() {
		g.Expect(r.body).To(And(ContainSubstring("grant_type=refresh_token"), ContainSubstring("client_secret=client-s3cr3t"),
			ContainSubstring(fmt.Sprintf("refresh_token=refresh-%d", i))))
		g.Expect(s.requests()[i].header.Get("Authorization")).To(Equal(fmt.Sprintf("Bearer tok-%d", i+1)))
	}
	g.Expect(tokens.requests()).To(HaveLen(3))
}

func TestScopesParametersAndBasicCredentials(t *testing.T) {
	g := NewWithT(t)
	tokens := serve(t, granted(http.StatusOK, `{"access_token": "tok-1"}`))
	d := tokenDriver(t, serve(t, reply(http.StatusOK, last())).URL, tokens.URL, wire.Options{
		Now: func() time.Time { return time.Now().Add(1000 * time.Hour) },
	}, func(o *onebidv1.HTTPOAuth2) {
		o.Scopes = []onebidv1.OAuth2Scope{"bids:read", "bids:write"}
		o.Parameters = []onebidv1.OAuth2Parameter{{Name: "audience", Value: "https://m.example/?a&b"}}
	})
	for range 2 {
		_, err := d.List(t.Context(), marketplace.Unpaced{})
		g.Expect(err).NotTo(HaveOccurred())
	}
	g.Expect(tokens.requests()).To(HaveLen(1), "a token that does not say how long it lives is used until it is refused")
	got := tokens.requests()[0]
	g.Expect(got.body).To(Equal("audience=https%3A%2F%2Fm.example%2F%3Fa%26b&grant_type=client_credentials&scope=bids%3Aread+bids%3Awrite"))
	r := http.Request{Header: got.header}
	id, secret, ok := r.BasicAuth()
	g.Expect(ok && id == "our-client" && secret == "client-s3cr3t").To(BeTrue())
}

func TestWithoutATokenNothingIsSent(t *testing.T) {
	const transient, auth = onebidv1.ErrorTransient, onebidv1.ErrorAuth
	elsewhere := serve(t, reply(http.StatusOK, `{"access_token": "tok-1"}`))
	for why, c := range map[string]struct {
		answer http.HandlerFunc
		want   onebidv1.ErrorClass
		words  string
	}{
		"refused": {granted(401, `{"error": "invalid_client", "error_description": "bad client-s3cr3t"}`), auth,
			"HTTP 401: invalid_client: bad […]"},
		"refused by the book":  {granted(400, `{"error": "invalid_grant"}`), auth, "HTTP 400: invalid_grant"},
		"forbidden":            {granted(403, "no client-s3cr3t"), auth, "HTTP 403"},
		"an error in a 200":    {granted(200, `{"error": "unauthorized_client"}`), auth, "unauthorized_client"},
		"a 400 that will pass": {granted(400, `{"error": "temporarily_unavailable"}`), transient, "temporarily_unavailable"},
		"too many": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "7")
			granted(429, "{}")(w, r)
		}, onebidv1.ErrorRateLimited, "HTTP 429"},
		"out of order":   {granted(500, "client-s3cr3t"), transient, "HTTP 500"},
		"not there":      {granted(404, ""), transient, "spec.http.auth.oauth2.tokenURL answered HTTP 404"},
		"not JSON":       {granted(200, "<html>"), transient, "parse"},
		"no token in it": {granted(200, `{"token": "x"}`), transient, "access_token"},
		"no header":      {granted(200, `{"access_token": "a\r\nb"}`), transient, "line breaks"},
		"too large":      {granted(200, `{"x": "`+strings.Repeat("x", 1<<20)+`", "access_token": "tok-1"}`), transient, "parse"},
		"never":          {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, transient, "nothing was sent"},
		"redirects":      {http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect).ServeHTTP, transient, "HTTP 307"},
		"an echo of all": {granted(401, echo), auth, "invalid_client: Basic […] […] […]"},
		"a half of it":   {granted(200, `{"access_token": "tok-1"`), transient, "parse"},
	} {
		t.Run(why, func(t *testing.T) {
			g := NewWithT(t)
			tokens, s := serve(t, c.answer), serve(t, reply(http.StatusCreated, item("b1", "live")))
			timeout := 30 * time.Second
			if why == "never" {
				timeout = 300 * time.Millisecond
			}
			d := tokenDriver(t, s.URL, tokens.URL, wire.Options{Timeout: timeout}, func(o *onebidv1.HTTPOAuth2) {
				o.Grant = onebidv1.GrantRefreshToken
			})
			_, placed := d.Place(t.Context(), marketplace.Unpaced{}, bid())
			_, listed := d.List(t.Context(), marketplace.Unpaced{})
			for _, err := range []error{placed, listed, d.Withdraw(t.Context(), marketplace.Unpaced{}, ref, "")} {
				g.Expect(err).To(beOf(c.want), "%v", err)
				g.Expect(err).To(MatchError(And(ContainSubstring(c.words), ContainSubstring("nothing was sent"))))
				g.Expect(err.Error()).NotTo(Or(ContainSubstring("s3cr3t"), ContainSubstring("refresh-0"), ContainSubstring("b3VyLWNsaWVudD")))
			}
			if c.want == onebidv1.ErrorRateLimited {
				g.Expect(marketplace.RetryAfter(placed)).To(Equal(7 * time.Second))
			}
			g.Expect(s.requests()).To(BeEmpty())
		})
	}
	NewWithT(t).Expect(elsewhere.requests()).To(BeEmpty(), "the client's secret must not travel")
}

// echo is a refusal that quotes all that the client said.
var echo = `{"error": "invalid_client", "error_description": "Basic ` +
	base64.StdEncoding.EncodeToString([]byte("our-client:client-s3cr3t")) + ` client-s3cr3t refresh-0"}`

// granted answers as token endpoints do, with JSON that is called so.
func granted(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		reply(status, body)(w, r)
	}
}

func TestATokenEndpointInsideIsRefused(t *testing.T) {
	g := NewWithT(t)
	tokens := serve(t, granted(http.StatusOK, `{"access_token": "tok-1"}`))
	spec := shop(withTokens(strings.Replace(strings.Replace(tokens.URL, "http:", "https:", 1), "127.0.0.1", "localhost", 1), nil))
	spec.BaseURL = "https://m.example"
	d, err := httpdriver.New(t.Context(), spec, client(), wire.Options{})
	g.Expect(err).NotTo(HaveOccurred())
	_, err = d.Place(t.Context(), marketplace.Unpaced{}, bid())
	g.Expect(err).To(beOf(onebidv1.ErrorTransient))
	g.Expect(err).To(MatchError(ContainSubstring("--allow-private-addresses=")))
	g.Expect(tokens.requests()).To(BeEmpty())
}

// TestACallerWhoGivesUp does not take the token away from the others.
func TestACallerWhoGivesUp(t *testing.T) {
	g := NewWithT(t)
	asked, answer := make(chan struct{}, 1), make(chan struct{})
	tokens := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		asked <- struct{}{}
		<-answer
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"access_token": "tok-1"}`)
	})
	s := serve(t, reply(http.StatusOK, last()))
	d := tokenDriver(t, s.URL, tokens.URL, wire.Options{}, nil)
	ctx, giveUp := context.WithCancel(t.Context())
	var impatient error
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, impatient = d.List(ctx, marketplace.Unpaced{})
	}()
	<-asked
	giveUp()
	<-gone
	g.Expect(impatient).To(beOf(onebidv1.ErrorTransient))
	close(answer)
	_, err := d.List(t.Context(), marketplace.Unpaced{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(tokens.requests()).To(HaveLen(1))
}

func TestTokensStayOutOfErrors(t *testing.T) {
	g := NewWithT(t)
	tokens := serve(t, granted(http.StatusOK, `{"access_token": "tok-9876"}`))
	s := serve(t, reply(http.StatusForbidden, `{"message": "what is tok-9876?"}`))
	_, err := tokenDriver(t, s.URL, tokens.URL, wire.Options{}, nil).List(t.Context(), marketplace.Unpaced{})
	g.Expect(err).To(MatchError(ContainSubstring("what is […]?")))
}
