package httpdriver

import (
	"context"
	"errors"
	"strings"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/interpreter"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
)

func intentOf(operation string) wire.Intent {
	return operation == marketplace.OpPlace || operation == marketplace.OpWithdraw
}

func (d *Driver) classify(ctx context.Context, c *wire.Call, r *wire.Reply) *marketplace.Error {
	return c.Classify(r, func(r *wire.Reply) (onebidv1.ErrorClass, error) { return d.rule(ctx, c.Operation, r) })
}

// rule finds the first of the spec's rules that matches. A rule that asks for what the reply does not have does not.
func (d *Driver) rule(ctx context.Context, operation string, r *wire.Reply) (onebidv1.ErrorClass, error) {
	if len(d.plan.errors) == 0 {
		return "", nil
	}
	vars := varsOf(r)
	vars["operation"] = operation
	for _, rule := range d.plan.errors {
		value, err := rule.when.Eval(ctx, vars)
		var cancelled interpreter.EvalCancelledError
		if errors.As(err, &cancelled) {
			return "", err
		}
		if err == nil && value == types.True {
			return rule.class, nil
		}
	}
	return "", nil
}

// varsOf gives what expressions see of the reply.
func varsOf(r *wire.Reply) map[string]any {
	headers := map[string]string{}
	for name, values := range r.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	return map[string]any{"response": map[string]any{"status": int64(r.Status), "headers": headers, "body": r.Body}}
}
