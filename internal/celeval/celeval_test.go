package celeval

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	. "github.com/onsi/gomega"
)

var (
	language = NewLanguage(1<<20, Objects{"bid": {"amount": cel.StringType}})
	scope    = Scope{"bid": cel.ObjectType("bid"), "any": cel.DynType}
	wantText = Kind{Words: "a string", Types: []types.Kind{types.StringKind, types.IntKind}}
	wantList = Kind{Words: "a list", Types: []types.Kind{types.ListKind}}
)

func TestMistakesAreFoundWhenAnExpressionIsCompiled(t *testing.T) {
	for source, want := range map[string]string{
		"bid.amuont":              "must be an expression that gives a string and sees any, bid: 1:4: undefined field 'amuont'",
		"other.amount":            "undeclared reference to 'other'\n",
		"bid.amount == '1'":       "must give a string, not bool",
		"optional.of([1])":        "must give a string, not optional_type(list(int))",
		"any.?a.optMap(x, x)":     "",
		"optional.of(bid.amount)": "",
	} {
		_, err := Compile(language, scope, "f", source, wantText)
		if want == "" {
			NewWithT(t).Expect(err).NotTo(HaveOccurred(), source)
			continue
		}
		NewWithT(t).Expect(err).To(MatchError(ContainSubstring(want)), source)
	}
}

func TestWhatAnExpressionNeeds(t *testing.T) {
	g := NewWithT(t)
	e, err := Compile(language, scope, "f", "has(any.c) ? any.a + any['b'] : bid.?amount.orValue('')", wantText)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(e.Selected("any")).To(ConsistOf("a", "b"))
	g.Expect(e.Sees("bid")).To(BeTrue())
	g.Expect(e.Sees("c")).To(BeFalse())
	var none *Expression
	g.Expect(none.Sees("any")).To(BeFalse())
	g.Expect(none.Text(t.Context(), nil)).To(BeEmpty())
}

func TestTexts(t *testing.T) {
	e, err := Compile(language, scope, "f", "any", wantText)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for _, c := range []struct {
		value      any
		want, says string
	}{
		{"x", "x", ""},
		{int64(7), "7", ""},
		{nil, "", ""},
		{types.OptionalNone, "", ""},
		{types.OptionalOf(types.String("x")), "x", ""},
		{1.5, "", "f: must give a string, not double"},
		{[]any{}, "", "f: must give a string, not list"},
	} {
		text, err := e.Text(t.Context(), map[string]any{"any": c.value})
		g := NewWithT(t)
		g.Expect(text).To(Equal(c.want))
		if c.says != "" {
			g.Expect(err).To(MatchError(c.says))
			continue
		}
		g.Expect(err).NotTo(HaveOccurred())
	}
}

// A list that is missing is no empty list.
func TestAListThatIsMissingIsAnError(t *testing.T) {
	g := NewWithT(t)
	e, err := Compile(language, scope, "f", "any", wantList)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(e.List(t.Context(), map[string]any{"any": []any{}})).To(BeEmpty())
	_, err = e.List(t.Context(), map[string]any{"any": nil})
	g.Expect(err).To(MatchError("f: gives nothing: must give a list"))
}

func TestTheEndOfTheContextDoesNotStopAnEvaluation(t *testing.T) {
	g := NewWithT(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	e, err := Compile(language, scope, "f", "string(any.filter(i, i > 1).size())", wantText)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(e.Text(ended, map[string]any{"any": make([]int64, 500)})).To(Equal("0"))
}

func TestTheCostLimitGrowsWithTheDocument(t *testing.T) {
	g := NewWithT(t)
	const source = "string(any.filter(a, any.exists(b, a == b)).size())"
	texts := make([]string, 150)
	for i := range texts {
		texts[i] = fmt.Sprintf("%1000d", i)
	}
	vars := map[string]any{"any": texts}
	small, err := Compile(language, scope, "f", source, wantText)
	g.Expect(err).NotTo(HaveOccurred())
	_, err = small.Text(t.Context(), vars)
	g.Expect(err).To(MatchError(ContainSubstring("cost limit exceeded")))
	large, err := Compile(NewLanguage(32<<20, nil), Scope{"any": cel.DynType}, "f", source, wantText)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(large.Text(t.Context(), vars)).To(Equal("150"))
}

func TestJSON(t *testing.T) {
	g := NewWithT(t)
	value := types.DefaultTypeAdapter.NativeToValue(map[string]any{
		"b": []any{int64(1), uint64(2), 0.5, true, nil}, "a": "<ü>",
	})
	g.Expect(JSON(value)).To(BeEquivalentTo(`{"a":"<ü>","b":[1,2,0.5,true,null]}`))
	g.Expect(JSON(nil)).To(BeEquivalentTo("null"))
	_, err := JSON(types.String("\xff"))
	g.Expect(err).To(MatchError(ContainSubstring("not UTF-8")))
	_, err = JSON(types.DefaultTypeAdapter.NativeToValue(map[int]string{1: "x"}))
	g.Expect(err).To(MatchError("a key of type int cannot be written as JSON"))
	_, err = TextMap(types.DefaultTypeAdapter.NativeToValue(map[string]any{"a": 0.1}))
	g.Expect(err).To(MatchError(`entry "a" must be a string, not double`))
}
