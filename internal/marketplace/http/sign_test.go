package httpdriver_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/conformance"
	httpdriver "github.com/onebid-dev/onebid/internal/marketplace/http"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
	"github.com/onebid-dev/onebid/internal/marketsim"
	"github.com/onebid-dev/onebid/internal/testenv/simulated"
)

// signed makes a spec sign as a market of the simulator wants it.
func signed(d *onebidv1.HTTPDriver) {
	d.Headers = []onebidv1.HTTPParameter{
		{Name: "X-Client", Value: "secret.clientID"}, {Name: "X-Timestamp", Value: "int(now)"}, {Name: "X-Signature", Value: "signature"},
	}
	d.Auth = &onebidv1.HTTPAuth{HMAC: &onebidv1.HTTPHMAC{
		Payload: `string(int(now)) + '\n' + request.method + '\n' + request.path + '\n' + request.query + '\n' + request.body`,
	}}
}

// TestConformanceSigned runs the whole suite against a market that checks every signature.
func TestConformanceSigned(t *testing.T) {
	sim := simulated.Start(t)
	_, err := sim.PutMarket(t.Context(), "signed", marketsim.Settings{
		Shape: marketsim.ShapeRest, Class: marketsim.ClassIdempotencyKey, Auth: marketsim.AuthHMAC, PageSize: 4,
	})
	must(t, err)
	spec := sample(t, "rest").HTTP
	signed(spec)
	conformance.Run(t, conformance.Harness{
		Open: func(t *testing.T, account string) marketplace.Driver {
			t.Helper()
			return open(t, spec, sim.Address+"/signed", account)
		},
		Market: &simulated.Market{Sim: sim, Name: "signed"}, Class: onebidv1.ClassIdempotencyKey, Currency: "USD", PageSize: 4,
	})
}

// TestSignatureVectors compares with RFC 4231, test case 2.
func TestSignatureVectors(t *testing.T) {
	for _, c := range []struct {
		algorithm onebidv1.HMACAlgorithm
		encoding  onebidv1.SignatureEncoding
		want      string
	}{
		{"", "", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
		{onebidv1.HMACSHA256, onebidv1.SignatureBase64, "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM="},
		{onebidv1.HMACSHA512, onebidv1.SignatureHex, "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554" +
			"9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"},
	} {
		t.Run(fmt.Sprint(c.algorithm, c.encoding), func(t *testing.T) {
			g := NewWithT(t)
			s := serve(t, reply(http.StatusOK, last()))
			d := signingDriver(t, s.URL, "Jefe", func(h *onebidv1.HTTPHMAC) {
				h.Payload, h.Algorithm, h.Encoding = "'what do ya want for nothing?'", c.algorithm, c.encoding
			})
			_, err := d.List(t.Context(), marketplace.Unpaced{})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(s.requests()[0].header.Get("X-Signature")).To(Equal(c.want))
		})
	}
}

func signingDriver(t *testing.T, address, key string, change func(*onebidv1.HTTPHMAC)) *httpdriver.Driver {
	t.Helper()
	spec := shop(func(d *onebidv1.HTTPDriver) {
		signed(d)
		change(d.Auth.HMAC)
	})
	spec.BaseURL = address
	d, err := httpdriver.New(t.Context(), spec, map[string][]byte{"clientID": []byte("us"), "signingKey": []byte(key)}, wire.Options{
		Egress: inside(t), Now: func() time.Time { return time.Date(2026, 11, 1, 12, 0, 0, 345_678_901, time.UTC) },
	})
	must(t, err)
	t.Cleanup(func() { must(t, d.Close()) })
	return d
}

func TestWhatIsSigned(t *testing.T) {
	g := NewWithT(t)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			reply(http.StatusCreated, item("b1", "live"))(w, r)
			return
		}
		reply(http.StatusOK, last())(w, r)
	})
	d := signingDriver(t, s.URL+"/v2", "k", func(h *onebidv1.HTTPHMAC) {
		h.Payload = "string(now) + '|' + request.method + request.path + request.query + sha256(request.body) + secret.clientID"
	})
	_, err := d.Place(t.Context(), marketplace.Unpaced{}, bid())
	g.Expect(err).NotTo(HaveOccurred())
	_, err = d.Lookup(t.Context(), marketplace.Unpaced{}, "a b/ü")
	g.Expect(err).NotTo(HaveOccurred())
	const at = "2026-11-01T12:00:00.345Z|"
	placed, looked := s.requests()[0], s.requests()[1]
	sum := sha256.Sum256([]byte(placed.body))
	g.Expect(placed.header.Get("X-Signature")).To(Equal(macOf("k", at+"POST/v2/bids"+hex.EncodeToString(sum[:])+"us")))
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	g.Expect(looked.header.Get("X-Signature")).To(Equal(macOf("k", at+"GET/v2/bids"+"posting=a+b%2F%C3%BC"+empty+"us")))
}

