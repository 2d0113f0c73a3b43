package httpdriver_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
)

func TestWhatARefusalMeans(t *testing.T) {
	rules := []onebidv1.HTTPErrorRule{
		{When: "response.body.error.code == 'CLOSED'", Class: onebidv1.ErrorPostingClosed},
		{When: "response.body.status == 'error' && operation == 'place'", Class: onebidv1.ErrorInvalid},
		{When: "response.headers['x-quota'] == '0'", Class: onebidv1.ErrorQuotaExhausted},
		{When: "response.body.error.code == 'TRY_AGAIN'", Class: onebidv1.ErrorTransient},
		{When: "response.body.error.code == 'PERHAPS'", Class: onebidv1.ErrorUnknownOutcome},
	}
	const (
		unknown, transient = onebidv1.ErrorUnknownOutcome, onebidv1.ErrorTransient
	)
	for _, c := range []struct {
		why, body             string
		status                int
		header                string
		place, withdraw, read onebidv1.ErrorClass
	}{
		{"status alone", "{}", 400, "", onebidv1.ErrorInvalid, onebidv1.ErrorInvalid, onebidv1.ErrorInvalid},
		{"status alone", "", 401, "", onebidv1.ErrorAuth, onebidv1.ErrorAuth, onebidv1.ErrorAuth},
		{"status alone", "<html>", 403, "", onebidv1.ErrorForbidden, onebidv1.ErrorForbidden, onebidv1.ErrorForbidden},
		{"status alone", "[]", 404, "", onebidv1.ErrorNotFound, onebidv1.ErrorNotFound, onebidv1.ErrorNotFound},
		{"status alone", "{}", 410, "", onebidv1.ErrorNotFound, onebidv1.ErrorNotFound, onebidv1.ErrorNotFound},
		{"a conflict depends on what was asked", "{}", 409, "", onebidv1.ErrorAlreadyExists, onebidv1.ErrorNotWithdrawable, transient},
		{"status alone", "{}", 422, "", onebidv1.ErrorInvalid, onebidv1.ErrorInvalid, onebidv1.ErrorInvalid},
		{"status alone", "{}", 429, "", onebidv1.ErrorRateLimited, onebidv1.ErrorRateLimited, onebidv1.ErrorRateLimited},
		{"a time-out of theirs", "{}", 408, "", unknown, unknown, transient},
		{"undocumented", "{}", 418, "", unknown, unknown, transient},
		{"server error", "{}", 500, "", unknown, unknown, transient},
		{"redirect", "{}", 302, "", unknown, unknown, transient},
		{"code before status", `{"error": {"code": "CLOSED"}}`, 409, "",
			onebidv1.ErrorPostingClosed, onebidv1.ErrorPostingClosed, onebidv1.ErrorPostingClosed},
		{"an error in the clothes of success", `{"status": "error"}`, 200, "", onebidv1.ErrorInvalid, "", transient},
		{"headers, in lower case", "{}", 403, "X-Quota: 0",
			onebidv1.ErrorQuotaExhausted, onebidv1.ErrorQuotaExhausted, onebidv1.ErrorQuotaExhausted},
		{"no rule makes a refusal of a 5xx", `{"error": {"code": "CLOSED"}}`, 500, "", unknown, unknown, onebidv1.ErrorPostingClosed},
		{"nor of a 3xx", `{"error": {"code": "CLOSED"}}`, 302, "", unknown, unknown, onebidv1.ErrorPostingClosed},
		{"a refusal that will pass", `{"error": {"code": "TRY_AGAIN"}}`, 423, "", transient, transient, transient},
		{"a refusal that may be none", `{"error": {"code": "PERHAPS"}}`, 400, "", unknown, unknown, transient},
	} {
		t.Run(fmt.Sprintf("%d %s", c.status, c.why), func(t *testing.T) {
			g := NewWithT(t)
			s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if name, value, found := strings.Cut(c.header, ": "); found {
					w.Header().Set(name, value)
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})
			d := driver(t, shop(func(d *onebidv1.HTTPDriver) { d.Errors = rules }), s.URL)
			_, err := d.Place(t.Context(), marketplace.Unpaced{}, bid())
			g.Expect(err).To(beOf(c.place), "place: %v", err)
			err = d.Withdraw(t.Context(), marketplace.Unpaced{}, ref, "")
			g.Expect(err).To(beOf(c.withdraw), "withdraw: %v", err)
			_, err = d.Get(t.Context(), marketplace.Unpaced{}, ref)
			g.Expect(err).To(beOf(c.read), "get: %v", err)
			_, err = d.Lookup(t.Context(), marketplace.Unpaced{}, "p1")
			g.Expect(err).To(beOf(c.read), "lookup: %v", err)
			_, err = d.List(t.Context(), marketplace.Unpaced{})
			g.Expect(err).To(beOf(c.read), "list: %v", err)
			g.Expect(s.requests()).To(HaveLen(5), "nothing is tried twice")
		})
	}
}

func TestWithdrawalsThatWereAccepted(t *testing.T) {
	for status, body := range map[int]string{200: `{"ok": true}`, 202: "null", 204: "", 206: " \n"} {
		g := NewWithT(t)
		d := driver(t, shop(nil), serve(t, reply(status, body)).URL)
		g.Expect(d.Withdraw(t.Context(), marketplace.Unpaced{}, ref, "")).To(Succeed(), "%d", status)
	}
}

