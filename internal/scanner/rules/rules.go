package rules

import (
	"context"
	"errors"

	"github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/scanner/feed"
	"github.com/onebid-dev/onebid/pkg/scanner"
)

// Rules are a Config with its expressions compiled. They are safe for concurrent use.
type Rules struct {
	items   *expression
	posting postingRules
	bid     bidRules

	suitable, score, reason *expression
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
		value, err := r.items.eval(ctx, map[string]any{"feed": document})
		if err != nil {
			return nil, err
		}
		if value == nil {
			return nil, r.items.wrong("gives nothing: must give %s", wantItems.words)
		}
		plain, err := native(value)
		if err != nil {
			return nil, r.items.wrong("%w", err)
		}
		list, ok := plain.([]any)
		if !ok {
			return nil, r.items.wrong("must give %s, not %s", wantItems.words, value.Type().TypeName())
		}
		return list, nil
	}
}

// Posting maps an item. The error names the field of the configuration, or of the Posting, and the value.
func (r *Rules) Posting(ctx context.Context, item feed.Item) (*v1alpha1.Posting, error) {
	return r.posting.apply(ctx, map[string]any{"item": item})
}

// Decide evaluates a Posting that was made of the item. Nothing is asked of anybody, so it is cheap enough to be called
// before a lock is acquired.
func (r *Rules) Decide(ctx context.Context, item feed.Item, posting *v1alpha1.Posting) (scanner.Verdict, error) {
	vars := map[string]any{"item": item, "posting": seen(posting)}
	var verdict scanner.Verdict
	var err error
	if verdict.Suitable, err = r.suitable.truth(ctx, vars); err != nil {
		return scanner.Verdict{}, err
	}
	score, scored, err := r.score.number(ctx, vars, 0, 100)
	if err != nil {
		return scanner.Verdict{}, err
	}
	if scored {
		verdict.Score = &score
	}
	if verdict.Reason, err = r.reason.text(ctx, vars); err != nil || !verdict.Suitable {
		return verdict, err
	}
	vars["score"] = int64(score)
	verdict.Bid, err = r.bid.apply(ctx, vars, input{Item: item, Posting: posting.Spec, Score: score})
	return verdict, err
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