func macOf(key, payload string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(payload))
	return hex.EncodeToString(mac.Sum(nil))
}

// TestWhatCannotBeSignedIsNotSent and is the spec's mistake.
func TestWhatCannotBeSignedIsNotSent(t *testing.T) {
	g := NewWithT(t)
	s := serve(t, reply(http.StatusCreated, item("b1", "live")))
	d := signingDriver(t, s.URL, "k", func(h *onebidv1.HTTPHMAC) { h.Payload = "['a'][int(now)]" })
	_, err := d.Place(t.Context(), marketplace.Unpaced{}, bid())
	g.Expect(err).To(beOf(onebidv1.ErrorInvalid))
	g.Expect(err).To(MatchError(ContainSubstring("spec.http.auth.hmac.payload: ")))
	g.Expect(s.requests()).To(BeEmpty())
}

func TestSignaturesStayOutOfErrors(t *testing.T) {
	g := NewWithT(t)
	signature := macOf("k", "x")
	s := serve(t, reply(http.StatusUnauthorized, `{"message": "`+signature+` does not fit"}`))
	d := signingDriver(t, s.URL, "k", func(h *onebidv1.HTTPHMAC) { h.Payload = "'x'" })
	_, err := d.List(t.Context(), marketplace.Unpaced{})
	g.Expect(err).To(beOf(onebidv1.ErrorAuth))
	g.Expect(err).To(MatchError(ContainSubstring("[…] does not fit")))
	g.Expect(s.requests()).To(HaveLen(1), "another signature would be refused as well")
	g.Expect(s.requests()[0].header.Get("X-Signature")).To(Equal(signature))
	g.Expect(s.requests()[0].header.Get("X-Timestamp")).To(Equal("1793534400"))
}

