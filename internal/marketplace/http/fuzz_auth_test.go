package httpdriver

import (
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http/httpguts"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
)

// canned answers every request with the same.
type canned struct {
	status int
	header http.Header
	body   string
}

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: c.status, Status: http.StatusText(c.status), Header: c.header, Body: io.NopCloser(strings.NewReader(c.body)),
		Request: r,
	}, nil
}

// FuzzTokenReply gives the token source any reply: it is a token that a header can hold, or an error of a class that says
// that nothing was sent, without a secret.
func FuzzTokenReply(f *testing.F) {
	f.Add(200, "application/json", `{"access_token":"a","expires_in":3600,"refresh_token":"r"}`)
	f.Add(200, "application/json", `{"access_token":"a\n","expires_in":"1"}`)
	f.Add(200, "text/plain", "access_token=a&expires_in=-5")
	f.Add(400, "application/json", `{"error":"invalid_client","error_description":"`+fuzzSecret+`"}`)
	f.Add(503, "text/html", fuzzSecret)
	d := fromSample(f, "graphql")
	f.Fuzz(func(t *testing.T, status int, kind, body string) {
		if status < 200 || status > 599 {
			return
		}
		d.tokens.forget(d.tokens.current)
		d.tokens.client = &http.Client{Transport: canned{status, http.Header{"Content-Type": {kind}}, body}}
		token, err := d.tokens.get(t.Context())
		if err != nil {
			c := (&operation{Driver: d, name: marketplace.OpPlace}).call(nil)
			c.Redact = c.Redact.With(d.tokens.sensitive()...)
			checkTokenless(t, tokenless(c, err))
			return
		}
		if token.text == "" || !httpguts.ValidHeaderFieldValue(token.text) {
			t.Fatalf("HTTP %d gives the token %q", status, token.text)
		}
	})
}

func checkTokenless(t *testing.T, verdict *marketplace.Error) {
	t.Helper()
	switch verdict.Class {
	case onebidv1.ErrorTransient, onebidv1.ErrorAuth, onebidv1.ErrorRateLimited:
	default:
		t.Fatalf("without a token nothing was sent: %v", verdict)
	}
	if strings.Contains(verdict.Error(), fuzzSecret) {
		t.Fatalf("the secret is in %v", verdict)
	}
}

// FuzzSign signs any request: the signature depends on each part of it, and is never the payload.
func FuzzSign(f *testing.F) {
	c := &compiler{spec: &onebidv1.HTTPDriver{}, secrets: map[string]string{"signingKey": fuzzSecret}}
	s := c.hmac(&onebidv1.HTTPHMAC{
		Payload: `request.method + '\n' + request.path + '\n' + request.query + '\n' + sha256(request.body) + string(int(now))`,
	})
	if err := errors.Join(c.errs...); err != nil {
		f.Fatal(err)
	}
	f.Add("/bids", "a=1", `{"a":1}`, int64(1_793_000_000))
	f.Add("/\x00", "%zz", "\xff", int64(-1))
	f.Fuzz(func(t *testing.T, path, query, body string, at int64) {
		if at < 0 || at > 1<<35 {
			return
		}
		sign := func(body string, at int64) (string, error) {
			m := &wire.Message{Method: http.MethodPost, URL: &url.URL{Path: path, RawQuery: query}, Body: []byte(body)}
			return s.sign(t.Context(), m, c.secrets, time.Unix(at, 0))
		}
		first, err := sign(body, at)
		if err != nil {
			t.Fatalf("%q cannot be signed: %v", body, err)
		}
		if raw, err := hex.DecodeString(first); err != nil || len(raw) != 32 {
			t.Fatalf("%q is no signature", first)
		}
		same, _ := sign(body, at)
		other, _ := sign(body+"x", at)
		later, _ := sign(body, at+1)
		if same != first || other == first || later == first {
			t.Fatalf("%s, again %s, of another body %s, later %s", first, same, other, later)
		}
	})
}
