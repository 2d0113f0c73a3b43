package rules

import (
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

func TestDefaults(t *testing.T) {
	g := NewWithT(t)
	c, err := ParseConfig([]byte("{marketplace: m, posting: {id: item.id}, bid: {price: {amount: '1', currency: \"'EUR'\"}}}"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(c.Feed.Interval()).To(Equal(time.Minute))
	g.Expect(c.Feed.Options().Timeout).To(Equal(30 * time.Second))
	r, err := New(c)
	g.Expect(err).NotTo(HaveOccurred())
	_, verdict, err := decide(t, r, item(nil))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(verdict.Suitable).To(BeTrue(), "without evaluate.suitable every posting is")
}

// All that is wrong is said at once: by field, value and what would be right, and where in the expression.
func TestABadConfigurationIsRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		edits []string
		says  []string
	}{
		"an unknown field": {[]string{"title:", "titel:"}, []string{`unknown field "posting.titel"`}},
		"what must be there": {
			[]string{"marketplace: rest", "", "id: item.id", "", "currency: posting.budget.currency", ""},
			[]string{"marketplace: must be set", "posting.id: must be set", "bid.price.currency: must be set"},
		},
		"a budget without currency": {[]string{`    currency: "'EUR'"`, ""}, []string{"posting.budget.currency: must be set"}},
		"an interval": {
			[]string{"feed:\n", "feed:\n  intervalSeconds: -5\n  timeoutSeconds: 601\n"},
			[]string{
				"feed.intervalSeconds: invalid value -5: must be from 1 to 86400",
				"feed.timeoutSeconds: invalid value 601: must be from 1 to 600",
			},
		},
		"headers": {
			[]string{"feed:\n", "feed:\n" + `  headers:
  - {name: "a b", value: x}
  - {name: X, value: "a\nb"}
  - {name: Auth}
  - {name: Z, value: a, file: b}
`},
			[]string{
				`feed.headers[0].name: invalid value "a b"`, "feed.headers[1].value", "feed.headers[2]: header Auth must have either",
				"feed.headers[3]: header Z must have either",
			},
		},
		"syntax": {[]string{"id: item.id", "id: item.id +"}, []string{
			"posting.id: must be an expression that gives a string or a number and sees item: 1:10: Syntax error",
		}},
		"an unknown variable": {
			[]string{"closed: item.?gone", "closed: posting.id == ''"}, []string{"posting.closed: ", "sees item: 1:8: ", "posting.id == ''"},
		},
		"a misspelt field": {
			[]string{"double(posting.budget.max) >= 100.0", "posting.budget.maximum != ''"},
			[]string{"evaluate.suitable: ", "1:15: undefined field 'maximum'"},
		},
		"several at once": {
			[]string{"title: item.title", "title: itme.title", "{{.Price.Currency}}.", "{{.Price.Currency"},
			[]string{"posting.title: ", "undeclared reference to 'itme'", "bid.proposal: must be a Go template", "unclosed action"},
		},
		"the wrong kind": {
			[]string{"closed: item.?gone", "closed: \"'yes'\"", "deliveryDays: 'score > 50 ? 14 : 7'", "deliveryDays: \"'soon'\""},
			[]string{"posting.closed: must give true or false, not string", "bid.deliveryDays: must give a whole number, not string"},
		},
		"too long": {
			[]string{"id: item.id", "id: \"" + strings.Repeat("item.id + ", 1000) + "'x'\""},
			[]string{"posting.id: ", "size exceeds limit"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			c, err := ParseConfig([]byte(strings.NewReplacer(tc.edits...).Replace(good)))
			if err == nil {
				_, err = New(c)
			}
			for _, says := range tc.says {
				g.Expect(err).To(MatchError(ContainSubstring(says)))
			}
		})
	}
	_, err := ParseConfig([]byte(" \n"))
	NewWithT(t).Expect(err).To(MatchError(ContainSubstring("empty: must be a mapping")))
}

func FuzzParseConfig(f *testing.F) {
	f.Add(good)
	f.Add("{marketplace: m, posting: {id: item.id}, bid: {price: {amount: '1', currency: \"'EUR'\"}}}")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseConfig([]byte(text))
		if err != nil {
			return
		}
		r, err := New(c)
		if err != nil {
			return
		}
		_, _, _ = decide(t, r, item(nil))
	})
}
