package rules

import (
	"fmt"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// native turns a value of CEL into what a JSON document becomes when package feed reads it.
func native(value ref.Val) (any, error) {
	switch v := value.(type) {
	case types.String, types.Int, types.Double, types.Bool:
		return v.Value(), nil
	case types.Null:
		return nil, nil
	case traits.Mapper:
		return nativeMap(v)
	case traits.Lister:
		out := []any{}
		for it := v.Iterator(); it.HasNext() == types.True; {
			entry, err := native(it.Next())
			if err != nil {
				return nil, err
			}
			out = append(out, entry)
		}
		return out, nil
	}
	return nil, fmt.Errorf("a value of type %s is no JSON", value.Type().TypeName())
}

func nativeMap(m traits.Mapper) (map[string]any, error) {
	out := map[string]any{}
	for it := m.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		name, ok := key.(types.String)
		if !ok {
			return nil, fmt.Errorf("a key of type %s is no JSON", key.Type().TypeName())
		}
		entry, err := native(m.Get(key))
		if err != nil {
			return nil, err
		}
		out[string(name)] = entry
	}
	return out, nil
}
