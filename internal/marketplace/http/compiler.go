package httpdriver

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/google/cel-go/cel"
	"golang.org/x/net/http/httpguts"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/egress"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
)

// compiler collects every mistake of a spec, so that a person sees them all at once.
type compiler struct {
	spec    *onebidv1.HTTPDriver
	secrets map[string]string
	errs    []error
	// inHeaders are the variables that headers use.
	inHeaders []string
}

func (c *compiler) wrong(field, format string, args ...any) {
	c.errs = append(c.errs, &marketplace.FieldError{Field: field, Reason: fmt.Sprintf(format, args...)})
}

func (c *compiler) expression(s scope, field string, source onebidv1.CELExpression, want kind) *expression {
	e, err := compile(s, field, source, want)
	if err != nil {
		c.errs = append(c.errs, err)
	}
	return e
}

func (c *compiler) needed(s scope, field string, source onebidv1.CELExpression, want kind) *expression {
	if source == "" {
		c.wrong(field, "must be given: an expression for %s", want.words)
	}
	return c.expression(s, field, source, want)
}

// keys checks that the Secret has what an expression cannot do without.
func (c *compiler) keys(e *expression) {
	for _, key := range e.secrets {
		if _, ok := c.secrets[key]; !ok {
			c.missingKey(e.field, key)
		}
	}
}

func (c *compiler) missingKey(field, key string) {
	has := "it has none"
	if len(c.secrets) > 0 {
		has = "it has " + strings.Join(slices.Sorted(maps.Keys(c.secrets)), ", ")
	}
	c.wrong(field, "the Secret of spec.credentialsSecretRef must have the key %q; %s", key, has)
}

// own headers belong to the transport.
var own = []string{"Accept-Encoding", "Connection", "Content-Length", "Expect", "Host", "Keep-Alive", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade"}

func (c *compiler) headerName(field, name string) {
	switch {
	case name == "":
	case !httpguts.ValidHeaderFieldName(name):
		c.wrong(field, "must be the name of a header: letters, digits and hyphens")
	case slices.Contains(own, http.CanonicalHeaderKey(name)):
		c.wrong(field, "must not be %s, which the driver sets", name)
	}
}

// address checks a URL that requests go to.
func (c *compiler) address(field, address string, p egress.Policy) {
	if err := wire.CheckBase(address, p); err != nil {
		c.wrong(field, "%v", err)
	}
}

// headerScope adds to a request's variables what its headers see beside them.
func (c *compiler) headerScope(s scope) scope {
	s = s.with("secret", stringMap)
	if a := c.spec.Auth; a != nil {
		if a.OAuth2 != nil {
			s = s.with(varToken, cel.StringType)
		}
		if a.HMAC != nil {
			s = s.with(varSignature, cel.StringType).with(varNow, cel.TimestampType)
		}
	}
	return s
}

// secretKey gives the value of a key of the Secret, which must be there.
func (c *compiler) secretKey(field string, key onebidv1.SecretKey, otherwise string) string {
	name := cmp.Or(string(key), otherwise)
	if c.secrets[name] == "" {
		c.missingKey(field, name)
	}
	return c.secrets[name]
}
