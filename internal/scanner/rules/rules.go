package rules

import (
	"context"
	"errors"

	"k8s.io/utils/ptr"

	"github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/celeval"
	"github.com/onebid-dev/onebid/internal/scanner/feed"
	"github.com/onebid-dev/onebid/pkg/scanner"
)

// Rules are a Config with its expressions compiled. They are safe for concurrent use.
type Rules struct {
	items   *celeval.Expression
	posting postingRules
	bid     bidRules

	suitable, score, reason *celeval.Expression
}

// New compiles all expressions. The error joins all that is wrong; each *FieldError names the field, and the position in
// the expression.
func New(c *Config) (*Rules, error) {
	var compiler compiler
	r := &Rules{
		items:    compiler.compile(feedScope, "feed.items", c.Feed.Items, wantItems),
		posting:  compiler.posting(&c.Posting),
		suitable: compiler.compile(evaluateScope, "evaluate.suitable", c.Evaluate.Suitable, wantBool),
		score:    compiler.compile(evaluateScope, "evaluate.score", c.Evaluate.Score, wantInt),
		reason:   compiler.compile(evaluateScope, "evaluate.reason", c.Evaluate.Reason, wantText),
		bid:      compiler.bid(&c.Bid),
	}
	return r, errors.Join(compiler.errs...)
}

// Select finds the items in a JSON document, as feed.Options wants it. It is nil when the configuration has no feed.items.
func (r *Rules) Select() func(context.Context, any) ([]any, error) {
	if r.items == nil {
		return nil
	}
	return func(ctx context.Context, document any) ([]any, error) {
		items, err := r.items.List(ctx, map[string]any{"feed": document})
		if err != nil {
			return nil, err
		}
		out := make([]any, len(items))
		for i, item := range items {
			if out[i], err = celeval.Native(item); err != nil {
				return nil, r.items.Wrap(err)
			}
		}
		return out, nil
	}
}

// Posting maps an item. The error names the field of the configuration, or of the Posting, and the value.
func (r *Rules) Posting(ctx context.Context, item feed.Item) (*v1alpha1.Posting, error) {
	v := evaluate(ctx, map[string]any{"item": item})
	posting := r.posting.apply(v)
	if v.err != nil {
		return nil, v.err
	}
	return posting, nil
}

// Decide evaluates a Posting that was made of the item. It makes no request, so it is cheap enough to be called before a
// lock is acquired.
func (r *Rules) Decide(ctx context.Context, item feed.Item, posting *v1alpha1.Posting) (scanner.Verdict, error) {
	vars := map[string]any{"item": item, "posting": seen(posting)}
	v := evaluate(ctx, vars)
	verdict := scanner.Verdict{Suitable: v.truth(r.suitable), Score: v.number(r.score, 0, 100), Reason: v.text(r.reason)}
	if v.err == nil && verdict.Suitable {
		score := ptr.Deref(verdict.Score, 0)
		vars["score"] = int64(score)
		verdict.Bid = r.bid.apply(ctx, v, input{Item: item, Posting: posting.Spec, Score: score})
	}
	if v.err != nil {
		return scanner.Verdict{}, v.err
	}
	return verdict, nil
}

// seen is the posting as expressions see it. What is missing is empty.
func seen(posting *v1alpha1.Posting) map[string]any {
	spec := posting.Spec
	budget := map[string]any{"min": "", "max": "", "currency": ""}
	if b := spec.Budget; b != nil {
		budget = map[string]any{"min": b.Min, "max": b.Max, "currency": b.Currency}
	}
	return map[string]any{
		"id": spec.PostingID, "title": spec.Title, "description": spec.Description, "url": spec.URL,
		"budget": budget, "skills": spec.Skills,
	}
}
