package httpdriver

import (
	"strings"

	"github.com/google/cel-go/common/types"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/celeval"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

// The kinds of value that expressions give. A double is no string: its spelling is not the one that was sent.
var (
	wantText = celeval.Kind{
		Words: "a string", Types: []types.Kind{types.StringKind, types.IntKind, types.UintKind, numberType.Kind()},
	}
	wantBool = celeval.Kind{Words: "true or false", Types: []types.Kind{types.BoolKind}}
	wantList = celeval.Kind{Words: "a list", Types: []types.Kind{types.ListKind}}
	wantMap  = celeval.Kind{Words: "a map", Types: []types.Kind{types.MapKind}}
	wantAny  = celeval.Kind{Words: "a JSON value", Types: []types.Kind{types.MapKind}}
)

// compile checks an expression. The error is a *FieldError. Nothing gives nothing.
func compile(s celeval.Scope, field string, source onebidv1.CELExpression, want celeval.Kind) (*celeval.Expression, error) {
	if source == "" {
		return nil, nil //nolint:nilnil // an expression that was not given is not an error
	}
	e, err := celeval.Compile(language, s, field, string(source), want)
	if err != nil {
		return nil, &marketplace.FieldError{Field: field, Reason: err.Error() + hint(s, string(source))}
	}
	return e, nil
}

// hint explains which variables are seen elsewhere only.
func hint(s celeval.Scope, source string) string {
	if _, ok := s["secret"]; !ok && strings.Contains(source, "secret") {
		return "\nsecret is seen only in headers and query values"
	}
	for _, moment := range [][2]string{{varToken, "oauth2"}, {varSignature, "hmac"}} {
		if _, ok := s[moment[0]]; !ok && strings.Contains(source, moment[0]) {
			return "\n" + moment[0] + " is seen only in headers, and with " + authField + "." + moment[1]
		}
	}
	return ""
}

// late says whether the expression needs what only the moment of sending gives.
func late(e *celeval.Expression) bool {
	return e.Sees(varToken) || e.Sees(varSignature) || e.Sees(varNow)
}

// private says whether the expression's value must not be shown.
func private(e *celeval.Expression) bool {
	return e.Sees("secret") || e.Sees(varToken) || e.Sees(varSignature)
}
