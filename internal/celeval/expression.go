package celeval

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
)

const (
	// evalTime bounds an evaluation, beside its cost, for what takes more time than the cost tells.
	evalTime = 2 * time.Second
	// maxOptionalMacros bounds optMap and optFlatMap: each writes what stands before it out twice.
	maxOptionalMacros = 8
)

// Kind of value that an expression must give.
type Kind struct {
	// Words for it in error messages, such as "a string".
	Words string
	// Types that are accepted. When an expression is compiled an optional of one of these is accepted too.
	Types []types.Kind
}

func (k Kind) accepts(t *cel.Type) bool {
	if t.Kind() == types.OpaqueKind && t.TypeName() == "optional_type" {
		t = t.Parameters()[0]
	}
	return t.Kind() == types.DynKind || slices.Contains(k.Types, t.Kind())
}

// Expression is a compiled expression. A nil one was not given, and gives nothing.
type Expression struct {
	// Field that the expression stands in.
	Field string

	kind      Kind
	program   cel.Program
	variables []string
	selected  map[string][]string // fields by variable
}

// Compile checks an expression against the variables that it may see and the kind of value that it must give. The error
// does not name the field.
func Compile(language Language, scope Scope, field, source string, want Kind) (*Expression, error) {
	if n := strings.Count(source, "optMap") + strings.Count(source, "optFlatMap"); n > maxOptionalMacros {
		return nil, fmt.Errorf("must use optMap and optFlatMap %d times at the most, not %d times", maxOptionalMacros, n)
	}
	env, err := scope.extend(language)
	if err != nil {
		return nil, err
	}
	checked, issues := env.CompileSource(common.NewStringSource(source, field))
	if issues.Err() != nil {
		found := strings.TrimPrefix(issues.Err().Error(), "ERROR: "+field+":")
		found = strings.ReplaceAll(found, " (in container '')", "") // a detail of protocol buffers
		return nil, fmt.Errorf("must be an expression that gives %s and sees %s: %s", want.Words, scope, found)
	}
	if !want.accepts(checked.OutputType()) {
		return nil, fmt.Errorf("must give %s, not %s:\n | %s", want.Words, cel.FormatCELType(checked.OutputType()), source)
	}
	program, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(language.costLimit),
		cel.CostTracking(bySize{language.costLimit}), cel.InterruptCheckFrequency(100))
	if err != nil {
		return nil, fmt.Errorf("must be an expression that can be run: %w:\n | %s", err, source)
	}
	e := &Expression{Field: field, kind: want, program: program, selected: map[string][]string{}}
	e.inspect(checked)
	return e, nil
}

// inspect records the variables that the expression uses, and the fields of them that it names.
func (e *Expression) inspect(checked *cel.Ast) {
	ast.MatchDescendants(ast.NavigateAST(checked.NativeRep()), func(x ast.NavigableExpr) bool {
		switch x.Kind() {
		case ast.IdentKind:
			e.variables = append(e.variables, x.AsIdent())
		case ast.SelectKind:
			if s := x.AsSelect(); s.Operand().Kind() == ast.IdentKind && !s.IsTestOnly() {
				e.selects(s.Operand(), s.FieldName())
			}
		case ast.CallKind:
			call := x.AsCall()
			if call.FunctionName() != operators.Index || call.Args()[1].Kind() != ast.LiteralKind {
				break
			}
			if key, ok := call.Args()[1].AsLiteral().(types.String); ok && call.Args()[0].Kind() == ast.IdentKind {
				e.selects(call.Args()[0], string(key))
			}
		default:
		}
		return false
	})
}

func (e *Expression) selects(variable ast.Expr, field string) {
	e.selected[variable.AsIdent()] = append(e.selected[variable.AsIdent()], field)
}

// Sees says whether the expression uses the variable.
func (e *Expression) Sees(variable string) bool {
	return e != nil && slices.Contains(e.variables, variable)
}

// Variables that the expression uses.
func (e *Expression) Variables() []string { return e.variables }

// Selected are the fields of a variable that the expression cannot do without; has() and .? ask for none.
func (e *Expression) Selected(variable string) []string {
	if e == nil {
		return nil
	}
	return e.selected[variable]
}

// Eval runs the expression. Null and a missing optional are nil. The end of the context does not stop it, the bounds do: a
// reply that came in time is read, or a bid that was placed would be unknown.
func (e *Expression) Eval(ctx context.Context, vars map[string]any) (ref.Val, error) {
	if e == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), evalTime)
	defer cancel()
	value, _, err := e.program.ContextEval(ctx, vars)
	if err != nil {
		return nil, e.Wrap(err)
	}
	return given(value), nil
}

// given is the value in an optional; nil for none and for null.
func given(value ref.Val) ref.Val {
	if optional, ok := value.(*types.Optional); ok {
		if !optional.HasValue() {
			return nil
		}
		value = optional.GetValue()
	}
	if _, null := value.(types.Null); null {
		return nil
	}
	return value
}

// Wrap puts the field before an error.
func (e *Expression) Wrap(err error) error { return fmt.Errorf("%s: %w", e.Field, err) }

// Wrong says that a value is of another kind than the expression must give.
func (e *Expression) Wrong(value ref.Val) error {
	if value == nil {
		return e.Wrap(errors.New("gives nothing: must give " + e.kind.Words))
	}
	return e.Wrap(fmt.Errorf("must give %s, not %s", e.kind.Words, value.Type().TypeName()))
}

// Text runs the expression. It is "" when it gives nothing.
func (e *Expression) Text(ctx context.Context, vars map[string]any) (string, error) {
	value, err := e.Eval(ctx, vars)
	if err != nil || value == nil {
		return "", err
	}
	text, ok := Text(value)
	if t, known := value.Type().(*types.Type); !ok || !known || !e.kind.accepts(t) {
		return "", e.Wrong(value)
	}
	return text, nil
}

// List runs the expression. That it gives nothing is an error.
func (e *Expression) List(ctx context.Context, vars map[string]any) ([]ref.Val, error) {
	value, err := e.Eval(ctx, vars)
	if err != nil {
		return nil, err
	}
	list, ok := List(value)
	if !ok {
		return nil, e.Wrong(value)
	}
	return list, nil
}
