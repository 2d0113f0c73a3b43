package rules

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"

	"github.com/onebid-dev/onebid/internal/celeval"
)

// The kinds of value that expressions give.
var (
	wantText = celeval.Kind{
		Words: "a string or a number",
		Types: []types.Kind{types.StringKind, types.IntKind, types.UintKind, types.DoubleKind},
	}
	wantInt   = celeval.Kind{Words: "a whole number", Types: []types.Kind{types.IntKind, types.UintKind, types.DoubleKind}}
	wantBool  = celeval.Kind{Words: "true or false", Types: []types.Kind{types.BoolKind}}
	wantTime  = celeval.Kind{Words: "a time", Types: []types.Kind{types.TimestampKind, types.StringKind}}
	wantTexts = celeval.Kind{Words: "a list of strings", Types: []types.Kind{types.ListKind}}
	wantItems = celeval.Kind{Words: "a list of objects", Types: []types.Kind{types.ListKind}}
)

// compiler collects every mistake of a configuration.
type compiler struct{ errs []error }

func (c *compiler) wrong(field, format string, args ...any) {
	c.errs = append(c.errs, &FieldError{field, fmt.Sprintf(format, args...)})
}

// compile gives nil for nothing.
func (c *compiler) compile(scope celeval.Scope, field, source string, want celeval.Kind) *celeval.Expression {
	if source == "" {
		return nil
	}
	e, err := celeval.Compile(language, scope, field, source, want)
	if err != nil {
		c.wrong(field, "%v", err)
	}
	return e
}

// evaluation runs expressions over the same variables. After the first error it gives zero values.
type evaluation struct {
	eval func(*celeval.Expression) (ref.Val, error)
	err  error
}

func evaluate(ctx context.Context, vars map[string]any) *evaluation {
	return &evaluation{eval: func(e *celeval.Expression) (ref.Val, error) { return e.Eval(ctx, vars) }}
}

func (v *evaluation) wrong(e *celeval.Expression, format string, args ...any) {
	if v.err == nil {
		v.err = e.Wrap(fmt.Errorf(format, args...))
	}
}

// value is nil for nothing.
func (v *evaluation) value(e *celeval.Expression) ref.Val {
	if v.err != nil {
		return nil
	}
	var value ref.Val
	value, v.err = v.eval(e)
	return value
}

// text is "" for nothing.
func (v *evaluation) text(e *celeval.Expression) string {
	value := v.value(e)
	if value == nil {
		return ""
	}
	text, ok := celeval.Text(value)
	if !ok {
		v.err = e.Wrong(value)
	}
	return text
}

// number is nil for nothing.
func (v *evaluation) number(e *celeval.Expression, least, most int64) *int32 {
	value := v.value(e)
	if value == nil {
		return nil
	}
	text, ok := celeval.Text(value)
	n, err := strconv.ParseInt(text, 10, 32)
	if _, isText := value.(types.String); !ok || isText || err != nil || n < least || n > most {
		v.wrong(e, "must give a whole number from %d to %d, not %v", least, most, value.Value())
		return nil
	}
	return new(int32(n))
}

// truth is false for nothing.
func (v *evaluation) truth(e *celeval.Expression) bool {
	value := v.value(e)
	truth, ok := value.(types.Bool)
	if value != nil && !ok {
		v.err = e.Wrong(value)
	}
	return bool(truth)
}

// moment is nil for nothing. A string is a time of RFC 3339.
func (v *evaluation) moment(e *celeval.Expression) *time.Time {
	switch value := v.value(e).(type) {
	case nil:
	case types.Timestamp:
		return &value.Time
	case types.String:
		at, err := time.Parse(time.RFC3339, string(value))
		if err == nil {
			return &at
		}
		v.wrong(e, "must give a time such as 2026-11-30T18:00:00Z, not %q", string(value))
	default:
		v.err = e.Wrong(value)
	}
	return nil
}

// texts is nil for nothing.
func (v *evaluation) texts(e *celeval.Expression) []string {
	value := v.value(e)
	if value == nil {
		return nil
	}
	list, ok := celeval.List(value)
	if !ok {
		v.err = e.Wrong(value)
	}
	var out []string
	for _, entry := range list {
		text, ok := celeval.Text(entry)
		if !ok {
			v.wrong(e, "must give %s", wantTexts.Words)
		}
		out = append(out, text)
	}
	return out
}
