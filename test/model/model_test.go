package model

import (
	"flag"
	"testing"
	"time"
)

var full = flag.Bool("full", false, "search every configuration, not only the small ones")

// run tells how far it is every few seconds.
func run(t *testing.T, c *config) result {
	t.Helper()
	last := time.Now()
	return c.search(func(states, depth int) {
		if time.Since(last) > 3*time.Second {
			last = time.Now()
			t.Logf("%s: %d states, %d steps deep", c.name, states, depth)
		}
	})
}

// The protocol keeps its promises with all rules.
func TestHolds(t *testing.T) {
	configs := within()[3:6]
	if *full {
		configs = append(within(), beyond()...)
	}
	var table []string
	for _, c := range configs {
		start := time.Now()
		r := run(t, &c)
		verdict := violationWords[r.verdict]
		if !r.whole {
			verdict = "not searched to the end"
		}
		table = append(table, row(c.name, r.states, r.depth, time.Since(start), verdict))
		if r.verdict != fine || !r.whole {
			t.Errorf("%s: %s\n%s", c.name, verdict, r.words())
		}
	}
	t.Log("\n" + head() + join(table))
}

// Without a rule it does not, or the others make up for it.
func TestEachRule(t *testing.T) {
	var table []string
	for _, m := range mutants() {
		c := m.in
		c.name, c.without = m.rule, m.rules
		start := time.Now()
		r := run(t, &c)
		table = append(table, row(m.rule, r.states, len(r.trace), time.Since(start), violationWords[r.verdict]))
		if broken := r.verdict != fine; broken == m.covered {
			t.Errorf("without the rule that %s: %s", m.rule, violationWords[r.verdict])
		}
	}
	t.Log("without the rule, and the steps of the shortest trace:\n" + head() + join(table))
}
