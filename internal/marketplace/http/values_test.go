package httpdriver_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

// TestNoDigitIsLost reads numbers that a float64 cannot hold.
func TestNoDigitIsLost(t *testing.T) {
	for sent, want := range map[string]string{
		`77`:                             "77",
		`"77"`:                           "77",
		`9007199254740993`:               "9007199254740993",     // 2^53 + 1
		`9223372036854775807`:            "9223372036854775807",  // the largest int64
		`12345678901234567890`:           "12345678901234567890", // a uint64
		`123456789012345678901234567890`: "123456789012345678901234567890",
		`-5`:                             "-5",
		`0.10`:                           "0.10",
		`1e3`:                            "1e3",
		`1.0`:                            "1.0",
		`-0`:                             "-0",
	} {
		t.Run(sent, func(t *testing.T) {
			for _, expression := range []onebidv1.CELExpression{"item.id", "string(item.id)", "item.?id"} {
				g := NewWithT(t)
				s := serve(t, reply(http.StatusOK, fmt.Sprintf(`{"id": %s, "posting": "p1", "state": "live"}`, sent)))
				d := driver(t, shop(func(d *onebidv1.HTTPDriver) { d.Bid.ID = expression }), s.URL)
				got, err := d.Place(t.Context(), marketplace.Unpaced{}, bid())
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(got.ID).To(Equal(want), string(expression))
			}
		})
	}
}

func TestCalculatingWithNumbers(t *testing.T) {
	g := NewWithT(t)
	s := serve(t, reply(http.StatusOK, `{"id": 1, "posting": 7, "state": "live", "cents": 1250, "price": 12.50, "big": 18446744073709551615}`))
	d := driver(t, shop(func(d *onebidv1.HTTPDriver) {
		d.Bid.PostingID = "item.posting == 7 && item.big > 9 ? 'p1' : 'wrong'"
		d.Bid.State = "item.cents / 100 == 12 && double(item.price) > 12.4 ? 'live' : 'wrong'"
	}), s.URL)
	got, err := d.Place(t.Context(), marketplace.Unpaced{}, bid())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(got.State).To(Equal(onebidv1.RemoteLive))
}

func TestBodies(t *testing.T) {
	for _, c := range []struct {
		body     onebidv1.CELExpression
		encoding onebidv1.HTTPEncoding
		want     string
	}{
		{"{'n': number(bid.amount), 's': bid.amount}", "JSON", `{"n":12.50,"s":"12.50"}`},
		{"{'z': [1, 2u, true, null, 0.5, number('1E+2')], 'a': {'b': 'ü<>\"'}}", "JSON",
			`{"a":{"b":"ü<>\""},"z":[1,2,true,null,0.5,1E+2]}`},
		{"{'d': bid.deliveryDays, ?'x': optional.none()}", "", `{"d":0}`},
		{"{'id': bid.postingID, 'n': string(number(bid.amount))}", "JSON", `{"id":"p1","n":"12.50"}`},
		{"{'action': 'bid & win', 'amount': bid.amount, 'n': 7, ?'none': optional.none()}", "Form", "action=bid+%26+win&amount=12.50&n=7"},
		{"{'b': bid.attributes[?'colour'].orValue('red')}", "JSON", `{"b":"red"}`},
		{"{'split': 'a,b'.split(','), 'low': ' ÄB '.lowerAscii().trim(), 'b64': base64.encode(b'a:b')}", "JSON",
			`{"b64":"YTpi","low":"Äb","split":["a","b"]}`},
		{"{'cents': number(scale('1234567.89', 2)), 'back': scale(string(1205), -2), 'same': scale(bid.amount, 0)}", "JSON",
			`{"back":"12.05","cents":123456789,"same":"12.5"}`},
		{"queryOf('https://x/y?a=1&b=%20')", "JSON", `{"a":"1","b":" "}`},
	} {
		t.Run(string(c.body), func(t *testing.T) {
			g := NewWithT(t)
			s := serve(t, reply(http.StatusOK, `{"id": "b1", "posting": "p1", "state": "live"}`))
			d := driver(t, shop(func(d *onebidv1.HTTPDriver) {
				d.Place.Request.Body, d.Place.Request.Encoding = c.body, c.encoding
			}), s.URL)
			_, err := d.Place(t.Context(), marketplace.Unpaced{}, bid())
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(s.requests()).To(HaveLen(1))
			g.Expect(s.requests()[0].body).To(Equal(c.want))
			want := map[onebidv1.HTTPEncoding]string{"Form": "application/x-www-form-urlencoded"}[c.encoding]
			if want == "" {
				want = "application/json"
			}
			g.Expect(s.requests()[0].header.Get("Content-Type")).To(Equal(want))
			g.Expect(s.requests()[0].header.Get("Idempotency-Key")).To(Equal("key-1"))
			g.Expect(s.requests()[0].header.Get("Authorization")).To(Equal("Bearer " + token))
		})
	}
}

