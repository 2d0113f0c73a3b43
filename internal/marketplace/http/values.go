package httpdriver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
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

// text reads a string out of a value; whole numbers are as good. It is false for null and for a missing optional.
func text(value ref.Val) (string, bool, error) {
	switch v := value.(type) {
	case types.String:
		return string(v), true, nil
	case number:
		return string(v), true, nil
	case types.Int:
		return strconv.FormatInt(int64(v), 10), true, nil
	case types.Uint:
		return strconv.FormatUint(uint64(v), 10), true, nil
	case types.Null:
		return "", false, nil
	case *types.Optional:
		if !v.HasValue() {
			return "", false, nil
		}
		return text(v.GetValue())
	}
	return "", false, fmt.Errorf("must be a string, not %s", value.Type().TypeName())
}

// textMap reads a map of strings; missing values are left out.
func textMap(value ref.Val) (map[string]string, error) {
	m, ok := value.(traits.Mapper)
	if !ok {
		return nil, fmt.Errorf("must be a map of strings, not %s", value.Type().TypeName())
	}
	out := map[string]string{}
	for it := m.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		name, ok := key.(types.String)
		if !ok {
			return nil, fmt.Errorf("must be a map of strings, not one with a key of type %s", key.Type().TypeName())
		}
		word, there, err := text(m.Get(key))
		if err != nil {
			return nil, fmt.Errorf("entry %q %w", string(name), err)
		}
		if there {
			out[string(name)] = word
		}
	}
	return out, nil
}

// list reads a list.
func list(value ref.Val) ([]ref.Val, error) {
	l, ok := value.(traits.Lister)
	if !ok {
		return nil, fmt.Errorf("must be a list, not %s", value.Type().TypeName())
	}
	out := []ref.Val{}
	for it := l.Iterator(); it.HasNext() == types.True; {
		out = append(out, it.Next())
	}
	return out, nil
}

// encodeJSON writes a value as JSON, with the keys of maps in order.
func encodeJSON(value ref.Val) ([]byte, error) {
	var out bytes.Buffer
	if err := writeJSON(&out, value); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func writeJSON(out *bytes.Buffer, value ref.Val) error {
	switch v := value.(type) {
	case traits.Mapper:
		return writeObject(out, v)
	case traits.Lister:
		return writeArray(out, v)
	case types.String:
		return writeString(out, string(v))
	case number:
		out.WriteString(string(v))
	case types.Int:
		out.WriteString(strconv.FormatInt(int64(v), 10))
	case types.Uint:
		out.WriteString(strconv.FormatUint(uint64(v), 10))
	case types.Bool:
		out.WriteString(strconv.FormatBool(bool(v)))
	case types.Null:
		out.WriteString("null")
	case types.Double:
		return writeDouble(out, float64(v))
	default:
		return fmt.Errorf("a value of type %s cannot be written as JSON", value.Type().TypeName())
	}
	return nil
}

func writeObject(out *bytes.Buffer, m traits.Mapper) error {
	entries := map[string]ref.Val{}
	for it := m.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		name, ok := key.(types.String)
		if !ok {
			return fmt.Errorf("a key of type %s cannot be written as JSON", key.Type().TypeName())
		}
		entries[string(name)] = m.Get(key)
	}
	out.WriteByte('{')
	for i, name := range slices.Sorted(maps.Keys(entries)) {
		if i > 0 {
			out.WriteByte(',')
		}
		if err := writeString(out, name); err != nil {
			return err
		}
		out.WriteByte(':')
		if err := writeJSON(out, entries[name]); err != nil {
			return err
		}
	}
	out.WriteByte('}')
	return nil
}

func writeArray(out *bytes.Buffer, l traits.Lister) error {
	out.WriteByte('[')
	first := true
	for it := l.Iterator(); it.HasNext() == types.True; first = false {
		if !first {
			out.WriteByte(',')
		}
		if err := writeJSON(out, it.Next()); err != nil {
			return err
		}
	}
	out.WriteByte(']')
	return nil
}

func writeString(out *bytes.Buffer, s string) error {
	if !utf8.ValidString(s) {
		return errors.New("a string that is not UTF-8 cannot be written as JSON")
	}
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return err
	}
	out.Truncate(out.Len() - 1) // Encode ends with a line break
	return nil
}

func writeDouble(out *bytes.Buffer, f float64) error {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return fmt.Errorf("%v cannot be written as JSON", f)
	}
	raw, err := json.Marshal(f)
	out.Write(raw)
	return err
}
