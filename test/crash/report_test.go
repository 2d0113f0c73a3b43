package crash_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// report tells how far the matrix is, and in the end what came of each cell.
type report struct {
	total int
	start time.Time

	mu     sync.Mutex
	rows   []string
	failed int
	told   time.Time
}

func newReport(total int) *report {
	now := time.Now()
	return &report{total: total, start: now, told: now}
}

// add notes a result, and prints how far it is every few seconds and at each failure.
func (r *report) add(c cell, took time.Duration, failed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	verdict := "ok"
	switch {
	case failed:
		verdict = "FAILED"
		r.failed++
	case c.twice():
		verdict = "two live bids, as expected"
	}
	r.rows = append(r.rows, fmt.Sprintf("| %s | %s | %s | %s | %s | %.1f s | %s |",
		c.play.name, c.point, c.side, c.fault, c.class, took.Seconds(), verdict))
	if failed {
		fmt.Fprintf(os.Stderr, "crash: FAILED after %v: %s\n", time.Since(r.start).Round(time.Second), c)
	}
	if failed || time.Since(r.told) > 5*time.Second || len(r.rows) == r.total {
		r.told = time.Now()
		elapsed := time.Since(r.start)
		left := elapsed / time.Duration(len(r.rows)) * time.Duration(r.total-len(r.rows))
		fmt.Fprintf(os.Stderr, "crash: %d of %d cells, %d failed, %v, about %v to go\n",
			len(r.rows), r.total, r.failed, elapsed.Round(time.Second), left.Round(time.Second))
	}
}

// write puts the table into the folder of -out.
func (r *report) write() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	summary := fmt.Sprintf("%d of %d cells ran in %v, %d failed.", len(r.rows), r.total, time.Since(r.start).Round(time.Second), r.failed)
	fmt.Fprintln(os.Stderr, "crash:", summary)
	if *out == "" {
		return nil
	}
	table := append([]string{
		"# Crash matrix", "", summary, "", "| play | point | side | fault | class | time | result |", "|---|---|---|---|---|---|---|",
	}, r.rows...)
	file := filepath.Join(*out, "crash.md")
	fmt.Fprintln(os.Stderr, "crash: the table is in", file)
	return os.WriteFile(file, []byte(strings.Join(table, "\n")+"\n"), 0o600)
}