// TestRequestsThatCannotBeBuilt are the bid's or the spec's fault, and nothing is sent.
func TestRequestsThatCannotBeBuilt(t *testing.T) {
	for _, c := range []struct {
		why    string
		change func(*onebidv1.HTTPDriver)
		want   string
	}{
		{"no number", func(d *onebidv1.HTTPDriver) { d.Place.Request.Body = "{'n': number(bid.postingID)}" }, "the spelling of a number"},
		{"an exponent that would fill the memory", func(d *onebidv1.HTTPDriver) {
			d.Place.Request.Body = "{'n': scale('1e999999999', 1)}"
		}, "a decimal such as"},
		{"not finite", func(d *onebidv1.HTTPDriver) { d.Place.Request.Body = "{'n': double('Infinity')}" }, "cannot be written as JSON"},
		{"bytes", func(d *onebidv1.HTTPDriver) { d.Place.Request.Body = "{'n': b'x'}" }, "type bytes cannot be written as JSON"},
		{"a key that is no string", func(d *onebidv1.HTTPDriver) { d.Place.Request.Body = "{1: 2}" }, "a key of type int"},
		{"a parameter that is there twice", func(d *onebidv1.HTTPDriver) { d.Place.Request.Body = "queryOf('https://x/y?a=1&a=2')" },
			`names each query parameter once, and "a" is there 2 times`},
		{"a form in a form", func(d *onebidv1.HTTPDriver) {
			d.Place.Request.Body, d.Place.Request.Encoding = "{'a': {'b': 'c'}}", "Form"
		}, "must be a string, not map"},
		{"a missing attribute", func(d *onebidv1.HTTPDriver) { d.Place.Request.Body = "{'c': bid.attributes.colour}" }, "no such key: colour"},
		{"no slash", func(d *onebidv1.HTTPDriver) { d.Place.Request.Path = "'.evil.example/'" }, "begins with a slash"},
		{"a query in the path", func(d *onebidv1.HTTPDriver) { d.Place.Request.Path = "'/a?b'" }, "without query or fragment"},
		{"a folder above", func(d *onebidv1.HTTPDriver) { d.Place.Request.Path = "'/bids/' + pathEscape('..')" }, "takes for a folder"},
		{"a folder above, escaped", func(d *onebidv1.HTTPDriver) { d.Place.Request.Path = "'/bids/%2E%2e/x'" }, "take for a folder"},
		{"not escaped", func(d *onebidv1.HTTPDriver) { d.Place.Request.Path = "'/bids/%zz'" }, "use pathEscape"},
		{"a line break in a header", func(d *onebidv1.HTTPDriver) {
			d.Place.Request.Headers = []onebidv1.HTTPParameter{{Name: "X-Note", Value: "'a\\r\\nX-Evil: 1'"}}
		}, "without line breaks"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			s := serve(t, reply(http.StatusOK, "{}"))
			_, err := driver(t, shop(c.change), s.URL).Place(t.Context(), marketplace.Unpaced{}, bid())
			g.Expect(err).To(beOf(onebidv1.ErrorInvalid), "%v", err)
			g.Expect(err.Error()).To(Or(ContainSubstring(c.want), ContainSubstring("servers take for a folder")))
			g.Expect(s.requests()).To(BeEmpty())
		})
	}
}

