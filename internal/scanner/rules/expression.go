package rules

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

const (
	// costLimit bounds one evaluation in CEL's own measure, evalTime bounds it once more: what an item holds has no type, so
	// CEL counts each call on it as one, however long the text is.
	costLimit = 1_000_000
	evalTime  = 2 * time.Second

	maxExpression = 4096
)

// kind of value that an expression must give.
type kind struct {
	words string
	kinds []types.Kind
}

var (
	wantText  = kind{"a string or a number", []types.Kind{types.StringKind, types.IntKind, types.UintKind, types.DoubleKind}}
	wantInt   = kind{"a whole number", []types.Kind{types.IntKind, types.UintKind, types.DoubleKind}}
	wantBool  = kind{"true or false", []types.Kind{types.BoolKind}}
	wantTime  = kind{"a time", []types.Kind{types.TimestampKind, types.StringKind}}
	wantTexts = kind{"a list of strings", []types.Kind{types.ListKind}}
	wantItems = kind{"a list of objects", []types.Kind{types.ListKind}}
)

func (k kind) accepts(t *cel.Type) bool {
	if t.Kind() == types.OpaqueKind && t.TypeName() == "optional_type" {
		t = t.Parameters()[0]
	}
	return t.Kind() == types.DynKind || slices.Contains(k.kinds, t.Kind())
}

// expression is a compiled expression. A nil one was not given, and gives nothing.
type expression struct {
	field   string
	program cel.Program
}

// compiler keeps what is wrong, so that all of it is told at once.
type compiler struct{ errs []error }

// compile checks an expression against the variables that it may see and the kind of value that it must give.
func (c *compiler) compile(see scope, field, source string, want kind) *expression {
	if source == "" {
		return nil
	}
	e, err := compile(see, field, source, want)
	if err != nil {
		c.errs = append(c.errs, err)
	}
	return e
}

func compile(see scope, field, source string, want kind) (*expression, error) {
	env, err := see.environment()
	if err != nil {
		return nil, err
	}
	checked, issues := env.CompileSource(common.NewStringSource(source, field))
	if issues.Err() != nil {
		return nil, &FieldError{field, fmt.Sprintf("must be an expression that gives %s and sees %s: %s", want.words, see.names(),
			strings.TrimPrefix(issues.Err().Error(), "ERROR: "+field+":"))}
	}
	if !want.accepts(checked.OutputType()) {
		return nil, &FieldError{field, fmt.Sprintf("must give %s, not %s:\n | %s", want.words,
			cel.FormatCELType(checked.OutputType()), source)}
	}
	program, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(costLimit), cel.InterruptCheckFrequency(100))
	if err != nil {
		return nil, &FieldError{field, fmt.Sprintf("must be an expression that can be run: %v:\n | %s", err, source)}
	}
	return &expression{field: field, program: program}, nil
}

// eval runs the expression. Null and a missing optional are nil. The error names the field.
func (e *expression) eval(ctx context.Context, vars map[string]any) (ref.Val, error) {
	if e == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, evalTime)
	defer cancel()
	value, _, err := e.program.ContextEval(ctx, vars)
	if err != nil {
		return nil, e.wrong("%w", err)
	}
	if optional, ok := value.(*types.Optional); ok {
		if !optional.HasValue() {
			return nil, nil
		}
		value = optional.GetValue()
	}
	if value.Type() == types.NullType {
		return nil, nil
	}
	return value, nil
}

func (e *expression) wrong(format string, args ...any) error {
	return fmt.Errorf("%s: %w", e.field, fmt.Errorf(format, args...))
}

// text gives "" for nothing. A number is spelled without an exponent.
func (e *expression) text(ctx context.Context, vars map[string]any) (string, error) {
	value, err := e.eval(ctx, vars)
	if err != nil || value == nil {
		return "", err
	}
	text, ok := spell(value)
	if !ok {
		return "", e.wrong("must give %s, not %s", wantText.words, value.Type().TypeName())
	}
	return text, nil
}

func spell(value ref.Val) (string, bool) {
	switch v := value.(type) {
	case types.String:
		return string(v), true
	case types.Int:
		return strconv.FormatInt(int64(v), 10), true
	case types.Uint:
		return strconv.FormatUint(uint64(v), 10), true
	case types.Double:
		return strconv.FormatFloat(float64(v), 'f', -1, 64), true
	}
	return "", false
}

// number gives false for nothing.
func (e *expression) number(ctx context.Context, vars map[string]any, least, most int64) (int32, bool, error) {
	value, err := e.eval(ctx, vars)
	if err != nil || value == nil {
		return 0, false, err
	}
	text, ok := spell(value)
	n, wrong := strconv.ParseInt(text, 10, 32)
	if _, isText := value.(types.String); !ok || isText || wrong != nil || n < least || n > most {
		return 0, false, e.wrong("must give a whole number from %d to %d, not %v", least, most, value.Value())
	}
	return int32(n), true, nil
}

// truth gives false for nothing.
func (e *expression) truth(ctx context.Context, vars map[string]any) (bool, error) {
	value, err := e.eval(ctx, vars)
	if err != nil || value == nil {
		return false, err
	}
	truth, ok := value.(types.Bool)
	if !ok {
		return false, e.wrong("must give %s, not %s", wantBool.words, value.Type().TypeName())
	}
	return bool(truth), nil
}

// moment gives nil for nothing. A string is a time of RFC 3339.
func (e *expression) moment(ctx context.Context, vars map[string]any) (*time.Time, error) {
	value, err := e.eval(ctx, vars)
	if err != nil || value == nil {
		return nil, err
	}
	switch v := value.(type) {
	case types.Timestamp:
		return &v.Time, nil
	case types.String:
		at, err := time.Parse(time.RFC3339, string(v))
		if err != nil {
			return nil, e.wrong("must give a time such as 2026-11-30T18:00:00Z, not %q", string(v))
		}
		return &at, nil
	}
	return nil, e.wrong("must give %s, not %s", wantTime.words, value.Type().TypeName())
}

// texts gives nil for nothing.
func (e *expression) texts(ctx context.Context, vars map[string]any) ([]string, error) {
	value, err := e.eval(ctx, vars)
	if err != nil || value == nil {
		return nil, err
	}
	list, ok := value.(traits.Lister)
	if !ok {
		return nil, e.wrong("must give %s, not %s", wantTexts.words, value.Type().TypeName())
	}
	var out []string
	for it := list.Iterator(); it.HasNext() == types.True; {
		text, ok := spell(it.Next())
		if !ok {
			return nil, e.wrong("must give %s", wantTexts.words)
		}
		out = append(out, text)
	}
	return out, nil
}
