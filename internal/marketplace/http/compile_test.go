package httpdriver_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	httpdriver "github.com/onebid-dev/onebid/internal/marketplace/http"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
)

func TestWhatIsWrongWithASpec(t *testing.T) {
	for _, c := range []struct {
		why    string
		change func(*onebidv1.HTTPDriver)
		want   []string
	}{
		{"a misspelt variable", func(d *onebidv1.HTTPDriver) { d.Lookup.Items = "respons.body" }, []string{
			"spec.http.lookup.items: must be an expression that gives a list and sees bid, response",
			": 1:1: undeclared reference to 'respons'", "\n | respons.body\n | ^"}},
		{"a misspelt field is found before any call", func(d *onebidv1.HTTPDriver) {
			d.Place.Request.Body = "{'amount':\n  bid.ammount}"
		}, []string{"spec.http.place.request.body", ": 2:6: undefined field 'ammount'", "\n |   bid.ammount}\n | .....^"}},
		{"a syntax error", func(d *onebidv1.HTTPDriver) { d.Bid.ID = "item." }, []string{"spec.http.bid.id", ": 1:6: Syntax error"}},
		{"the wrong kind of value", func(d *onebidv1.HTTPDriver) { d.Lookup.Items = "'none'" }, []string{
			"spec.http.lookup.items: must give a list, not string", "\n | 'none'"}},
		{"a rule that is no question", func(d *onebidv1.HTTPDriver) {
			d.Errors = []onebidv1.HTTPErrorRule{{When: "response.status", Class: onebidv1.ErrorInvalid}}
		}, []string{"spec.http.errors[0].when: must give true or false, not int"}},
		{"a secret in a body could end up in a log of theirs", func(d *onebidv1.HTTPDriver) {
			d.Place.Request.Body = "{'key': secret.token}"
		}, []string{"spec.http.place.request.body", "undeclared reference to 'secret'", "seen only in headers and query values"}},
		{"a secret in a path is in every access log", func(d *onebidv1.HTTPDriver) {
			d.Place.Request.Path = "'/' + secret.token"
		}, []string{"spec.http.place.request.path", "seen only in headers and query values"}},
		{"a secret that is not there", func(d *onebidv1.HTTPDriver) { d.Headers[0].Value = "secret.tokn + secret['user']" }, []string{
			`spec.http.headers[Authorization].value: the Secret of spec.credentialsSecretRef must have the key "tokn"; it has token`,
			`must have the key "user"`}},
		{"an account that cannot be asked for", func(d *onebidv1.HTTPDriver) { d.Place.Request.Path = "'/' + account" },
			[]string{"spec.http.place.request.path", "undeclared reference to 'account'"}},
		{"a place that caches and crawlers may repeat", func(d *onebidv1.HTTPDriver) { d.Place.Request.Method = "GET" },
			[]string{"spec.http.place.request.method: must be POST, PUT, PATCH or DELETE"}},
		{"a body that nobody reads", func(d *onebidv1.HTTPDriver) { d.Lookup.Request.Body = "{}" },
			[]string{"spec.http.lookup.request.body: must be left out: a GET has no body"}},
		{"a header that is the transport's", func(d *onebidv1.HTTPDriver) {
			d.Place.Request.Headers = []onebidv1.HTTPParameter{{Name: "host", Value: "'x'"}}
		}, []string{"spec.http.place.request.headers[host].name: must not be host, which the driver sets"}},
		{"a header that is none", func(d *onebidv1.HTTPDriver) { d.Headers[0].Name = "A b" },
			[]string{"spec.http.headers[A b].name: must be the name of a header"}},
		{"the key twice", func(d *onebidv1.HTTPDriver) {
			d.Place.Request.Headers = []onebidv1.HTTPParameter{{Name: "idempotency-key", Value: "'x'"}}
		}, []string{"spec.http.place.request.headers: must not have idempotency-key: the driver sends it"}},
		{"no states", func(d *onebidv1.HTTPDriver) { d.States = nil }, []string{"spec.http.states: must translate at least one word"}},
		{"nothing at all", func(d *onebidv1.HTTPDriver) { *d = onebidv1.HTTPDriver{BaseURL: "https://example.com"} }, []string{
			"spec.http.place.request.method: must be GET, POST", "spec.http.place.request.path: must be given",
			"spec.http.lookup.items: must be given", "spec.http.bid.id: must be given", "spec.http.bid.state: must be given"}},
		{"all mistakes at once", func(d *onebidv1.HTTPDriver) { d.Bid.ID, d.Bid.State = "x", "y" },
			[]string{"spec.http.bid.id", "spec.http.bid.state"}},
		{"plain text outside", func(d *onebidv1.HTTPDriver) { d.BaseURL = "http://example.com" },
			[]string{"spec.http.baseURL: must begin with https://", "--allow-private-addresses"}},
		{"an address inside", func(d *onebidv1.HTTPDriver) { d.BaseURL = "https://169.254.169.254/latest" },
			[]string{"spec.http.baseURL: refused to connect to 169.254.169.254, a cloud's metadata address"}},
		{"a user in the URL", func(d *onebidv1.HTTPDriver) { d.BaseURL = "https://u:p@example.com" },
			[]string{"spec.http.baseURL: must be https://"}},
		{"no URL", func(d *onebidv1.HTTPDriver) { d.BaseURL = "https://exa mple" }, []string{"spec.http.baseURL: must be https://"}},
		{"another scheme", func(d *onebidv1.HTTPDriver) { d.BaseURL = "ftp://example.com" }, []string{"must begin with https://"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			spec := shop(c.change)
			if spec.BaseURL == "http://127.0.0.1:1" {
				spec.BaseURL = "https://example.com"
			}
			_, err := httpdriver.New(t.Context(), spec, map[string][]byte{"token": []byte(token)}, wire.Options{})
			g.Expect(err).To(HaveOccurred())
			for _, want := range c.want {
				g.Expect(err.Error()).To(ContainSubstring(want))
			}
			g.Expect(err.Error()).NotTo(ContainSubstring(token))
		})
	}
}

