// Package celobjects gives CEL expressions variables with named fields, so that a misspelt field is found when an
// expression is compiled and not when it is evaluated.
package celobjects

import (
	"maps"
	"slices"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
)

// Objects are types by their name, and the types of their fields by theirs. Values of such a type are plain maps.
type Objects map[string]map[string]*cel.Type

// Provider adds objects to the types of CEL.
func Provider(objects Objects, registry *types.Registry) types.Provider {
	return provider{registry, objects}
}

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

// Extend declares variables in an environment.
func Extend(base *cel.Env, variables map[string]*cel.Type) (*cel.Env, error) {
	options := make([]cel.EnvOption, 0, len(variables))
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		options = append(options, cel.Variable(name, variables[name]))
	}
	return base.Extend(options...)
}
