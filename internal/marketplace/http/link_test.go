package httpdriver

import (
	"strings"
	"testing"

	"github.com/google/cel-go/common/types"
	. "github.com/onsi/gomega"

	"github.com/onebid-dev/onebid/internal/celeval"
)

func TestNextLink(t *testing.T) {
	for _, c := range []struct{ why, header, want string }{
		{"as most write it", `<https://m.example/bids?page=2>; rel="next", <https://m.example/bids?page=9>; rel="last"`,
			"https://m.example/bids?page=2"},
		{"behind others", `<?page=1>; rel=prev, <?page=3>; rel=next`, "?page=3"},
		{"one of several relations, in any case", `<?a=1>; REL="last Next"`, "?a=1"},
		{"the first rel counts", `<?a=1>; rel=prev; rel=next`, ""},
		{"a comma and a semicolon in the address", `<?a=1,2;3>; rel=next`, "?a=1,2;3"},
		{"a comma in a title", `<?a=1>; title="one, \"two\"; rel=next"; rel=prev, <?a=2>; rel=next`, "?a=2"},
		{"about something else", `<?a=1>; rel=next; anchor="/other"`, ""},
		{"a parameter without a value", `<?a=1>; crossorigin; rel=next`, "?a=1"},
		{"odd spaces and empty elements", " ,\t<?a=1> ;\trel = next , ,", "?a=1"},
		{"a relation that only contains the word", `<?a=1>; rel="nextish"`, ""},
		{"none", `<?a=1>; rel=last`, ""},
		{"nothing", "", ""},
	} {
		t.Run(c.why, func(t *testing.T) {
			got, err := nextLink(c.header)
			NewWithT(t).Expect(got, err).To(Equal(c.want))
		})
	}
}

func TestLinksThatCannotBeRead(t *testing.T) {
	for _, header := range []string{
		"https://m.example/?page=2", "<?page=2", `<?page=2>; title="no end`, "<?page=2> rel=next", ">; rel=next", "<%zz>; rel=next",
	} {
		_, err := nextLink(header)
		NewWithT(t).Expect(err).To(HaveOccurred(), header)
	}
}

// TestLinkNext reads the header as expressions see it.
func TestLinkNext(t *testing.T) {
	e, err := compile(replyScope, "next", "queryOf(linkNext(response.headers))", wantMap)
	g := NewWithT(t)
	g.Expect(err).NotTo(HaveOccurred())
	next := func(header map[string]string) (map[string]string, error) {
		value, err := e.Eval(t.Context(), map[string]any{"response": map[string]any{"headers": header}})
		if err != nil {
			return nil, err
		}
		return celeval.TextMap(value)
	}
	g.Expect(next(map[string]string{"link": "<?page=2&limit=5>; rel=next"})).To(Equal(map[string]string{"page": "2", "limit": "5"}))
	g.Expect(next(map[string]string{"link": "<?page=2>; rel=last"})).To(BeEmpty())
	g.Expect(next(nil)).To(BeEmpty())
	for header, want := range map[string]string{
		"page 2":                "angle brackets",
		"<pages/2>; rel=next":   "must be given a URL with a query",
		"<?page=%zz>; rel=next": "one that can be read",
	} {
		_, err := next(map[string]string{"link": header})
		g.Expect(err).To(MatchError(ContainSubstring(want)), header)
	}
	g.Expect(linkNext(types.String("x"))).To(WithTransform(types.IsError, BeTrue()))
}

// FuzzLink never finds a next page that the header does not hold between angle brackets, and always ends.
func FuzzLink(f *testing.F) {
	f.Add(`<https://m.example/bids?page=2>; rel="next", <?page=9>; rel="last"`)
	f.Add(`<?a=1>; title="x\"y"; rel=prev, <?a=2>;rel=next`)
	f.Add(`<>;=;rel=next`)
	f.Add("<a>;rel=\"next\\")
	f.Fuzz(func(t *testing.T, header string) {
		next, err := nextLink(header)
		if err == nil && next != "" && !strings.Contains(header, "<"+next+">") {
			t.Fatalf("%q leads to %q", header, next)
		}
		if err != nil && next != "" {
			t.Fatalf("%q leads to %q and cannot be read: %v", header, next, err)
		}
	})
}
