package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// result is what became of a mutant.
type result struct {
	*Mutant
	// by is the test that saw it, "" when it survived.
	by   string
	took time.Duration
	// err is set when nothing can be said of it.
	err error
}

func (r *result) killed() bool { return r.err == nil && r.by != "" }

// progress reports each result, and how long the rest may take.
type progress struct {
	out     io.Writer
	total   int
	started time.Time

	mu       sync.Mutex
	finished int
}

func (p *progress) done(r *result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.finished++
	left := time.Since(p.started) / time.Duration(p.finished) * time.Duration(p.total-p.finished)
	fmt.Fprintf(p.out, "mutate: [%d/%d, %s left] %s: %s, %s (%s)\n",
		p.finished, p.total, left.Round(time.Second), r.Rule, r.Name, verdict(r), r.took.Round(100*time.Millisecond))
	if r.err != nil {
		fmt.Fprintln(p.out, r.err)
	}
}

func verdict(r *result) string {
	switch {
	case r.err != nil:
		return "ERROR"
	case r.by == "":
		return "SURVIVED"
	default:
		return "killed by " + r.by
	}
}

// conclude writes the table to the terminal and to a file, and fails for a survivor or an error.
func conclude(out io.Writer, path string, results []result) error {
	text := table(results)
	fmt.Fprint(out, "\n", text)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return err
	}
	var bad []string
	for i := range results {
		if r := &results[i]; !r.killed() {
			bad = append(bad, fmt.Sprintf("%s: %s: %s", verdict(r), r.Rule, r.Name))
		}
	}
	if len(bad) > 0 {
		return errors.New("no test saw these; write one for each:\n  " + strings.Join(bad, "\n  "))
	}
	return nil
}

// table is Markdown.
func table(results []result) string {
	var b strings.Builder
	killed := 0
	fmt.Fprint(&b, "| rule or step | what is missing | where | seen by | s |\n|---|---|---|---|---|\n")
	for i := range results {
		r := &results[i]
		seen := "**" + verdict(r) + "**"
		if r.killed() {
			killed++
			seen = r.by
		}
		fmt.Fprintf(&b, "| %s | %s | %s.%s | %s | %.1f |\n", r.Rule, r.Name, r.Package, r.Func, seen, r.took.Seconds())
	}
	fmt.Fprintf(&b, "\n%d of %d mutants were killed.\n", killed, len(results))
	return b.String()
}
