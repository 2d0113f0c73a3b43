package httpdriver

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"regexp"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/ext"
	"github.com/shopspring/decimal"

	"github.com/onebid-dev/onebid/internal/celeval"
)

const maxDigits = 18

var decimalNumber = regexp.MustCompile(`^[0-9]{1,18}([.][0-9]{1,9})?$`)

// objects are the types of the variables with named fields, so that a misspelt field is found when it is compiled.
// Their values are plain maps.
var objects = celeval.Objects{
	"bid": {
		"postingID": cel.StringType, "amount": cel.StringType, "currency": cel.StringType, "deliveryDays": cel.IntType,
		"proposal": cel.StringType, "attributes": cel.MapType(cel.StringType, cel.StringType),
	},
	"posting": {"postingID": cel.StringType},
	"request": {"method": cel.StringType, "path": cel.StringType, "query": cel.StringType, "body": cel.StringType},
	"remote":  {"id": cel.StringType, "postingID": cel.StringType},
	"response": {
		"status": cel.IntType, "headers": cel.MapType(cel.StringType, cel.StringType), "body": cel.DynType,
	},
}

// The variables of requests and replies.
var (
	stringMap = cel.MapType(cel.StringType, cel.StringType)
	response  = cel.ObjectType("response")

	placeScope    = celeval.Scope{"bid": cel.ObjectType("bid"), "idempotencyKey": cel.StringType}
	lookupScope   = celeval.Scope{"bid": cel.ObjectType("posting"), "next": stringMap}
	listScope     = celeval.Scope{"next": stringMap}
	getScope      = celeval.Scope{"remote": cel.ObjectType("remote")}
	withdrawScope = getScope.With("reason", cel.StringType)
	replyScope    = celeval.Scope{"response": response}
	itemScope     = replyScope.With("item", cel.DynType)
	errorScope    = replyScope.With("operation", cel.StringType)
)

// language is what expressions may use. What can make a value much larger than its inputs, such as replace and format, is
// left out: the cost limit counts an allocation only once it has been made.
var language = celeval.NewLanguage(1<<20, objects,
	ext.Encoders(ext.EncodersVersion(0)),
	function("number", numberType, newNumber, cel.StringType),
	function("string", cel.StringType, func(v ref.Val) ref.Val { return v.ConvertToType(types.StringType) }, numberType),
	function("sha256", cel.StringType, onString(func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return hex.EncodeToString(sum[:])
	}), cel.StringType),
	function("pathEscape", cel.StringType, onString(url.PathEscape), cel.StringType),
	function("queryEscape", cel.StringType, onString(url.QueryEscape), cel.StringType),
	function("queryOf", stringMap, queryOf, cel.StringType),
	function("linkNext", cel.StringType, linkNext, stringMap),
	cel.Function("scale", cel.Overload("scale_string_int", []*cel.Type{cel.StringType, cel.IntType}, cel.StringType,
		cel.BinaryBinding(scale))),
	stringMethod("lowerAscii", asciiLower),
	stringMethod("trim", strings.TrimSpace),
	cel.Function("split", cel.MemberOverload("string_split", []*cel.Type{cel.StringType, cel.StringType},
		cel.ListType(cel.StringType), cel.BinaryBinding(split))),
)

func function(name string, gives *cel.Type, f func(ref.Val) ref.Val, takes *cel.Type) cel.EnvOption {
	return cel.Function(name, cel.Overload("onebid_"+name, []*cel.Type{takes}, gives, cel.UnaryBinding(f)))
}

func stringMethod(name string, f func(string) string) cel.EnvOption {
	return cel.Function(name, cel.MemberOverload("string_"+name, []*cel.Type{cel.StringType}, cel.StringType,
		cel.UnaryBinding(onString(f))))
}

func onString(f func(string) string) func(ref.Val) ref.Val {
	return func(v ref.Val) ref.Val {
		s, ok := v.(types.String)
		if !ok {
			return types.MaybeNoSuchOverloadErr(v)
		}
		return types.String(f(string(s)))
	}
}

func asciiLower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

func split(value, separator ref.Val) ref.Val {
	s, ok := value.(types.String)
	sep, fine := separator.(types.String)
	if !ok || !fine || sep == "" {
		return types.NewErr("split(): must be given a separator that is not empty")
	}
	return types.DefaultTypeAdapter.NativeToValue(strings.Split(string(s), string(sep)))
}

// scale moves the decimal point, exactly: to the right for a positive number of digits.
func scale(value, digits ref.Val) ref.Val {
	s, ok := value.(types.String)
	n, fine := digits.(types.Int)
	if !ok || !fine || !decimalNumber.MatchString(string(s)) || n < -maxDigits || n > maxDigits {
		return types.NewErr("scale(): must be given a decimal such as '12.50' and at most %d digits", maxDigits)
	}
	d, err := decimal.NewFromString(string(s))
	if err != nil {
		return types.WrapErr(err)
	}
	return types.String(d.Shift(int32(n)).String())
}

// queryOf gives the query parameters of a URL, nothing of "". A URL without a query is an error: as the address of a next
// page it would end the list. So is one that names a parameter twice: without the second value the list would be another.
func queryOf(value ref.Val) ref.Val {
	s, ok := value.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(value)
	}
	u, err := url.Parse(string(s))
	if err != nil {
		return types.NewErr("queryOf(): must be given a URL")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil || (s != "" && len(query) == 0) {
		return types.NewErr("queryOf(): must be given a URL with a query, and one that can be read")
	}
	out := map[string]string{}
	for name, values := range query {
		if len(values) > 1 {
			return types.NewErr("queryOf(): must be given a URL that names each query parameter once, and %q is there %d times", name, len(values))
		}
		out[name] = values[0]
	}
	return types.DefaultTypeAdapter.NativeToValue(out)
}
