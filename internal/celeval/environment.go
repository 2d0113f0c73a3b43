// Package celeval compiles and evaluates the CEL expressions of Marketplaces and of the reference scanner. Each evaluation
// is bounded in cost and in time, and errors name the field that the expression stands in.
package celeval

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
)

const (
	maxExpression = 4096 // characters
	maxNesting    = 100
)

// Language is the types and functions that expressions of one purpose may use, without variables.
type Language struct {
	base      func() (*cel.Env, error)
	costLimit uint64
}

// NewLanguage adds objects and functions to those of CEL itself. documentBytes is the size of the largest document that an
// expression reads: one evaluation may cost about what it takes to read that ten times.
func NewLanguage(documentBytes uint64, objects Objects, options ...cel.EnvOption) Language {
	base := sync.OnceValues(func() (*cel.Env, error) {
		registry, err := types.NewRegistry()
		if err != nil {
			return nil, err
		}
		return cel.NewEnv(append([]cel.EnvOption{
			cel.CustomTypeAdapter(registry),
			cel.CustomTypeProvider(provider{registry, objects}),
			cel.OptionalTypes(),
			cel.ParserExpressionSizeLimit(maxExpression),
			cel.ParserRecursionLimit(maxNesting),
		}, options...)...)
	})
	return Language{base: base, costLimit: documentBytes * 10 / bytesPerCost}
}

// Scope names the variables that an expression sees, with their types.
type Scope map[string]*cel.Type

// With adds a variable to a copy.
func (s Scope) With(name string, t *cel.Type) Scope {
	out := maps.Clone(s)
	out[name] = t
	return out
}

func (s Scope) names() []string { return slices.Sorted(maps.Keys(s)) }

func (s Scope) String() string { return strings.Join(s.names(), ", ") }

func (s Scope) extend(language Language) (*cel.Env, error) {
	base, err := language.base()
	if err != nil {
		return nil, err
	}
	options := make([]cel.EnvOption, 0, len(s))
	for _, name := range s.names() {
		options = append(options, cel.Variable(name, s[name]))
	}
	return base.Extend(options...)
}
