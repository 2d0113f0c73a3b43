package httpdriver

import (
	"context"
	"maps"
	"net/url"
	"slices"

	"github.com/google/cel-go/cel"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/celeval"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/egress"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
)

// What only the moment of sending gives. Headers see it, and nothing else does.
const (
	varToken     = "accessToken"
	varSignature = "signature"
	varNow       = "now"
)

const authField = root + ".auth"

// headerScope adds to a request's variables what its headers see beside them.
func (c *compiler) headerScope(s celeval.Scope) celeval.Scope {
	s = s.With("secret", stringMap)
	if a := c.spec.Auth; a != nil {
		if a.OAuth2 != nil {
			s = s.With(varToken, cel.StringType)
		}
		if a.HMAC != nil {
			s = s.With(varSignature, cel.StringType).With(varNow, cel.TimestampType)
		}
	}
	return s
}

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

// authorize adds what only holds for a moment: the access token, and the signature of a request that is complete but for
// it. The token is the zero value when the request uses none.
func (d *Driver) authorize(ctx context.Context, c *wire.Call, m *draft) (accessToken, error) {
	var token accessToken
	if len(m.late) == 0 {
		return token, nil
	}
	vars := maps.Clone(m.vars)
	if d.tokens != nil {
		var err error
		if token, err = d.tokens.get(ctx); err != nil {
			c.Redact = c.Redact.With(d.tokens.sensitive()...)
			return token, tokenless(c, err)
		}
		vars[varToken] = token.text
		m.Sensitive = append(m.Sensitive, token.text)
	}
	if d.signer != nil {
		now := d.options.Now()
		signature, err := d.signer.sign(ctx, m.Message, d.secrets, now)
		if err != nil {
			return token, c.Unsent(err)
		}
		vars[varSignature], vars[varNow] = signature, moment(now)
		m.Sensitive = append(m.Sensitive, signature)
	}
	for _, p := range m.late {
		if err := m.setHeader(ctx, p, vars); err != nil {
			return token, c.Unsent(err)
		}
	}
	c.Redact = c.Redact.With(m.Sensitive...)
	return token, nil
}

// exchange sends one request and classifies the reply. A read whose access token was refused is sent once more, with a new
// one; a place or withdraw never is.
func (d *Driver) exchange(ctx context.Context, c *wire.Call, m *draft) (*wire.Reply, error) {
	for again := false; ; again = true {
		r, token, err := d.attempt(ctx, c, m)
		if token.text == "" || marketplace.ClassOf(err) != onebidv1.ErrorAuth {
			return r, err
		}
		d.tokens.forget(token)
		if again || token.fresh || c.Intent == wire.Writing {
			return nil, err
		}
		if err := marketplace.Pace(ctx); err != nil {
			return nil, c.Unanswered(&wire.SendError{Err: err})
		}
	}
}

// attempt sends the request with the access token of this moment, which is the zero value when none was sent.
func (d *Driver) attempt(ctx context.Context, c *wire.Call, m *draft) (*wire.Reply, accessToken, error) {
	token, err := d.authorize(ctx, c, m)
	if err != nil {
		return nil, accessToken{}, err
	}
	r, err := d.sender.Send(ctx, m.Message, c.Intent)
	if err != nil {
		return nil, token, c.Unanswered(err)
	}
	if verdict := d.classify(ctx, c, r); verdict != nil {
		return nil, token, verdict
	}
	return r, token, nil
}
