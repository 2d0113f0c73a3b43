package celeval

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// Text reads a string out of a string or a number, which is spelled without an exponent.
func Text(value ref.Val) (string, bool) {
	switch v := value.(type) {
	case types.String:
		return string(v), true
	case types.Int:
		return strconv.FormatInt(int64(v), 10), true
	case types.Uint:
		return strconv.FormatUint(uint64(v), 10), true
	case types.Double:
		return strconv.FormatFloat(float64(v), 'f', -1, 64), true
	case nil:
		return "", false
	}
	n, ok := value.Value().(json.Number)
	return n.String(), ok
}

// List reads a list.
func List(value ref.Val) ([]ref.Val, bool) {
	list, ok := value.(traits.Lister)
	if !ok {
		return nil, false
	}
	out := []ref.Val{}
	for it := list.Iterator(); it.HasNext() == types.True; {
		out = append(out, it.Next())
	}
	return out, true
}

// TextMap reads a map of strings; missing values are left out. A double is no string: its spelling is not what was sent.
func TextMap(value ref.Val) (map[string]string, error) {
	m, ok := value.(traits.Mapper)
	if !ok {
		return nil, fmt.Errorf("must be a map of strings, not %s", typeName(value))
	}
	out := map[string]string{}
	for it := m.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		name, ok := key.(types.String)
		if !ok {
			return nil, fmt.Errorf("must be a map of strings, not one with a key of type %s", key.Type().TypeName())
		}
		entry := given(m.Get(key))
		if entry == nil {
			continue
		}
		text, ok := Text(entry)
		if _, double := entry.(types.Double); !ok || double {
			return nil, fmt.Errorf("entry %q must be a string, not %s", string(name), typeName(entry))
		}
		out[string(name)] = text
	}
	return out, nil
}

func typeName(value ref.Val) string {
	if value == nil {
		return "null"
	}
	return value.Type().TypeName()
}

// JSON writes a value, with the keys of maps in order.
func JSON(value ref.Val) ([]byte, error) {
	plain, err := Native(value)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err = encoder.Encode(plain)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}

// Native turns a value of CEL into what a JSON document becomes when it is read.
func Native(value ref.Val) (any, error) {
	switch v := value.(type) {
	case nil, types.Null:
		return nil, nil
	case types.String:
		return native(v)
	case types.Double:
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return nil, fmt.Errorf("%v cannot be written as JSON", v)
		}
		return float64(v), nil
	case types.Int, types.Uint, types.Bool:
		return v.Value(), nil
	case traits.Mapper:
		return nativeMap(v)
	case traits.Lister:
		return nativeList(v)
	}
	if n, ok := value.Value().(json.Number); ok {
		return n, nil
	}
	return nil, fmt.Errorf("a value of type %s cannot be written as JSON", value.Type().TypeName())
}

func native(s types.String) (string, error) {
	if !utf8.ValidString(string(s)) {
		return "", errors.New("a string that is not UTF-8 cannot be written as JSON")
	}
	return string(s), nil
}

func nativeList(list traits.Lister) ([]any, error) {
	out := []any{}
	for it := list.Iterator(); it.HasNext() == types.True; {
		entry, err := Native(it.Next())
		if err != nil {
			return nil, err
		}
		out = append(out, entry)
	}
	return out, nil
}

func nativeMap(m traits.Mapper) (map[string]any, error) {
	out := map[string]any{}
	for it := m.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		name, ok := key.(types.String)
		if !ok {
			return nil, fmt.Errorf("a key of type %s cannot be written as JSON", key.Type().TypeName())
		}
		text, err := native(name)
		if err != nil {
			return nil, err
		}
		if out[text], err = Native(m.Get(key)); err != nil {
			return nil, err
		}
	}
	return out, nil
}
