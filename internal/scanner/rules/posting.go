package rules

import (
	"time"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/celeval"
	"github.com/onebid-dev/onebid/internal/text"
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
	id, title, description, url, min, max, currency, skills, closesAt, closed *celeval.Expression
}

func (c *compiler) posting(p *PostingConfig) postingRules {
	item := func(field, source string, want celeval.Kind) *celeval.Expression {
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

func (p *postingRules) apply(v *evaluation) *v1alpha1.Posting {
	spec := v1alpha1.PostingSpec{
		PostingID:   v.text(p.id),
		Title:       text.CutRunes(v.text(p.title), maxTitle),
		Description: text.CutRunes(v.text(p.description), maxDescription),
		URL:         v.text(p.url),
		Skills:      skills(v.texts(p.skills)),
		ClosesAt:    at(v.moment(p.closesAt)),
		Budget:      p.budget(v),
	}
	if v.truth(p.closed) {
		spec.Closed = new(true)
	}
	if spec.PostingID == "" {
		v.wrong(p.id, "gives nothing: a posting must have an ID")
	} else if err := (v1alpha1.Key{Marketplace: "any", PostingID: spec.PostingID}).Validate(); err != nil {
		v.wrong(p.id, "%w", err)
	}
	if utf8.RuneCountInString(spec.URL) > maxURL {
		spec.URL = "" // half of it leads nowhere
	}
	return &v1alpha1.Posting{Spec: spec}
}

// budget is nil when there is none; a currency alone is none.
func (p *postingRules) budget(v *evaluation) *v1alpha1.PostingBudget {
	b := v1alpha1.PostingBudget{Min: v.text(p.min), Max: v.text(p.max), Currency: v.text(p.currency)}
	if b.Min == "" && b.Max == "" {
		return nil
	}
	if b.Min != "" {
		v.checkAmount(p.min, b.Min)
	}
	if b.Max != "" {
		v.checkAmount(p.max, b.Max)
	}
	v.checkCurrency(p.currency, b.Currency)
	return &b
}

// at keeps whole seconds, as the API server does.
func at(moment *time.Time) *metav1.Time {
	if moment == nil {
		return nil
	}
	return &metav1.Time{Time: moment.Truncate(time.Second)}
}

// skills are a set; those that do not fit are left out.
func skills(given []string) []string {
	known := map[string]bool{}
	var out []string
	for _, skill := range given {
		skill = text.CutRunes(skill, maxSkill)
		if skill != "" && !known[skill] && len(out) < maxSkills {
			known[skill] = true
			out = append(out, skill)
		}
	}
	return out
}
