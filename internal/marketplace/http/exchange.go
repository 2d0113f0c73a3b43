package httpdriver

import (
	"context"
	"fmt"
	"maps"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
)

// operation is one call of the contract, which may take several requests.
type operation struct {
	*Driver
	name     string
	pace     marketplace.Pacer
	proposal string
	begun    bool // a request was sent, so that the next one has to wait
}

// call begins the judgement of a request, which may not exist yet.
func (o *operation) call(m *draft) *wire.Call {
	return &wire.Call{
		Operation: o.name, Intent: intentOf(o.name), Redact: wire.NewRedactor(m.message(), o.secrets, o.proposal),
		Now: o.options.Now, Pace: o.pace, Moved: "set " + root + ".baseURL to where the API is",
	}
}

// do builds a request, sends it and classifies the reply: without an error the marketplace reports success.
func (o *operation) do(ctx context.Context, t *template, vars map[string]any, x extras) (*wire.Reply, *wire.Call, error) {
	vars, err := o.withAccount(ctx, vars, t.sees("account"))
	if err != nil {
		return nil, nil, err
	}
	m, err := o.build(ctx, t, vars, x)
	c := o.call(m)
	if err != nil {
		return nil, nil, c.Unsent(err)
	}
	r, err := o.exchange(ctx, c, m)
	return r, c, err
}

// ask asks for the account as a part of any operation.
func (o *operation) ask(ctx context.Context) (string, error) {
	if o.plan.account == nil {
		return "", nil
	}
	m, err := o.build(ctx, o.plan.account, map[string]any{}, extras{})
	c := o.call(m)
	c.Operation, c.Intent = marketplace.OpAccount, wire.Reading
	if err != nil {
		return "", c.Unsent(err)
	}
	r, err := o.exchange(ctx, c, m)
	switch marketplace.ClassOf(err) {
	case "":
	case onebidv1.ErrorNotFound: // whoever asked for a bid must not take it for the one that is not found
		return "", c.Fail(onebidv1.ErrorTransient, "the account cannot be read", err)
	default:
		return "", err
	}
	id, err := o.plan.accountID.Text(ctx, varsOf(r))
	if err == nil && !isName(id) {
		err = fmt.Errorf("%s: must be 1 to %d bytes without control characters", o.plan.accountID.Field, maxID)
	}
	if err != nil {
		return "", c.Unreadable(r, err)
	}
	return id, o.remember(c, id)
}

// remember keeps the account. The credentials of one driver never change, so neither may their account.
func (d *Driver) remember(c *wire.Call, id string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.account != "" && d.account != id {
		return c.Fail(onebidv1.ErrorAuth, fmt.Sprintf("the account was %s and is %s now", d.account, id), nil)
	}
	d.account = id
	return nil
}

// withAccount adds the account, asking for it the first time.
func (o *operation) withAccount(ctx context.Context, vars map[string]any, needed bool) (map[string]any, error) {
	if !needed {
		return vars, nil
	}
	o.mu.Lock()
	id := o.account
	o.mu.Unlock()
	if id == "" {
		var err error
		if id, err = o.ask(ctx); err != nil {
			return nil, err
		}
	}
	vars = maps.Clone(vars)
	vars["account"] = id
	return vars, nil
}

// authorize adds what only holds for a moment: the access token, and the signature of a request that is complete but for
// it. The token is the zero value when the request uses none.
func (o *operation) authorize(ctx context.Context, c *wire.Call, m *draft) (accessToken, error) {
	var token accessToken
	if len(m.late) == 0 {
		return token, nil
	}
	vars := maps.Clone(m.vars)
	if o.tokens != nil {
		var err error
		if token, err = o.tokens.get(ctx); err != nil {
			c.Redact = c.Redact.With(o.tokens.sensitive()...)
			return token, tokenless(c, err)
		}
		vars[varToken] = token.text
		m.Sensitive = append(m.Sensitive, token.text)
	}
	if o.signer != nil {
		now := o.options.Now()
		signature, err := o.signer.sign(ctx, m.Message, o.secrets, now)
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
func (o *operation) exchange(ctx context.Context, c *wire.Call, m *draft) (*wire.Reply, error) {
	for again := false; ; again = true {
		if o.begun {
			if err := o.pace.Next(ctx); err != nil {
				return nil, c.Unanswered(&wire.SendError{Err: err})
			}
		}
		o.begun = true
		token, err := o.authorize(ctx, c, m)
		if err != nil {
			return nil, err
		}
		r, err := o.sender.Send(ctx, c, m.Message)
		if err != nil {
			return nil, c.Unanswered(err)
		}
		verdict := o.classify(ctx, c, r)
		if verdict == nil {
			return r, nil
		}
		if token.text == "" || verdict.Class != onebidv1.ErrorAuth {
			return nil, verdict
		}
		o.tokens.forget(token)
		if again || token.fresh || c.Intent == wire.Writing {
			return nil, verdict
		}
	}
}
