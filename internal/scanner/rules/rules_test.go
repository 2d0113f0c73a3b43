package rules

import (
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/celeval"
	"github.com/onebid-dev/onebid/internal/scanner/feed"
	"github.com/onebid-dev/onebid/pkg/scanner"
)

const good = `
marketplace: rest
feed:
  location: jobs.json
  items: feed.jobs.filter(j, j.open)
posting:
  id: item.id
  title: item.title
  description: item.?text.orValue('')
  budget:
    min: item.?budget.min
    max: item.?budget.max
    currency: "'EUR'"
  skills: item.?tags
  closesAt: item.?until
  closed: item.?gone
evaluate:
  suitable: double(posting.budget.max) >= 100.0 && 'go' in posting.skills
  score: 'math.least(100, int(double(posting.budget.max)) / 10)'
  reason: "'at most ' + posting.budget.max"
bid:
  price: {amount: "round(times(posting.budget.max, 0.9), 2)", currency: posting.budget.currency}
  deliveryDays: 'score > 50 ? 14 : 7'
  proposal: |
    We can do "{{.Posting.Title}}" for {{.Price.Amount}} {{.Price.Currency}}.
  attributes:
    milestone: "50"
    note: item.?note
`

func rules(t *testing.T, edits ...string) *Rules {
	t.Helper()
	c, err := ParseConfig([]byte(strings.NewReplacer(edits...).Replace(good)))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	r, err := New(c)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return r
}

func item(edits feed.Item) feed.Item {
	out := feed.Item{
		"id": int64(7), "title": "Logo", "budget": feed.Item{"min": int64(50), "max": 199.99}, "tags": []any{"go", "css", "go"},
		"until": "2026-11-30T18:00:00Z",
	}
	for name, value := range edits {
		out[name] = value
	}
	return out
}

func decide(t *testing.T, r *Rules, i feed.Item) (*v1alpha1.Posting, scanner.Verdict, error) {
	t.Helper()
	posting, err := r.Posting(t.Context(), i)
	if err != nil {
		return nil, scanner.Verdict{}, err
	}
	verdict, err := r.Decide(t.Context(), i, posting)
	return posting, verdict, err
}

func TestAnItemBecomesAPostingAndABid(t *testing.T) {
	g := NewWithT(t)
	posting, verdict, err := decide(t, rules(t), item(nil))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(posting.Spec.PostingID).To(Equal("7"), "a number is spelled as the feed spells it")
	g.Expect(posting.Spec.Title).To(Equal("Logo"))
	g.Expect(posting.Spec.Budget).To(Equal(&v1alpha1.PostingBudget{Min: "50", Max: "199.99", Currency: "EUR"}))
	g.Expect(posting.Spec.Skills).To(Equal([]string{"go", "css"}))
	g.Expect(posting.Spec.ClosesAt.Time).To(BeTemporally("==", time.Date(2026, 11, 30, 18, 0, 0, 0, time.UTC)))
	g.Expect(posting.Spec.Closed).To(BeNil())

	g.Expect(verdict.Suitable).To(BeTrue())
	g.Expect(*verdict.Score).To(BeEquivalentTo(19))
	g.Expect(verdict.Reason).To(Equal("at most 199.99"))
	g.Expect(verdict.Bid.Price).To(Equal(v1alpha1.Money{Amount: "179.99", Currency: "EUR"}), "199.99 times 0.9 is 179.991")
	g.Expect(verdict.Bid.DeliveryDays).To(BeEquivalentTo(7))
	g.Expect(verdict.Bid.Proposal).To(Equal(`We can do "Logo" for 179.99 EUR.`))
	g.Expect(verdict.Bid.Attributes).To(Equal(map[string]v1alpha1.AttributeValue{"milestone": "50"}), "what gives nothing is left out")
}

func TestAVerdictAgainstNeedsNoPrice(t *testing.T) {
	g := NewWithT(t)
	_, verdict, err := decide(t, rules(t, `round(times(posting.budget.max, 0.9), 2)`, `item.nothing`), item(feed.Item{"tags": []any{"css"}}))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(verdict.Suitable).To(BeFalse())
	g.Expect(verdict.Bid).To(Equal(v1alpha1.BidSpec{}))
	g.Expect(verdict.Reason).To(Equal("at most 199.99"), "it is kept with the verdict")
}

