package httpdriver

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/google/cel-go/cel"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/celeval"
	"github.com/onebid-dev/onebid/internal/marketplace/egress"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
)

const root = "spec.http"

// template is a compiled request.
type template struct {
	field    string
	method   string
	path     *celeval.Expression
	query    []parameter
	headers  []parameter
	body     *celeval.Expression
	encoding onebidv1.HTTPEncoding
}

func (t *template) expressions() []*celeval.Expression {
	out := []*celeval.Expression{t.path, t.body}
	for _, p := range slices.Concat(t.query, t.headers) {
		out = append(out, p.value)
	}
	return out
}

// sees says whether an expression of the request uses the variable.
func (t *template) sees(variable string) bool {
	return slices.ContainsFunc(t.expressions(), func(e *celeval.Expression) bool { return e.Sees(variable) })
}

// needsPosting says whether an expression of the request needs the posting of a remote bid.
func (t *template) needsPosting() bool {
	return slices.ContainsFunc(t.expressions(), func(e *celeval.Expression) bool {
		return slices.Contains(e.Selected("remote"), "postingID")
	})
}

// mapping is the compiled reading of one bid.
type mapping struct {
	id, postingID, state, key, url, placedAt, amount, currency *celeval.Expression
}

// listing is a compiled list.
type listing struct {
	request  *template
	items    *celeval.Expression
	next     *celeval.Expression
	variants [][]parameter // at least one
}

func (l *listing) sees(variable string) bool {
	for _, p := range slices.Concat(l.variants...) {
		if p.value.Sees(variable) {
			return true
		}
	}
	return l.request.sees(variable)
}

// single is a compiled call whose reply describes one bid.
type single struct {
	request *template
	item    *celeval.Expression
}

type errorRule struct {
	when  *celeval.Expression
	class onebidv1.ErrorClass
}

// plan is a compiled spec.
type plan struct {
	headers   []parameter // of every request
	tokens    *tokens     // nil without oauth2
	signer    *signer     // nil without hmac
	account   *template
	accountID *celeval.Expression
	place     single
	lookup    *listing
	list      *listing
	get       *single
	withdraw  *template
	bid       mapping
	states    map[string]onebidv1.RemoteState
	errors    []errorRule
}

// compileSpec compiles everything. The error joins a *marketplace.FieldError for each mistake.
func compileSpec(spec *onebidv1.HTTPDriver, secrets map[string]string, policy egress.Policy) (*plan, error) {
	c := &compiler{spec: spec, secrets: secrets}
	p := &plan{states: map[string]onebidv1.RemoteState{}}
	p.headers = c.headers(c.headerScope(celeval.Scope{}), root+".headers", spec.Headers)
	c.address(root+".baseURL", spec.BaseURL, policy)
	if a := spec.Account; a != nil {
		p.account = c.template(celeval.Scope{}, root+".account.request", &a.Request, wire.Reading)
		p.accountID = c.needed(replyScope, root+".account.accountID", a.AccountID, wantText)
	}
	p.place = single{
		c.template(c.known(placeScope), root+".place.request", &spec.Place.Request, wire.Writing),
		c.expression(replyScope, root+".place.item", spec.Place.Item, wantAny),
	}
	p.lookup = c.listing(c.known(lookupScope), root+".lookup", &spec.Lookup)
	if spec.List != nil {
		p.list = c.listing(c.known(listScope), root+".list", spec.List)
	}
	if g := spec.Get; g != nil {
		p.get = &single{
			c.template(c.known(getScope), root+".get.request", &g.Request, wire.Reading),
			c.expression(replyScope, root+".get.item", g.Item, wantAny),
		}
	}
	if w := spec.Withdraw; w != nil {
		p.withdraw = c.template(c.known(withdrawScope), root+".withdraw.request", &w.Request, wire.Writing)
	}
	p.bid = c.mapping(root+".bid", &spec.Bid)
	c.words(p)
	c.headerName(root+".idempotencyHeader", spec.IdempotencyHeader)
	c.auth(p, policy)
	return p, errors.Join(c.errs...)
}

// known adds the account where the driver can ask for it.
func (c *compiler) known(s celeval.Scope) celeval.Scope {
	if c.spec.Account == nil {
		return s
	}
	return s.With("account", cel.StringType)
}

func (c *compiler) template(s celeval.Scope, field string, r *onebidv1.HTTPRequest, i wire.Intent) *template {
	t := &template{field: field, method: string(r.Method), encoding: r.Encoding}
	switch {
	case r.Method == "":
		c.wrong(field+".method", "must be GET, POST, PUT, PATCH or DELETE")
	case i == wire.Writing && r.Method == http.MethodGet:
		c.wrong(field+".method", "must be POST, PUT, PATCH or DELETE: clients and proxies may repeat a GET")
	case r.Method == http.MethodGet && r.Body != "":
		c.wrong(field+".body", "must be left out: a GET has no body")
	}
	t.path = c.needed(s, field+".path", r.Path, wantText)
	t.query = c.parameters(s.With("secret", stringMap), field+".query", r.Query)
	t.headers = c.headers(c.headerScope(s), field+".headers", r.Headers)
	t.body = c.expression(s, field+".body", r.Body, wantMap)
	return t
}

func (c *compiler) listing(s celeval.Scope, field string, l *onebidv1.HTTPBidList) *listing {
	seen := replyScope
	if bid, ok := s["bid"]; ok {
		seen = seen.With("bid", bid)
	}
	out := &listing{
		request: c.template(s, field+".request", &l.Request, wire.Reading),
		items:   c.needed(seen, field+".items", l.Items, wantList),
		next:    c.expression(replyScope.With("page", cel.IntType), field+".next", l.Next, wantMap),
	}
	for i, v := range l.Variants {
		at := fmt.Sprintf("%s.variants[%d].query", field, i)
		out.variants = append(out.variants, c.parameters(s.With("secret", stringMap), at, v.Query))
	}
	if len(out.variants) == 0 {
		out.variants = [][]parameter{nil}
	}
	return out
}

func (c *compiler) mapping(field string, m *onebidv1.HTTPBidMapping) mapping {
	optional := func(name string, e onebidv1.CELExpression) *celeval.Expression {
		return c.expression(itemScope, field+"."+name, e, wantText)
	}
	return mapping{
		id:        c.needed(itemScope, field+".id", m.ID, wantText),
		state:     c.needed(itemScope, field+".state", m.State, wantText),
		postingID: optional("postingID", m.PostingID),
		key:       optional("idempotencyKey", m.IdempotencyKey),
		url:       optional("url", m.URL),
		placedAt:  optional("placedAt", m.PlacedAt),
		amount:    optional("amount", m.Amount),
		currency:  optional("currency", m.Currency),
	}
}

func (c *compiler) words(p *plan) {
	if len(c.spec.States) == 0 {
		c.wrong(root+".states", "must translate at least one word")
	}
	for _, rule := range c.spec.States {
		p.states[rule.Word] = rule.State
	}
	for i, rule := range c.spec.Errors {
		field := fmt.Sprintf("%s.errors[%d]", root, i)
		if rule.Class == "" {
			c.wrong(field+".class", "must be given")
		}
		p.errors = append(p.errors, errorRule{c.needed(errorScope, field+".when", rule.When, wantBool), rule.Class})
	}
}
