package httpdriver

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	"golang.org/x/sync/singleflight"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/ratelimit"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
)

// maxEarly is how long before its end a token is renewed at the most; short ones are renewed in the last fifth.
const maxEarly = 30 * time.Second

// accessToken is one that the marketplace gave out.
type accessToken struct {
	text  string
	until time.Time // when to renew it; zero when it was not said how long it lives
	fresh bool      // it was fetched for this very call
}

// tokens fetches access tokens and keeps the latest, in memory only. golang.org/x/oauth2 speaks to the token endpoint;
// its own caching sources know neither a caller's deadline nor a token that was refused before its time.
type tokens struct {
	url, id, secret string
	scopes          []string
	parameters      url.Values // beside the standard ones
	style           onebidv1.ClientAuthentication
	client          *http.Client
	now             func() time.Time
	flight          singleflight.Group

	mu      sync.Mutex
	current accessToken
	refresh string // the latest refresh token; "" for the client's own grant
}

// get gives a token that can be used, and fetches one where there is none: one fetch at a time, which all who wait share,
// and which goes on when they give up.
func (t *tokens) get(ctx context.Context) (accessToken, error) {
	if token, ok := t.usable(); ok {
		return token, nil
	}
	done := t.flight.DoChan("", func() (any, error) { return t.renew(context.WithoutCancel(ctx)) })
	select {
	case r := <-done:
		token, _ := r.Val.(accessToken)
		token.fresh = true
		return token, r.Err
	case <-ctx.Done():
		return accessToken{}, ctx.Err()
	}
}

func (t *tokens) usable() (accessToken, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	lasts := t.current.until.IsZero() || t.now().Before(t.current.until)
	return t.current, t.current.text != "" && lasts
}

// forget gives up a token that the marketplace refused, unless there is another by now.
func (t *tokens) forget(refused accessToken) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current.text == refused.text {
		t.current = accessToken{}
	}
}

// sensitive is what no error may show, beside the Secret's own values.
func (t *tokens) sensitive() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	basic := url.QueryEscape(t.id) + ":" + url.QueryEscape(t.secret)
	return []string{t.current.text, t.refresh, base64.StdEncoding.EncodeToString([]byte(basic))}
}

func (t *tokens) renew(ctx context.Context) (accessToken, error) {
	if token, ok := t.usable(); ok {
		return token, nil // somebody was faster
	}
	asked := t.now()
	got, err := t.fetch(ctx)
	if err != nil {
		return accessToken{}, err
	}
	if !httpguts.ValidHeaderFieldValue(got.AccessToken) {
		return accessToken{}, errors.New("the token has line breaks or control characters")
	}
	token := accessToken{text: got.AccessToken}
	if !got.Expiry.IsZero() {
		life := time.Until(got.Expiry) // the library adds what was said to the real time
		token.until = asked.Add(life - min(life/5, maxEarly))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.current = token
	if t.refresh != "" {
		t.refresh = got.RefreshToken // the old one when there is no new one
	}
	return token, nil
}

func (t *tokens) fetch(ctx context.Context) (*oauth2.Token, error) {
	ctx = context.WithValue(ctx, oauth2.HTTPClient, t.client)
	style := oauth2.AuthStyleInHeader
	if t.style == onebidv1.ClientAuthenticationBody {
		style = oauth2.AuthStyleInParams
	}
	t.mu.Lock()
	refresh := t.refresh
	t.mu.Unlock()
	if refresh == "" {
		own := clientcredentials.Config{
			ClientID: t.id, ClientSecret: t.secret, TokenURL: t.url, Scopes: t.scopes, AuthStyle: style,
			EndpointParams: t.parameters,
		}
		return own.Token(ctx)
	}
	consented := oauth2.Config{
		ClientID: t.id, ClientSecret: t.secret, Endpoint: oauth2.Endpoint{TokenURL: t.url, AuthStyle: style},
	}
	return consented.TokenSource(ctx, &oauth2.Token{RefreshToken: refresh}).Token()
}

// tokenless judges a request for which there was no access token: nothing of it was sent.
func tokenless(c *wire.Call, err error) *marketplace.Error {
	const words = "no access token could be had, and nothing was sent"
	var answered *oauth2.RetrieveError
	if !errors.As(err, &answered) || answered.Response == nil {
		return c.Fail(onebidv1.ErrorTransient, words, err)
	}
	status := answered.Response.StatusCode
	said := fmt.Sprintf("%s: %s.oauth2.tokenURL answered HTTP %d", words, authField, status)
	for _, more := range []string{answered.ErrorCode, answered.ErrorDescription} {
		if more != "" {
			said += ": " + more
		}
	}
	class := onebidv1.ErrorTransient
	switch {
	case status == http.StatusTooManyRequests:
		class = onebidv1.ErrorRateLimited
	case answered.ErrorCode == "temporarily_unavailable", answered.ErrorCode == "server_error":
	case status == http.StatusBadRequest, status == http.StatusUnauthorized, status == http.StatusForbidden, status < 300:
		class = onebidv1.ErrorAuth
	}
	verdict := c.Fail(class, said, nil)
	verdict.RetryAfter = ratelimit.RetryAfter(answered.Response.Header, c.Now())
	return verdict
}