func TestQueryAndHeaders(t *testing.T) {
	g := NewWithT(t)
	s := serve(t, reply(http.StatusOK, `{"items": []}`))
	d := driver(t, shop(func(d *onebidv1.HTTPDriver) {
		d.Headers = append(d.Headers, onebidv1.HTTPParameter{Name: "accept", Value: "'application/vnd.api+json'"},
			onebidv1.HTTPParameter{Name: "X-Client", Value: "secret.token"})
		d.Lookup.Request.Path = "'/p/' + pathEscape(bid.postingID)"
		d.Lookup.Request.Query = []onebidv1.HTTPParameter{
			{Name: "projects[]", Value: "bid.postingID"}, {Name: "projects[]", Value: "'2'"},
			{Name: "left out", Value: "''"}, {Name: "api_key", Value: "secret.token"},
		}
		d.Lookup.Request.Headers = []onebidv1.HTTPParameter{
			{Name: "Authorization", Value: "'Token ' + secret.token"}, {Name: "X-Empty", Value: "''"}, {Name: "x-client", Value: "''"},
		}
		d.Bid.PostingID = ""
	}), s.URL+"/v2/")
	_, err := d.Lookup(t.Context(), marketplace.Unpaced{}, "a/b&c")
	g.Expect(err).NotTo(HaveOccurred())
	got := s.requests()[0]
	u, err := url.Parse(got.uri)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(u.EscapedPath()).To(Equal("/v2/p/a%2Fb&c"))
	g.Expect(u.Query()).To(Equal(url.Values{"projects[]": {"a/b&c", "2"}, "api_key": {token}}))
	g.Expect(got.header["Authorization"]).To(Equal([]string{"Token " + token}), "the request's takes the driver's place")
	g.Expect(got.header["Accept"]).To(Equal([]string{"application/vnd.api+json"}))
	g.Expect(got.header).NotTo(Or(HaveKey("X-Empty"), HaveKey("X-Client")))
	g.Expect(got.header.Get("User-Agent")).To(Equal("onebid"))
}

func TestABidAsTheMarketplaceShowsIt(t *testing.T) {
	item := func(extra string) string { return `{"id": 5, "posting": "p1", "state": "live"` + extra + `}` }
	full := func(d *onebidv1.HTTPDriver) {
		d.Bid.IdempotencyKey, d.Bid.URL, d.Bid.PlacedAt = "item.key", "item.url", "item.at"
		d.Bid.Amount, d.Bid.Currency = "item.price.amount", "item.price.currency"
	}
	whole := marketplace.Bid{
		ID: "5", PostingID: "p1", State: onebidv1.RemoteLive, Word: "live", IdempotencyKey: "key-1", URL: "https://m.example/5",
		PlacedAt: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC), Amount: "12.50", Currency: "USD",
	}
	bare := marketplace.Bid{ID: "5", PostingID: "p1", State: onebidv1.RemoteLive, Word: "live"}
	for _, c := range []struct {
		why, body string
		want      marketplace.Bid
	}{
		{"all there is", item(`, "key": "key-1", "url": "https://m.example/5", "at": "2026-11-01T12:00:00Z",
			"price": {"amount": 12.50, "currency": "USD"}`), whole},
		{"what only describes may be missing", item(""), bare},
		{"or be nonsense", item(`, "url": "javascript:alert(1)", "at": "yesterday", "price": {"amount": "much", "currency": [1]}`), bare},
		{"or null", item(`, "key": null, "url": null, "at": null, "price": null`), bare},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			got, err := driver(t, shop(full), serve(t, reply(http.StatusCreated, c.body)).URL).Place(t.Context(), marketplace.Unpaced{}, bid())
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(got).To(Equal(c.want))
		})
	}
	g := NewWithT(t)
	unknown := serve(t, reply(http.StatusCreated, `{"id": 5, "posting": "p1", "state": "LIVE"}`))
	got, err := driver(t, shop(nil), unknown.URL).Place(t.Context(), marketplace.Unpaced{}, bid())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(got.State).To(Equal(onebidv1.RemoteUnknown), "words are compared as they are spelled")
	g.Expect(got.KnownOpen()).To(BeFalse())
	foreign := serve(t, reply(http.StatusOK, item(`, "key": "somebody-else"`)))
	_, err = driver(t, shop(full), foreign.URL).Place(t.Context(), marketplace.Unpaced{}, bid())
	g.Expect(err).To(beOf(onebidv1.ErrorUnknownOutcome), "a bid that was there already is not the one we placed")
}