func TestASecretMustBeText(t *testing.T) {
	_, err := httpdriver.New(t.Context(), shop(nil), map[string][]byte{"token": {0xff, 0xfe}}, wire.Options{})
	NewWithT(t).Expect(err).To(MatchError(ContainSubstring(`the key "token" must hold text`)))
}

// TestAnExpressionIsBounded sees bombs stopped by their cost and not by the size of the machine. Replies are of type dyn,
// and for that CEL's own count takes every operation for a cheap one.
func TestAnExpressionIsBounded(t *testing.T) {
	s := serve(t, reply(200, `{"text": "`+strings.Repeat(`x`, 1_000_000)+`", "list": [`+strings.Repeat("1,", 1000)+`1]}`))
	nines := "[1, 2, 3, 4, 5, 6, 7, 8, 9]"
	for _, bomb := range []onebidv1.CELExpression{
		"NINES.map(a, NINES.map(b, response.body.text + response.body.text))",
		"NINES.map(a, NINES.map(b, pathEscape(response.body.text)))",
		"NINES.map(a, NINES.map(b, response.body.text.split('x')))",
		"NINES.map(a, NINES.map(b, base64.encode(bytes(response.body.text))))",
		"NINES.map(a, NINES.map(b, response.body.text.matches('(a|b)*c')))",
		"response.body.list.filter(a, response.body.list.all(b, response.body.list.exists(c, c == 2) || a == b))",
		"response.body.list.filter(a, response.body.list.all(b, !(7 in response.body.list)))",
		"response.body.list.filter(a, response.body.list.all(b, response.body.list == response.body.list))",
		onebidv1.CELExpression("[response.body.list]" + strings.Repeat(".map(a, a + a)", 11) + "[0]"),
		onebidv1.CELExpression("[response.body.list]" + strings.Repeat(".map(a, [a, a])", 11)),
		onebidv1.CELExpression("[response.body.list]" + strings.Repeat(".map(a, {'b': a, 'c': a})", 11)),
		onebidv1.CELExpression("[response.body.text]" + strings.Repeat(".map(a, [a, a])", 6)),
	} {
		t.Run(string(bomb)[:min(len(bomb), 64)], func(t *testing.T) {
			g := NewWithT(t)
			spec := shop(func(d *onebidv1.HTTPDriver) {
				d.Lookup.Items = onebidv1.CELExpression(strings.ReplaceAll(string(bomb), "NINES", nines))
			})
			_, err := driver(t, spec, s.URL).Lookup(t.Context(), marketplace.Unpaced{}, "p1")
			g.Expect(err).To(beOf(onebidv1.ErrorTransient))
			g.Expect(err).To(MatchError(ContainSubstring("operation")))
			g.Expect(err).To(MatchError(Or(ContainSubstring("cost limit exceeded"), ContainSubstring("interrupted"))))
		})
	}
}

// TestMacrosOfOptionalValuesAreFew: each writes its target out twice, so that a chain of 30 would fill the memory before it
// is an expression.
func TestMacrosOfOptionalValuesAreFew(t *testing.T) {
	g := NewWithT(t)
	of := func(n int) onebidv1.CELExpression {
		return onebidv1.CELExpression("[optional.of(1)" + strings.Repeat(".optMap(a, a)", n) + ".value()]")
	}
	driver(t, shop(func(d *onebidv1.HTTPDriver) { d.Lookup.Items = of(4) }), "http://127.0.0.1:1")
	spec := shop(func(d *onebidv1.HTTPDriver) { d.Lookup.Items = of(9) })
	_, err := httpdriver.New(t.Context(), spec, map[string][]byte{"token": []byte(token)}, wire.Options{Egress: inside(t)})
	g.Expect(err).To(MatchError(ContainSubstring("spec.http.lookup.items: must use optMap and optFlatMap 8 times at the most")))
}

func TestCapabilities(t *testing.T) {
	g := NewWithT(t)
	c := driver(t, shop(nil), "http://127.0.0.1:1").Capabilities()
	g.Expect(c.CanList && c.CanWithdraw && c.SendsKey).To(BeTrue())
	g.Expect(c.StoresKey).To(BeFalse())
	c = driver(t, shop(func(d *onebidv1.HTTPDriver) {
		d.List, d.Withdraw, d.IdempotencyHeader, d.Bid.IdempotencyKey = nil, nil, "", "item.key"
	}), "http://127.0.0.1:1").Capabilities()
	g.Expect(c.CanList || c.CanWithdraw || c.SendsKey).To(BeFalse())
	g.Expect(c.StoresKey).To(BeTrue())
	c = driver(t, shop(func(d *onebidv1.HTTPDriver) {
		d.IdempotencyHeader, d.Place.Request.Body = "", "{'ref': idempotencyKey}"
	}), "http://127.0.0.1:1").Capabilities()
	g.Expect(c.SendsKey).To(BeTrue(), "in the body")
}