func TestAnOddItemIsAnErrorAndNoBid(t *testing.T) {
	for name, tc := range map[string]struct {
		item  feed.Item
		edits []string
		says  string
	}{
		"no ID":               {feed.Item{"id": nil}, nil, "posting.id: gives nothing"},
		"an empty ID":         {feed.Item{"id": ""}, nil, "posting.id: gives nothing"},
		"an ID of many bytes": {feed.Item{"id": strings.Repeat("ж", 51)}, nil, "posting.id: postingID: invalid value"},
		"an object as ID":     {feed.Item{"id": feed.Item{}}, nil, "posting.id: must give a string or a number, not map"},
		"a field is missing":  {nil, []string{"title: item.title", "title: item.name"}, "posting.title: no such key: name"},
		"a date that is none": {
			feed.Item{"until": "tomorrow"}, nil, `posting.closesAt: must give a time such as 2026-11-30T18:00:00Z, not "tomorrow"`,
		},
		"an odd budget":        {feed.Item{"budget": feed.Item{"max": "a lot"}}, nil, `posting.budget.max: gives "a lot": must be a decimal`},
		"a negative budget":    {feed.Item{"budget": feed.Item{"min": int64(-1)}}, nil, `posting.budget.min: gives "-1"`},
		"tags that are a word": {feed.Item{"tags": "go"}, nil, "posting.skills: must give a list of strings, not string"},
		"closed by a word":     {feed.Item{"gone": "no"}, nil, "posting.closed: must give true or false, not string"},
		"no budget":            {feed.Item{"budget": nil}, nil, "evaluate.suitable: type conversion error from 'string' to 'double'"},
		"a price of nothing": {
			nil, []string{"round(times(posting.budget.max, 0.9), 2)", "round(0.001, 2)"}, `bid.price.amount: gives "0.00": must be greater than 0`,
		},
		"a price of many digits": {
			nil, []string{"round(times(posting.budget.max, 0.9), 2)", "times(posting.budget.max, 0.333)"},
			`bid.price.amount: gives "66.59667": must be a decimal such as 250 or 12.50, with at most 4 decimals; round`,
		},
		"a score of 101": {
			nil, []string{"math.least(100, int(double(posting.budget.max)) / 10)", "101"},
			"evaluate.score: must give a whole number from 0 to 100, not 101",
		},
		"no days": {nil, []string{"score > 50 ? 14 : 7", "0"}, "bid.deliveryDays: must give a whole number from 1 to 3650, not 0"},
		"a template that finds nothing": {
			nil, []string{"{{.Posting.Title}}", "{{.Item.client}}"}, `map has no entry for key "client"`,
		},
		"an empty proposal": {
			nil, []string{`We can do "{{.Posting.Title}}" for {{.Price.Amount}} {{.Price.Currency}}.`, `{{""}}`}, "bid.proposal: gives nothing",
		},
		"a proposal too long": {
			feed.Item{"title": strings.Repeat("x", 500)}, []string{"{{.Posting.Title}}", "{{range 40}}{{$.Posting.Title}}{{end}}"},
			"must be at most 16384 bytes long",
		},
		"an expression without end": {
			nil, []string{"double(posting.budget.max) >= 100.0", "true && [1,2,3,4,5,6,7,8,9].all(a, [1,2,3,4,5,6,7,8,9].all(b, " +
				"[1,2,3,4,5,6,7,8,9].all(c, [1,2,3,4,5,6,7,8,9].all(d, [1,2,3,4,5,6,7,8,9].all(e, [1,2,3,4,5,6,7,8,9].all(f, " +
				"[1,2,3,4,5,6,7,8,9].all(g, true)))))))"},
			"evaluate.suitable: operation ", // cancelled by its cost, or on a slow machine interrupted by its time
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, verdict, err := decide(t, rules(t, tc.edits...), item(tc.item))
			NewWithT(t).Expect(err).To(MatchError(ContainSubstring(tc.says)))
			NewWithT(t).Expect(verdict.Bid).To(Equal(v1alpha1.BidSpec{}))
		})
	}
}

func TestLongTextsAreCutAndIDsNever(t *testing.T) {
	g := NewWithT(t)
	posting, err := rules(t).Posting(t.Context(), item(feed.Item{
		"title": strings.Repeat("ж", 600), "text": strings.Repeat("x", 20000), "id": strings.Repeat("x", 100),
	}))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect([]rune(posting.Spec.Title)).To(HaveLen(512))
	g.Expect(posting.Spec.Title).To(HaveSuffix("…"))
	g.Expect([]rune(posting.Spec.Description)).To(HaveLen(16384))
	g.Expect(posting.Spec.PostingID).To(HaveLen(100))
}

func TestItemsAreFoundInADocument(t *testing.T) {
	g := NewWithT(t)
	pick := rules(t).Select()
	items, err := pick(t.Context(), map[string]any{"jobs": []any{
		map[string]any{"id": int64(9007199254740993), "open": true, "budget": map[string]any{"max": 12.5}, "note": nil},
		map[string]any{"id": "b", "open": false},
	}})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(items).To(Equal([]any{
		map[string]any{"id": int64(9007199254740993), "open": true, "budget": map[string]any{"max": 12.5}, "note": nil},
	}))
	_, err = pick(t.Context(), map[string]any{"error": "maintenance"})
	g.Expect(err).To(MatchError(ContainSubstring("feed.items: no such key: jobs")))
	_, err = rules(t, "feed.jobs.filter(j, j.open)", "feed.jobs").Select()(t.Context(), map[string]any{"jobs": nil})
	g.Expect(err).To(MatchError("feed.items: gives nothing: must give a list of objects"))
	_, err = rules(t, "feed.jobs.filter(j, j.open)", "feed.jobs").Select()(t.Context(), map[string]any{"jobs": "none"})
	g.Expect(err).To(MatchError("feed.items: must give a list of objects, not string"))
	g.Expect(rules(t, "items: feed.jobs.filter(j, j.open)", "format: JSON").Select()).To(BeNil())
}

func TestMoneyIsExact(t *testing.T) {
	for source, want := range map[string]string{
		"times('19.99', 0.9)":      "17.991",
		"times(0.1, 3)":            "0.3",
		"times(1.15, '100')":       "115",
		"round(1.005, 2)":          "1.01",
		"round('2.5', 0)":          "3",
		"round(7, 2)":              "7.00",
		"round(times(33.33, 3),1)": "100.0",
	} {
		t.Run(source, func(t *testing.T) {
			g := NewWithT(t)
			e, err := celeval.Compile(language, itemScope, "x", source, wantText)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(e.Text(t.Context(), map[string]any{"item": nil})).To(Equal(want))
		})
	}
	for _, source := range []string{
		"times('a', 1)", "times('1e9', 1)", "round(1.5, 9)", "times(true, 1)", "round('" + strings.Repeat("9", 40) + "', 1)",
	} {
		e, err := celeval.Compile(language, itemScope, "x", source, wantText)
		if err == nil {
			_, err = e.Text(t.Context(), map[string]any{"item": nil})
		}
		NewWithT(t).Expect(err).To(MatchError(ContainSubstring("must be given")), source)
	}
}
