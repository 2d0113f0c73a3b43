package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// result is everything that the final table shows.
type result struct {
	settings settings
	verdict  verdict
	scanners counts
	created  int
	killed   string // the manager that was killed; empty when none was
	recovery time.Duration
	before   []time.Duration // time to Active, of the Bids that were placed before the kill
	all      []time.Duration
	elapsed  time.Duration
}

// writeTable prints the outcome. The title of each part names the source.
func writeTable(out io.Writer, r result) {
	v := r.verdict
	section(out, fmt.Sprintf("What %d scanners were told by the API server", r.settings.scanners), []line{
		{"postings", grouped(r.settings.postings)},
		{"attempts (creates tried)", grouped(r.scanners.tried)},
		{"Bids created", grouped(r.created)},
		{"duplicates prevented by the name", grouped(r.scanners.refused)},
	})
	ledger := []line{
		{"place calls", grouped(v.PlaceCalls)},
		{"postings with a bid", grouped(v.Bids)},
		{"live bids", grouped(v.Live)},
		{"placed twice", grouped(v.PlacedTwice)},
		{"duplicates refused by the marketplace", grouped(v.RefusedThere)},
		{"withdrawn", grouped(v.Withdrawn)},
		{"still live after withdrawal", grouped(v.StillLive)},
	}
	if r.killed != "" {
		ledger = append(ledger, line{"place calls under way when " + r.killed + " was killed", grouped(v.CutOff)})
	}
	section(out, fmt.Sprintf("What the ledger of the marketplace says (%s, class %s)", r.settings.market, r.settings.class()), ledger)
	if v.Waiting > 0 {
		section(out, "What a marketplace of class None leaves to a person", []line{
			{"Bids that are Indeterminate", grouped(v.Waiting)},
		})
	}
	times := []line{{"", column("p50") + column("p99") + column("longest")}}
	if r.killed != "" {
		times = append(times, spread(fmt.Sprintf("the %s placed before the kill", grouped(len(r.before))), r.before))
	}
	times = append(times, spread(fmt.Sprintf("all %s", grouped(len(r.all))), r.all))
	section(out, fmt.Sprintf("Time from the acknowledged create to Placed=True, as a watching client sees it; the marketplace takes %s of it",
		seconds(replyAfter)), times)
	if r.killed != "" {
		section(out, "The kill", []line{
			{"killed with SIGKILL, not replaced", r.killed},
			{"until the last Bid from before it was placed", seconds(r.recovery)},
		})
	}
	fmt.Fprintf(out, "\n  Total time %s.\n", seconds(r.elapsed))
	writeVerdict(out, r.settings, v)
}

func writeVerdict(out io.Writer, s settings, v verdict) {
	switch {
	case len(v.Broken) == 0 && v.Waiting == 0:
		fmt.Fprintf(out, "\n  Every promise was kept: one live bid per posting, none lost, nothing withdrawn is live.\n")
		return
	case len(v.Broken) == 0:
		fmt.Fprintf(out, "\n  Every promise of class %s was kept: at most one live bid per posting, those that are Indeterminate say\n"+
			"  so and wait for a person, nothing withdrawn is live.\n", s.class())
		return
	}
	fmt.Fprintf(out, "\n  BROKEN PROMISES: %s\n", grouped(len(v.Broken)))
	writeBroken(out, v.Broken)
}

// writeBroken lists some of the postings; the rest is counted.
func writeBroken(out io.Writer, all []broken) {
	const most = 20
	for _, b := range all[:min(len(all), most)] {
		fmt.Fprintf(out, "    %q: %s\n", b.Posting, b.What)
	}
	if len(all) > most {
		fmt.Fprintf(out, "    … and %s more\n", grouped(len(all)-most))
	}
}

// line is a row of the table.
type line struct{ label, value string }

func section(out io.Writer, title string, lines []line) {
	widest := 0
	for _, l := range lines {
		widest = max(widest, utf8.RuneCountInString(l.value))
	}
	fmt.Fprintf(out, "\n  %s\n", title)
	for _, l := range lines {
		fmt.Fprintf(out, "    %-52s %*s\n", l.label, widest, l.value)
	}
}

func spread(label string, sorted []time.Duration) line {
	if len(sorted) == 0 {
		return line{label, column("–") + column("–") + column("–")}
	}
	return line{label, column(seconds(percentile(sorted, 50))) + column(seconds(percentile(sorted, 99))) +
		column(seconds(slices.Max(sorted)))}
}

func column(text string) string { return fmt.Sprintf("%10s", text) }

// seconds shows as many digits as mean something.
func seconds(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// grouped writes 20000 as 20,000.
func grouped(n int) string {
	digits := strconv.Itoa(n)
	var parts []string
	for len(digits) > 3 {
		parts = append([]string{digits[len(digits)-3:]}, parts...)
		digits = digits[:len(digits)-3]
	}
	return strings.Join(append([]string{digits}, parts...), ",")
}
