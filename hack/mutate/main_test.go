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

// Code that moves takes its mutants along.
func TestEveryMutantIsStillThere(t *testing.T) {
	g := NewWithT(t)
	root, err := moduleRoot(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	names := map[string]bool{}
	for _, m := range all() {
		source, err := m.mutate(root)
		g.Expect(err).NotTo(HaveOccurred())
		_, err = parser.ParseFile(token.NewFileSet(), m.File, source, parser.SkipObjectResolution)
		g.Expect(err).NotTo(HaveOccurred(), m.Name)
		g.Expect(m.Seen).NotTo(BeEmpty(), m.Name)
		g.Expect(names).NotTo(HaveKey(m.Rule+m.Name), "two have one name")
		names[m.Rule+m.Name] = true
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

func mutant(old, changed string, seen ...Test) Mutant {
	return Mutant{Name: old + " becomes " + changed, Rule: "rule", File: "calc/calc.go", Old: old, New: changed, Seen: seen}
}

func TestOnlyATestThatFailsKills(t *testing.T) {
	g := NewWithT(t)
	add, zero, aside := Test{"calc", "TestAdd"}, Test{"calc", "TestZero"}, Test{"calc", "TestAside"}
	b := toy(t)
	results, err := b.run(t.Context(), []Mutant{
		mutant("a + b", "a - b", add),
		mutant("a + b", "a * b", zero, add),
		mutant("a + b", "a - b", zero),
		mutant("a + b", "a + c", add),
		mutant("\treturn a + b", "\tselect {}", add),
		mutant("\treturn a + b", "\tpanic(a)", aside),
		mutant("\treturn a + b", "\tpanic(a)", add),
	}, 2)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(results[0].by).To(Equal("calc.TestAdd"))
	g.Expect(results[1].by).To(Equal("calc.TestAdd"), "the second one sees it")
	g.Expect(results[2].killed()).To(BeFalse(), "a survivor")
	g.Expect(results[2].err).NotTo(HaveOccurred())
	g.Expect(results[3].err).To(MatchError(ContainSubstring("undefined: c")), "the compiler's error is no kill")
	g.Expect(results[4].err).To(MatchError(ContainSubstring("did not end")), "nor is a test that hangs")
	g.Expect(results[5].err).To(MatchError(ContainSubstring("without naming a test")), "nor one that falls over aside")
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
	for want, m := range map[string]Mutant{
		"is not green":        mutant("a + b", "a - b", Test{"calc", "TestRed"}),
		"has no TestGone":     mutant("a + b", "a - b", Test{"calc", "TestAdd|TestGone"}),
		"has it 2 times":      mutant("b", "a", Test{"calc", "TestAdd"}),
		"has it 0 times":      mutant("a / b", "a", Test{"calc", "TestAdd"}),
		"by something else":   mutant("a + b", "a + b", Test{"calc", "TestAdd"}),
		"list the imports of": mutant("a + b", "a - b", Test{"nowhere", "TestAdd"}),
		"no such file":        {Name: "lost", File: "gone.go"},
	} {
		t.Run(want, func(t *testing.T) {
			_, err := toy(t).run(t.Context(), []Mutant{m}, 1)
			NewWithT(t).Expect(err).To(MatchError(ContainSubstring(want)))
		})
	}
}
