package rules

import (
	"cmp"
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/onebid-dev/onebid/api/v1alpha1"
)

// Lengths that the API server takes, in characters. A text that is longer is cut; an ID or an amount never is.
const (
	maxTitle       = 512
	maxDescription = 16384
	maxURL         = 2048
	maxSkills      = 64
	maxSkill       = 128
)

// postingRules are the expressions of PostingConfig.
type postingRules struct {
	id, title, description, url, min, max, currency, skills, closesAt, closed *expression
}

func (c *compiler) posting(p *PostingConfig) postingRules {
	item := func(field, source string, want kind) *expression {
		return c.compile(itemScope, "posting."+field, source, want)
	}
	return postingRules{
		id:          item("id", p.ID, wantText),
		title:       item("title", p.Title, wantText),
		description: item("description", p.Description, wantText),
		url:         item("url", p.URL, wantText),
		min:         item("budget.min", p.Budget.Min, wantText),
		max:         item("budget.max", p.Budget.Max, wantText),
		currency:    item("budget.currency", p.Budget.Currency, wantText),
		skills:      item("skills", p.Skills, wantTexts),
		closesAt:    item("closesAt", p.ClosesAt, wantTime),
		closed:      item("closed", p.Closed, wantBool),
	}
}

// reading of several expressions keeps the first error.
type reading struct {
	vars map[string]any
	err  error
}

func read[T any](ctx context.Context, r *reading, get func(context.Context, map[string]any) (T, error)) T {
	var zero T
	if r.err != nil {
		return zero
	}
	value, err := get(ctx, r.vars)
	if err != nil {
		r.err = err
		return zero
	}
	return value
}

func (p *postingRules) apply(ctx context.Context, vars map[string]any) (*v1alpha1.Posting, error) {
	r := &reading{vars: vars}
	spec := v1alpha1.PostingSpec{
		PostingID:   read(ctx, r, p.id.text),
		Title:       clip(read(ctx, r, p.title.text), maxTitle),
		Description: clip(read(ctx, r, p.description.text), maxDescription),
		URL:         read(ctx, r, p.url.text),
		Skills:      skills(read(ctx, r, p.skills.texts)),
		ClosesAt:    at(read(ctx, r, p.closesAt.moment)),
	}
	budget := v1alpha1.PostingBudget{Min: read(ctx, r, p.min.text), Max: read(ctx, r, p.max.text), Currency: read(ctx, r, p.currency.text)}
	if read(ctx, r, p.closed.truth) {
		closed := true
		spec.Closed = &closed
	}
	if r.err != nil {
		return nil, r.err
	}
	if spec.PostingID == "" {
		return nil, p.id.wrong("gives nothing: a posting must have an ID")
	}
	if err := (v1alpha1.Key{Marketplace: "any", PostingID: spec.PostingID}).Validate(); err != nil {
		return nil, p.id.wrong("%w", err)
	}
	if utf8.RuneCountInString(spec.URL) > maxURL {
		spec.URL = "" // half of it leads nowhere
	}
	var err error
	spec.Budget, err = p.budget(budget)
	return &v1alpha1.Posting{Spec: spec}, err
}

// budget is nil when there is none; a currency alone is none.
func (p *postingRules) budget(b v1alpha1.PostingBudget) (*v1alpha1.PostingBudget, error) {
	if b.Min == "" && b.Max == "" {
		return nil, nil
	}
	return &b, cmp.Or(
		optionally(p.min, b.Min, amount), optionally(p.max, b.Max, amount), currency(p.currency, b.Currency))
}

func optionally(e *expression, value string, check func(*expression, string) error) error {
	if value == "" {
		return nil
	}
	return check(e, value)
}

// at keeps whole seconds, as the API server does.
func at(moment *time.Time) *metav1.Time {
	if moment == nil {
		return nil
	}
	return &metav1.Time{Time: moment.Truncate(time.Second)}
}

// skills are a set; those that do not fit are left out.
func skills(texts []string) []string {
	known := map[string]bool{}
	var out []string
	for _, text := range texts {
		text = clip(text, maxSkill)
		if text != "" && !known[text] && len(out) < maxSkills {
			known[text] = true
			out = append(out, text)
		}
	}
	return out
}

// clip cuts a text to so many characters.
func clip(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	runes := []rune(text)
	return fmt.Sprintf("%s…", string(runes[:most-1]))
}
