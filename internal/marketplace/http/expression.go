package httpdriver

import (
	"context"
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

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/celobjects"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

const (
	// costLimit bounds one evaluation: about what it takes to read every byte of the largest reply ten times.
	costLimit = 1_000_000
	// evalTime bounds it once more, for what costs more time than the limit knows.
	evalTime = 2 * time.Second
	// maxOptionalMacros bounds optMap and optFlatMap: each writes what stands before it out twice.
	maxOptionalMacros = 8
)

// kind of value that an expression must give.
type kind struct {
	words string
	kinds []types.Kind
}

var (
	wantText = kind{"a string", []types.Kind{types.StringKind, types.IntKind, types.UintKind, types.OpaqueKind}}
	wantBool = kind{"true or false", []types.Kind{types.BoolKind}}
	wantList = kind{"a list", []types.Kind{types.ListKind}}
	wantMap  = kind{"a map", []types.Kind{types.MapKind}}
	wantAny  = kind{"a JSON value", []types.Kind{types.MapKind}}
)

func (k kind) accepts(t *cel.Type) bool {
	return t.Kind() == types.DynKind || slices.Contains(k.kinds, t.Kind())
}

// expression is a compiled expression. A nil one was not given.
type expression struct {
	field   string
	program cel.Program
	uses    []string // variables
	secrets []string // keys of the Secret that it cannot do without
	posting bool     // whether it asks for the posting of a remote bid
}

// compile checks an expression against the variables that it may see and the kind of value that it must give. The
// error is a *FieldError. Nothing gives nothing.
func compile(s scope, field string, source onebidv1.CELExpression, want kind) (*expression, error) {
	if source == "" {
		return nil, nil //nolint:nilnil // an expression that was not given is not an error
	}
	if n := strings.Count(string(source), "optMap") + strings.Count(string(source), "optFlatMap"); n > maxOptionalMacros {
		return nil, &marketplace.FieldError{Field: field, Reason: fmt.Sprintf(
			"must use optMap and optFlatMap %d times at the most, not %d times", maxOptionalMacros, n)}
	}
	env, err := s.environment()
	if err != nil {
		return nil, err
	}
	checked, issues := env.CompileSource(common.NewStringSource(string(source), field))
	if issues.Err() != nil {
		found := strings.TrimPrefix(issues.Err().Error(), "ERROR: "+field+":")
		found = strings.ReplaceAll(found, " (in container '')", "") // what that means nobody has to know
		return nil, &marketplace.FieldError{Field: field, Reason: fmt.Sprintf("must be an expression that gives %s and sees %s: %s%s",
			want.words, s.names(), found, s.hint(string(source)))}
	}
	if !want.accepts(checked.OutputType()) {
		return nil, &marketplace.FieldError{Field: field, Reason: fmt.Sprintf("must give %s, not %s:\n | %s", want.words,
			cel.FormatCELType(checked.OutputType()), source)}
	}
	program, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(costLimit),
		cel.CostTracking(bySize{}), cel.InterruptCheckFrequency(100))
	if err != nil {
		return nil, &marketplace.FieldError{Field: field, Reason: fmt.Sprintf("must be an expression that can be run: %v:\n | %s", err, source)}
	}
	e := &expression{field: field, program: program}
	e.inspect(checked)
	return e, nil
}

func (s scope) environment() (*cel.Env, error) {
	base, err := baseEnvironment()
	if err != nil {
		return nil, err
	}
	return celobjects.Extend(base, s)
}

// hint explains what people try and must not.
func (s scope) hint(source string) string {
	if _, ok := s["secret"]; !ok && strings.Contains(source, "secret") {
		return "\nsecret is seen only in headers and query values"
	}
	for _, moment := range [][2]string{{varToken, "oauth2"}, {varSignature, "hmac"}} {
		if _, ok := s[moment[0]]; !ok && strings.Contains(source, moment[0]) {
			return "\n" + moment[0] + " is seen only in headers, and with " + authField + "." + moment[1]
		}
	}
	return ""
}

// inspect notes what the expression asks for.
func (e *expression) inspect(checked *cel.Ast) {
	ast.MatchDescendants(ast.NavigateAST(checked.NativeRep()), func(x ast.NavigableExpr) bool {
		switch x.Kind() {
		case ast.IdentKind:
			e.uses = append(e.uses, x.AsIdent())
		case ast.SelectKind:
			e.inspectSelect(x.AsSelect())
		case ast.CallKind:
			call := x.AsCall()
			if call.FunctionName() == operators.Index && isIdent(call.Args()[0], "secret") {
				if key, ok := literal(call.Args()[1]); ok {
					e.secrets = append(e.secrets, key)
				}
			}
		default:
		}
		return false
	})
}

func (e *expression) inspectSelect(s ast.SelectExpr) {
	if isIdent(s.Operand(), "secret") && !s.IsTestOnly() {
		e.secrets = append(e.secrets, s.FieldName())
	}
	if isIdent(s.Operand(), "remote") && s.FieldName() == "postingID" {
		e.posting = true
	}
}

func isIdent(e ast.Expr, name string) bool { return e.Kind() == ast.IdentKind && e.AsIdent() == name }

func literal(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	s, ok := e.AsLiteral().(types.String)
	return string(s), ok
}

func (e *expression) sees(variable string) bool { return e != nil && slices.Contains(e.uses, variable) }

// late says whether the expression needs what only the moment of sending gives.
func (e *expression) late() bool { return e.sees(varToken) || e.sees(varSignature) || e.sees(varNow) }

// private says whether the expression's value must not be shown.
func (e *expression) private() bool {
	return e.sees("secret") || e.sees(varToken) || e.sees(varSignature)
}

// eval runs the expression. The error names the field. The caller's deadline does not count: a reply that came in time is
// read, or a bid that was placed would be unknown.
func (e *expression) eval(ctx context.Context, vars map[string]any) (ref.Val, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), evalTime)
	defer cancel()
	value, _, err := e.program.ContextEval(ctx, vars)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.field, err)
	}
	return value, nil
}

// text gives the string that the expression gives, "" when it gives none.
func (e *expression) text(ctx context.Context, vars map[string]any) (string, error) {
	if e == nil {
		return "", nil
	}
	value, err := e.eval(ctx, vars)
	if err != nil {
		return "", err
	}
	s, _, err := text(value)
	if err != nil {
		return "", fmt.Errorf("%s: %w", e.field, err)
	}
	return s, nil
}