func TestWhatErrorsSay(t *testing.T) {
	for body, want := range map[string]string{
		`{"error": {"code": "C1", "message": "no more bids"}}`:                     "C1: no more bids",
		`{"errors": [{"code": "C2", "detail": "too low"}, {"code": "C3"}]}`:        "C2: too low",
		`{"status": "error", "message": "gone", "error_code": "PROJECT.NOT"}`:      "PROJECT.NOT: gone",
		`{"error": "invalid_token", "error_description": "expired"}`:               "invalid_token: expired",
		`{"type": "about:blank", "title": "Forbidden", "detail": "not your post"}`: "about:blank: Forbidden: not your post",
		`{"error": {"code": 7}, "message": "seven"}`:                               "HTTP 400: seven",
		`"just words"`: "HTTP 400",
		`{"message": "your token ` + token + ` and Bearer ` + token + ` are known"}`:         "your token […] and […] are known",
		`{"message": "'` + text[10:60] + `' is too short"}`:                                  "'[…]' is too short",
		"{\"message\": \"a\\u0000b\\nc\\u001b[31m\"}":                                        "a b c [31m",
		`{"message": "` + strings.Repeat("long ", 1000) + `"}`:                               "long long",
		`{"message": "password ` + strings.Repeat("é", 2000) + `", "code": "` + token + `"}`: "[…]: password é",
	} {
		t.Run(want, func(t *testing.T) {
			g := NewWithT(t)
			d := driver(t, shop(nil), serve(t, reply(http.StatusBadRequest, body)).URL)
			_, err := d.Place(t.Context(), marketplace.Unpaced{}, bid())
			g.Expect(err).To(MatchError(ContainSubstring(want)))
			g.Expect(len(err.Error())).To(BeNumerically("<", 600))
			g.Expect(err.Error()).NotTo(Or(ContainSubstring(token), ContainSubstring(text[20:50])))
		})
	}
}

// TestSecretsStayOutOfErrors looks at the errors that Go makes itself, which like to quote URLs and headers.
func TestSecretsStayOutOfErrors(t *testing.T) {
	spec := func(d *onebidv1.HTTPDriver) {
		for _, r := range []*onebidv1.HTTPRequest{&d.Place.Request, &d.Lookup.Request, &d.Withdraw.Request} {
			r.Query = append(r.Query, onebidv1.HTTPParameter{Name: "key", Value: "'x' + secret.token + '/='"})
			r.Headers = append(r.Headers, onebidv1.HTTPParameter{Name: "X-Basic", Value: "'Basic ' + base64.encode(bytes('u:' + secret.token))"})
		}
	}
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		said := r.RequestURI + " " + r.Header.Get("X-Basic") + " " + r.URL.Query().Get("key")
		_, _ = fmt.Fprintf(w, `{"message": %q}`, said) //nolint:gosec // no browser reads it
	})
	for name, address := range map[string]string{"unreachable": "http://127.0.0.1:1", "an echo": s.URL} {
		t.Run(name, func(t *testing.T) {
			d := driver(t, shop(spec), address)
			_, placed := d.Place(t.Context(), marketplace.Unpaced{}, bid())
			_, looked := d.Lookup(t.Context(), marketplace.Unpaced{}, "p1")
			for _, err := range []error{placed, looked, d.Withdraw(t.Context(), marketplace.Unpaced{}, ref, "")} {
				g := NewWithT(t)
				g.Expect(err).To(HaveOccurred())
				g.Expect(err.Error()).NotTo(Or(ContainSubstring(token), ContainSubstring("dTpzM2NyM3"), ContainSubstring("t0ken")))
			}
		})
	}
}

func TestHowLongToWait(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		header []string
		want   time.Duration
	}{
		{[]string{"Retry-After", "120"}, 2 * time.Minute},
		{[]string{"Retry-After", "0.5"}, 500 * time.Millisecond},
		{[]string{"Retry-After", "-5"}, 0},
		{[]string{"Retry-After", "NaN"}, 0},
		{[]string{"Retry-After", "1e300"}, 0},
		{[]string{"Retry-After", "Sun, 01 Nov 2026 12:05:00 GMT"}, 5 * time.Minute},
		{[]string{"Retry-After", "Sun, 01 Nov 2026 11:05:00 GMT"}, 0},
		{[]string{"Retry-After", "Sun, 01 Nov 2026 14:05:00 GMT", "Date", "Sun, 01 Nov 2026 14:00:00 GMT"}, 5 * time.Minute},
		{[]string{"Retry-After", "9999999"}, 24 * time.Hour},
		{[]string{"RateLimit-Reset", "30"}, 30 * time.Second},
		{[]string{"X-RateLimit-Reset", fmt.Sprint(now.Add(time.Minute).Unix())}, time.Minute},
		{[]string{"X-RateLimit-Reset", fmt.Sprint(now.Add(-time.Minute).Unix())}, 0},
		{[]string{"RateLimit", `"default";r=0;t=45`}, 45 * time.Second},
		{[]string{"RateLimit", `limit=100, remaining=0`}, 0},
		{[]string{"Retry-After", "soon", "RateLimit-Reset", "7"}, 7 * time.Second},
		{nil, 0},
	} {
		t.Run(strings.Join(c.header, " "), func(t *testing.T) {
			g := NewWithT(t)
			s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Date"] = nil // our own clock, unless the test says otherwise
				for i := 0; i+1 < len(c.header); i += 2 {
					w.Header().Set(c.header[i], c.header[i+1])
				}
				w.WriteHeader(http.StatusTooManyRequests)
			})
			d := driverWith(t, shop(nil), s.URL, wire.Options{Now: func() time.Time { return now }})
			_, err := d.Place(t.Context(), marketplace.Unpaced{}, bid())
			g.Expect(err).To(beOf(onebidv1.ErrorRateLimited))
			g.Expect(marketplace.RetryAfter(err)).To(Equal(c.want))
		})
	}
}
