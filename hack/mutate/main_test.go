package main

import (
	"bytes"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

func TestEveryMutantIsFound(t *testing.T) {
	g := NewWithT(t)
	root, err := moduleRoot(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	mutants, err := load(filepath.Join(root, mutantsFile))
	g.Expect(err).NotTo(HaveOccurred())
	for _, m := range mutants {
		file, source, err := m.mutate(root)
		if err != nil {
			t.Error(err)
			continue
		}
		_, err = parser.ParseFile(token.NewFileSet(), file, source, parser.SkipObjectResolution)
		g.Expect(err).NotTo(HaveOccurred(), m.Name)
	}
}

func TestAMutantIsFoundHoweverItsCodeIsFormattedAndPlaced(t *testing.T) {
	root := t.TempDir()
	NewWithT(t).Expect(os.WriteFile(filepath.Join(root, "a.go"), []byte(`package a

var words = map[string]int{"live": 1,
	"won": 2, // a comment
}

type Sum struct{}

func (s *Sum) Add(a, b int) (int, error) {
	if err := check(a,
		b); err != nil { // why
		return 0, err
	}
	return a + b, nil
}

func check(a, b int) error { _ = a + b; return nil }
`), 0o600)).To(Succeed())
	for _, c := range []struct{ in, find, want, fails string }{
		{in: "Add", find: "if err := check(a, b); err != nil { … }", want: "X\n\treturn a + b, nil"},
		{in: "Sum.Add", find: "check(a, b); err != nil", want: "if err := X {"},
		{in: "Add", find: "a+b", want: "return X, nil"},
		{in: "words", find: `"won": 2`, want: "\tX, // a comment"},
		{in: "Add", find: "return 1, err", fails: "has it 0 times:"},
		{in: "Add", find: "_ = a + b", fails: "has it 0 times; it is in check"},
		{in: "Add", find: "err", fails: "has it 3 times"},
		{in: "gone", find: "return 1, err", fails: "there is no gone"},
		{in: "Add", find: "return …", fails: "begins or ends with nothing"},
	} {
		t.Run(c.in+" "+c.find, func(t *testing.T) {
			g := NewWithT(t)
			m := Mutant{Name: "m", Package: ".", Func: c.in, Find: c.find, Replace: "X"}
			_, changed, err := m.mutate(root)
			if c.fails != "" {
				g.Expect(err).To(MatchError(ContainSubstring(c.fails)))
				return
			}
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(string(changed)).To(ContainSubstring(c.want))
		})
	}
}

func TestLoadRefusesWhatIsIncompleteOrDoubled(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mutants.yaml")
	const whole = "- {rule: r, name: n, package: p, func: f, find: x, replace: y, seen: T}\n"
	for text, fails := range map[string]string{
		whole + whole:                           "two mutants are called",
		"- {rule: r, name: n}\n":                "needs rule, name",
		"- {rule: r, name: n, oops: 1}\n":       "unknown field",
		whole + "- {rule: r, name: m, file: f}": "unknown field",
	} {
		g := NewWithT(t)
		g.Expect(os.WriteFile(file, []byte(text), 0o600)).To(Succeed())
		_, err := load(file)
		g.Expect(err).To(MatchError(ContainSubstring(fails)))
	}
}

func TestChoose(t *testing.T) {
	g := NewWithT(t)
	mutants := []Mutant{{Rule: "rule 1", Name: "a"}, {Rule: "rule 13", Name: "b"}}
	chosen, err := choose(mutants, "^rule 1:")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(chosen).To(Equal(mutants[:1]))
	_, err = choose(mutants, "rule 2")
	g.Expect(err).To(MatchError(ContainSubstring("matches no mutant")))
	_, err = choose(mutants, "(")
	g.Expect(err).To(MatchError(ContainSubstring("-only")))
}

// toy is a module with one function, a test that sees whether it adds, and some that do not.
func toy(t *testing.T) *bench {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":       "module example.org/toy\n\ngo 1.26\n",
		"calc/calc.go": "package calc\n\nfunc Add(a, b int) int {\n\treturn a + b\n}\n",
		"calc/calc_test.go": `package calc

import "testing"

func TestAdd(t *testing.T) {
	if Add(2, 3) != 5 {
		t.Error("does not add")
	}
}

func TestZero(t *testing.T) {
	if Add(0, 0) != 0 {
		t.Error("nothing and nothing is nothing")
	}
}

func TestAside(t *testing.T) {
	done := make(chan int)
	go func() { done <- Add(1, 1) }()
	<-done
}

func TestRed(t *testing.T) { t.Error("always") }
`,
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return &bench{root: root, dir: t.TempDir(), out: &bytes.Buffer{}, grace: 2 * time.Second}
}

func mutant(find, replace, seen string) Mutant {
	return Mutant{Name: find + " becomes " + replace, Rule: "rule", Package: "calc", Func: "Add", Find: find, Replace: replace, Seen: seen}
}

func TestOnlyATestThatFailsKills(t *testing.T) {
	g := NewWithT(t)
	b := toy(t)
	results, err := b.run(t.Context(), []Mutant{
		mutant("a + b", "a - b", "TestAdd"),
		mutant("a + b", "a * b", "TestZero|TestAdd"),
		mutant("a + b", "a - b", "TestZero"),
		mutant("a + b", "a + c", "TestAdd"),
		mutant("return a + b", "select {}", "TestAdd"),
		mutant("return a + b", "panic(a)", "TestAside"),
		mutant("return a + b", "panic(a)", "TestAdd"),
	}, 2)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(results[0].by).To(Equal("calc.TestAdd"))
	g.Expect(results[1].by).To(Equal("calc.TestAdd"), "the second one sees it")
	g.Expect(results[2].killed()).To(BeFalse(), "a survivor")
	g.Expect(results[2].err).NotTo(HaveOccurred())
	g.Expect(results[3].err).To(MatchError(ContainSubstring("undefined: c")), "the compiler's error is no kill")
	g.Expect(results[4].err).To(MatchError(ContainSubstring("did not end")), "nor is a test that hangs")
	g.Expect(results[5].err).To(MatchError(ContainSubstring("without naming a test")), "nor a panic outside of the test")
	g.Expect(results[6].by).To(Equal("calc.TestAdd"))

	report := filepath.Join(t.TempDir(), "bin", "mutate.md")
	out := &bytes.Buffer{}
	g.Expect(conclude(out, report, results[:2])).To(Succeed())
	err = conclude(out, report, results)
	g.Expect(err).To(MatchError(ContainSubstring("SURVIVED: rule: a + b becomes a - b")))
	g.Expect(err).To(MatchError(ContainSubstring("ERROR: rule: a + b becomes a + c")))
	table, err := os.ReadFile(report)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(table)).To(ContainSubstring("3 of 7 mutants were killed."))
	g.Expect(out.String()).To(ContainSubstring("| calc.TestAdd |"))
}

func TestWhatIsRedOrMissingStopsTheRun(t *testing.T) {
	elsewhere := mutant("a + b", "a - b", "TestAdd")
	elsewhere.SeenIn = "nowhere"
	for want, m := range map[string]Mutant{
		"is not green":        mutant("a + b", "a - b", "TestRed"),
		"has no TestGone":     mutant("a + b", "a - b", "TestAdd|TestGone"),
		"has it 2 times":      mutant("b", "a", "TestAdd"),
		"changes nothing":     mutant("a + b", "a+b", "TestAdd"),
		"list the imports of": elsewhere,
	} {
		t.Run(want, func(t *testing.T) {
			_, err := toy(t).run(t.Context(), []Mutant{m}, 1)
			NewWithT(t).Expect(err).To(MatchError(ContainSubstring(want)))
		})
	}
}
