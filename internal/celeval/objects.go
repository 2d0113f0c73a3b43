package celeval

import (
	"maps"
	"slices"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
)

// Objects are types by name, each with the types of its fields, so that a misspelt field is found when an expression is
// compiled. Values of such a type are plain maps.
type Objects map[string]map[string]*cel.Type

// provider adds objects to the types of CEL.
type provider struct {
	*types.Registry
	objects Objects
}

// FindStructType is what cel-go asks for a type by its name.
func (p provider) FindStructType(name string) (*types.Type, bool) {
	if _, ok := p.objects[name]; ok {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return p.Registry.FindStructType(name)
}

// FindStructFieldNames is what cel-go asks for the fields of a type.
func (p provider) FindStructFieldNames(name string) ([]string, bool) {
	if fields, ok := p.objects[name]; ok {
		return slices.Sorted(maps.Keys(fields)), true
	}
	return p.Registry.FindStructFieldNames(name)
}

// FindStructFieldType is what cel-go asks for the type of a field.
func (p provider) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	if fields, ok := p.objects[name]; ok {
		t, found := fields[field]
		return &types.FieldType{Type: t}, found
	}
	return p.Registry.FindStructFieldType(name, field)
}
