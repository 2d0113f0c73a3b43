package httpdriver

import (
	"net/url"
	"slices"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace/egress"
)

// What only the moment of sending gives. Headers see it, and nothing else does.
const (
	varToken     = "accessToken"
	varSignature = "signature"
	varNow       = "now"
)

const authField = root + ".auth"

// auth compiles the credentials that change. It comes last: by then it is known which variables the headers use.
func (c *compiler) auth(p *plan, policy egress.Policy) {
	a := c.spec.Auth
	if a == nil {
		return
	}
	if (a.OAuth2 == nil) == (a.HMAC == nil) {
		c.wrong(authField, "must have exactly one of oauth2 and hmac")
		return
	}
	if a.OAuth2 != nil {
		p.tokens = c.oauth2(a.OAuth2, policy)
		c.used(authField+".oauth2", varToken, "{name: Authorization, value: \"'Bearer ' + accessToken\"}")
		return
	}
	p.signer = c.hmac(a.HMAC)
	c.used(authField+".hmac", varSignature, "{name: X-Signature, value: signature}")
}

func (c *compiler) used(field, variable, example string) {
	if !slices.Contains(c.inHeaders, variable) {
		c.wrong(field, "no header uses %s, so it would never be sent: %s.headers must have one such as %s", variable, root, example)
	}
}

// oauth2 reads where tokens come from.
func (c *compiler) oauth2(o *onebidv1.HTTPOAuth2, policy egress.Policy) *tokens {
	field := authField + ".oauth2"
	t := &tokens{
		url: o.TokenURL, style: o.ClientAuthentication, parameters: url.Values{},
		id:     c.secretKey(field+".clientIDKey", o.ClientIDKey, "clientID"),
		secret: c.secretKey(field+".clientSecretKey", o.ClientSecretKey, "clientSecret"),
	}
	c.address(field+".tokenURL", o.TokenURL, policy)
	for _, scope := range o.Scopes {
		t.scopes = append(t.scopes, string(scope))
	}
	for _, p := range o.Parameters {
		t.parameters.Set(p.Name, p.Value)
	}
	if o.Grant == onebidv1.GrantRefreshToken {
		t.refresh = c.secretKey(field+".refreshTokenKey", o.RefreshTokenKey, "refreshToken")
		if len(o.Scopes) > 0 {
			c.wrong(field+".scopes", "must be left out with the grant RefreshToken: the scopes are those that were consented to")
		}
		if len(o.Parameters) > 0 {
			c.wrong(field+".parameters", "must be left out with the grant RefreshToken, which sends none")
		}
	}
	return t
}
