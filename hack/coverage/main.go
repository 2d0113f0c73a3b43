// Command coverage is the gate for the packages whose correctness the promises rest on: it fails unless every
// statement of the given files and folders was run by the tests of their own package, and names the lines that were not.
//
//	go run ./hack/coverage bin/coverage.out api/v1alpha1/key.go internal/bidding internal/ownership
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"sort"
	"strconv"
	"strings"
)

const modulePath = "github.com/onebid-dev/onebid/"

var errNotCovered = errors.New("not every statement is covered")

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: coverage PROFILE FILE|FOLDER...")
		os.Exit(2)
	}
	if err := run(os.Stdout, os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "coverage:", err)
		os.Exit(1)
	}
}

func run(out io.Writer, profile string, gated []string) error {
	f, err := os.Open(profile)
	if err != nil {
		return fmt.Errorf("open the profile (`make test` writes it): %w", err)
	}
	defer func() { _ = f.Close() }()

	blocks, err := parse(f)
	if err != nil {
		return fmt.Errorf("read %s: %w", profile, err)
	}

	var failed error
	for _, path := range gated {
		if !report(out, path, blocks) {
			failed = errNotCovered
		}
	}
	return failed
}

// block is a run of statements that the compiler counts as one.
type block struct {
	file       string
	start, end int
}

type count struct{ statements, hits int }

var profileLine = regexp.MustCompile(`^(.+):(\d+)\.\d+,(\d+)\.\d+ (\d+) (\d+)$`)

// parse sums the hits of every block, since a profile of several test binaries lists a block once for each of them.
func parse(r io.Reader) (map[block]count, error) {
	blocks := map[block]count{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		m := profileLine.FindStringSubmatch(lines.Text())
		if m == nil {
			if strings.HasPrefix(lines.Text(), "mode: ") {
				continue
			}
			return nil, fmt.Errorf("not a line of a coverage profile: %q", lines.Text())
		}
		var n [4]int
		for i := range n {
			v, err := strconv.Atoi(m[i+2])
			if err != nil {
				return nil, fmt.Errorf("line %q: %w", lines.Text(), err)
			}
			n[i] = v
		}
		key := block{file: strings.TrimPrefix(m[1], modulePath), start: n[0], end: n[1]}
		c := blocks[key]
		blocks[key] = count{statements: c.statements + n[2], hits: c.hits + n[3]}
	}
	return blocks, lines.Err()
}

// report prints the result for one file or folder. Nothing measured counts as a failure: else moving a file would lift
// its gate without anybody noticing.
func report(out io.Writer, path string, blocks map[block]count) bool {
	path = strings.TrimSuffix(path, "/")
	total := 0
	var missed []block
	for b, c := range blocks {
		if b.file != path && !strings.HasPrefix(b.file, path+"/") {
			continue
		}
		total += c.statements
		if c.hits == 0 && c.statements > 0 {
			missed = append(missed, b)
		}
	}
	if total == 0 {
		_, _ = fmt.Fprintf(out, "%s: no statement was measured; is it still there, and does it have tests?\n", path)
		return false
	}
	if len(missed) == 0 {
		_, _ = fmt.Fprintf(out, "%s: every statement is covered\n", path)
		return true
	}
	sort.Slice(missed, func(i, j int) bool {
		if missed[i].file != missed[j].file {
			return missed[i].file < missed[j].file
		}
		return missed[i].start < missed[j].start
	})
	_, _ = fmt.Fprintf(out, "%s: must be covered wholly; these lines were not run by a test of their package:\n", path)
	for _, b := range missed {
		_, _ = fmt.Fprintf(out, "  %s:%d-%d\n", b.file, b.start, b.end)
	}
	return false
}
