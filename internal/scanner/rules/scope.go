package rules

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/ext"
	"github.com/shopspring/decimal"

	"github.com/onebid-dev/onebid/internal/celobjects"
)

// objects are the types of the variables with named fields, so that a misspelt field is found when it is compiled. Their
// values are plain maps.
var objects = celobjects.Objects{
	"posting": {
		"id": cel.StringType, "title": cel.StringType, "description": cel.StringType, "url": cel.StringType,
		"budget": cel.ObjectType("budget"), "skills": cel.ListType(cel.StringType),
	},
	"budget": {"min": cel.StringType, "max": cel.StringType, "currency": cel.StringType},
}

// scope names the variables that an expression sees, with their types.
type scope map[string]*cel.Type

var (
	feedScope     = scope{"feed": cel.DynType}
	itemScope     = scope{"item": cel.DynType}
	evaluateScope = scope{"item": cel.DynType, "posting": cel.ObjectType("posting")}
	bidScope      = scope{"item": cel.DynType, "posting": cel.ObjectType("posting"), "score": cel.IntType}
)

func (s scope) names() string { return strings.Join(slices.Sorted(maps.Keys(s)), ", ") }

func (s scope) environment() (*cel.Env, error) {
	base, err := baseEnvironment()
	if err != nil {
		return nil, err
	}
	return celobjects.Extend(base, s)
}

// baseEnvironment has the functions and types, without variables: those of CEL, its extensions for strings, math and
// lists, and two for exact money.
var baseEnvironment = sync.OnceValues(func() (*cel.Env, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	return cel.NewEnv(
		cel.CustomTypeAdapter(registry),
		cel.CustomTypeProvider(celobjects.Provider(objects, registry)),
		cel.OptionalTypes(),
		cel.CrossTypeNumericComparisons(true),
		ext.Strings(ext.StringsVersion(2)),
		ext.Math(),
		ext.Sets(),
		cel.ParserExpressionSizeLimit(maxExpression),
		cel.ParserRecursionLimit(100),
		cel.Function("times", cel.Overload("onebid_times", []*cel.Type{cel.DynType, cel.DynType}, cel.StringType,
			cel.BinaryBinding(times))),
		cel.Function("round", cel.Overload("onebid_round", []*cel.Type{cel.DynType, cel.IntType}, cel.StringType,
			cel.BinaryBinding(round))),
	)
})

// times multiplies exactly: times('19.99', 0.9) is '17.991'.
func times(a, b ref.Val) ref.Val {
	left, ok := exact(a)
	right, fine := exact(b)
	if !ok || !fine {
		return types.NewErr("times(): must be given two numbers, or decimals such as '12.50'")
	}
	return types.String(left.Mul(right).String())
}

// maxDigits of a number that is calculated with, before the point and after it.
const maxDigits = 24

// round gives so many digits after the point, halves away from zero: round('17.995', 2) is '18.00'.
func round(value, digits ref.Val) ref.Val {
	number, ok := exact(value)
	n, fine := digits.(types.Int)
	if !ok || !fine || n < 0 || n > 4 {
		return types.NewErr("round(): must be given a number or a decimal such as '12.50', and 0 to 4 digits")
	}
	return types.String(number.StringFixed(int32(n)))
}

// exact takes a double for the decimal that it is spelled as, which is what the feed said.
func exact(value ref.Val) (decimal.Decimal, bool) {
	text, ok := spell(value)
	if !ok || len(text) > maxDigits || strings.ContainsAny(text, "eE") {
		return decimal.Decimal{}, false
	}
	number, err := decimal.NewFromString(text)
	return number, err == nil
}
