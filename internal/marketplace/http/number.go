package httpdriver

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
)

var (
	jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][-+]?[0-9]+)?$`)
	numberType = cel.OpaqueType("onebid.number")
)

// number is a CEL value that becomes a JSON number of exactly this spelling.
type number string

var _ ref.Val = number("")

func newNumber(arg ref.Val) ref.Val {
	text, ok := arg.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(arg)
	}
	if !jsonNumber.MatchString(string(text)) {
		return types.NewErr("number(): must be given the spelling of a number, such as 12.50")
	}
	return number(text)
}

func (n number) ConvertToNative(reflect.Type) (any, error) {
	return nil, fmt.Errorf("number %s is only for bodies", string(n))
}

func (n number) ConvertToType(to ref.Type) ref.Val {
	switch to {
	case types.StringType:
		return types.String(n)
	case types.TypeType:
		return numberType
	}
	return types.NewErr("number() cannot be converted to %s", to.TypeName())
}

func (n number) Equal(other ref.Val) ref.Val {
	o, ok := other.(number)
	return types.Bool(ok && o == n)
}

func (number) Type() ref.Type { return numberType }

func (n number) Value() any { return json.Number(n) }
