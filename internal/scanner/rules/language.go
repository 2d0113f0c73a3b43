package rules

import (
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/ext"
	"github.com/shopspring/decimal"

	"github.com/onebid-dev/onebid/internal/celeval"
	"github.com/onebid-dev/onebid/internal/scanner/feed"
)

// objects are the types of the variables with named fields, so that a misspelt field is found when it is compiled. Their
// values are plain maps.
var objects = celeval.Objects{
	"posting": {
		"id": cel.StringType, "title": cel.StringType, "description": cel.StringType, "url": cel.StringType,
		"budget": cel.ObjectType("budget"), "skills": cel.ListType(cel.StringType),
	},
	"budget": {"min": cel.StringType, "max": cel.StringType, "currency": cel.StringType},
}

var (
	feedScope     = celeval.Scope{"feed": cel.DynType}
	itemScope     = celeval.Scope{"item": cel.DynType}
	evaluateScope = itemScope.With("posting", cel.ObjectType("posting"))
	bidScope      = evaluateScope.With("score", cel.IntType)
)

// language is what expressions may use: CEL, its extensions for strings, math and sets, and two functions for exact money.
var language = celeval.NewLanguage(feed.MaxBytes, objects,
	cel.CrossTypeNumericComparisons(true),
	ext.Strings(ext.StringsVersion(2)),
	ext.Math(),
	ext.Sets(),
	cel.Function("times", cel.Overload("onebid_times", []*cel.Type{cel.DynType, cel.DynType}, cel.StringType,
		cel.BinaryBinding(times))),
	cel.Function("round", cel.Overload("onebid_round", []*cel.Type{cel.DynType, cel.IntType}, cel.StringType,
		cel.BinaryBinding(round))),
)

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
	text, ok := celeval.Text(value)
	if !ok || len(text) > maxDigits || strings.ContainsAny(text, "eE") {
		return decimal.Decimal{}, false
	}
	number, err := decimal.NewFromString(text)
	return number, err == nil
}