func TestWhatIsWrongWithAuth(t *testing.T) {
	oauth2 := func(change func(*onebidv1.HTTPOAuth2)) func(*onebidv1.HTTPDriver) {
		return withTokens("https://m.example/token", change)
	}
	for _, c := range []struct {
		why    string
		change func(*onebidv1.HTTPDriver)
		want   string
	}{
		{"neither", func(d *onebidv1.HTTPDriver) { d.Auth = &onebidv1.HTTPAuth{} }, "spec.http.auth: must have exactly one of oauth2 and hmac"},
		{"both", func(d *onebidv1.HTTPDriver) {
			d.Auth = &onebidv1.HTTPAuth{OAuth2: &onebidv1.HTTPOAuth2{}, HMAC: &onebidv1.HTTPHMAC{}}
		}, "must have exactly one of oauth2 and hmac"},
		{"a token that is never sent", func(d *onebidv1.HTTPDriver) {
			headers := d.Headers
			oauth2(nil)(d)
			d.Headers = headers
		}, "spec.http.auth.oauth2: no header uses accessToken"},
		{"a token in a body", func(d *onebidv1.HTTPDriver) {
			oauth2(nil)(d)
			d.Place.Request.Body = "{'t': accessToken}"
		}, "accessToken is seen only in headers, and with spec.http.auth.oauth2"},
		{"a token without auth", func(d *onebidv1.HTTPDriver) { d.Headers[0].Value = "'Bearer ' + accessToken" },
			"accessToken is seen only in headers, and with spec.http.auth.oauth2"},
		{"tokens in the clear", oauth2(func(o *onebidv1.HTTPOAuth2) { o.TokenURL = "http://m.example/token" }),
			"spec.http.auth.oauth2.tokenURL: must begin with https://"},
		{"tokens from inside", oauth2(func(o *onebidv1.HTTPOAuth2) { o.TokenURL = "https://169.254.169.254/token" }),
			"spec.http.auth.oauth2.tokenURL: refused to connect to 169.254.169.254"},
		{"no secret", oauth2(func(o *onebidv1.HTTPOAuth2) { o.ClientSecretKey = "pass" }),
			`clientSecretKey: the Secret of spec.credentialsSecretRef must have the key "pass"; it has clientID, clientSecret, token`},
		{"no refresh token", oauth2(func(o *onebidv1.HTTPOAuth2) { o.Grant = onebidv1.GrantRefreshToken }),
			`spec.http.auth.oauth2.refreshTokenKey: the Secret of spec.credentialsSecretRef must have the key "refreshToken"`},
		{"scopes that are not sent", oauth2(func(o *onebidv1.HTTPOAuth2) {
			o.Grant, o.Scopes = onebidv1.GrantRefreshToken, []onebidv1.OAuth2Scope{"a"}
		}), "spec.http.auth.oauth2.scopes: must be left out with the grant RefreshToken"},
		{"parameters that are not sent", oauth2(func(o *onebidv1.HTTPOAuth2) {
			o.Grant, o.Parameters = onebidv1.GrantRefreshToken, []onebidv1.OAuth2Parameter{{Name: "audience", Value: "a"}}
		}), "spec.http.auth.oauth2.parameters: must be left out with the grant RefreshToken"},
		{"no key", signed, `spec.http.auth.hmac.secretKey: the Secret of spec.credentialsSecretRef must have the key "signingKey"`},
		{"no payload", func(d *onebidv1.HTTPDriver) {
			signed(d)
			d.Auth.HMAC.Payload = ""
		}, "spec.http.auth.hmac.payload: must be given"},
		{"a payload of what there is not", func(d *onebidv1.HTTPDriver) {
			signed(d)
			d.Auth.HMAC.Payload = "request.verb"
		}, "undefined field 'verb'"},
		{"a signature that is never sent", func(d *onebidv1.HTTPDriver) {
			signed(d)
			d.Headers = d.Headers[:1]
		}, "spec.http.auth.hmac: no header uses signature"},
	} {
		t.Run(c.why, func(t *testing.T) {
			spec := shop(c.change)
			spec.BaseURL = "https://m.example"
			_, err := httpdriver.New(t.Context(), spec, map[string][]byte{
				"token": []byte(token), "clientID": []byte("us"), "clientSecret": []byte("s"),
			}, wire.Options{})
			NewWithT(t).Expect(err).To(MatchError(ContainSubstring(c.want)))
		})
	}
}

// TestTheLaterHeaderCounts though one of them waits for the moment of sending.
func TestTheLaterHeaderCounts(t *testing.T) {
	g := NewWithT(t)
	s := serve(t, reply(http.StatusOK, last()))
	spec := shop(func(d *onebidv1.HTTPDriver) {
		signed(d)
		d.List.Request.Headers = []onebidv1.HTTPParameter{{Name: "x-signature", Value: "'none'"}, {Name: "X-Client", Value: "signature"}}
	})
	spec.BaseURL = s.URL
	d, err := httpdriver.New(t.Context(), spec, accountOf("us"), wire.Options{Egress: inside(t)})
	g.Expect(err).NotTo(HaveOccurred())
	_, err = d.List(t.Context(), marketplace.Unpaced{})
	g.Expect(err).NotTo(HaveOccurred())
	must(t, d.Close())
	header := s.requests()[0].header
	g.Expect(header["X-Signature"]).To(Equal([]string{"none"}))
	g.Expect(strings.Trim(header.Get("X-Client"), "0123456789abcdef")).To(BeEmpty())
	g.Expect(header.Get("X-Client")).To(HaveLen(64))
}
