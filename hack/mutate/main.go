// Command mutate is the mutation test of the protocol: it removes or weakens one step at a time, and fails unless a test turns
// red for each of them.
//
//	go run ./hack/mutate                  # all of them; the table is in bin/mutate.md as well
//	go run ./hack/mutate -only 'rule 13'  # those whose rule or name matches
//	go run ./hack/mutate -list
//
// The working tree is never touched: a mutant is compiled by way of go's -overlay.
//
// To add a mutant, put it into hack/mutate/mutants.yaml: what is wrong with it, the rule or step that it breaks, the function
// that has it, a piece of this function that occurs once, what replaces it, and the tests that must see it, the fastest first.
// If no test sees it, write the test. Formatting, comments and moves between files do not matter; a piece that is not found is an
// error that names the mutant, also of `go test ./hack/mutate`.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"syscall"
	"time"
)

// mutantsFile is the list, from the root of the module.
const mutantsFile = "hack/mutate/mutants.yaml"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("mutate", flag.ContinueOnError)
	only := flags.String("only", "", "a regular expression for the rules and names of the mutants to run; all by default")
	list := flags.Bool("list", false, "list the mutants and run nothing")
	parallel := flags.Int("parallel", runtime.NumCPU(), "how many mutants to run at once")
	report := flags.String("report", "bin/mutate.md", "the file for the table")
	if err := flags.Parse(args); err != nil {
		return err
	}
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	mutants, err := load(filepath.Join(root, mutantsFile))
	if err != nil {
		return err
	}
	chosen, err := choose(mutants, *only)
	if err != nil {
		return err
	}
	if *list {
		for _, m := range chosen {
			fmt.Fprintf(out, "%-22s %s\n", m.Rule, m.Name)
		}
		return nil
	}
	dir, err := os.MkdirTemp("", "onebid-mutate-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	b := &bench{root: root, dir: dir, out: out, grace: time.Minute}
	results, err := b.run(ctx, chosen, max(*parallel, 1))
	if err != nil {
		return err
	}
	return conclude(out, *report, results)
}

// choose picks mutants by what they are called or by the rule that they break.
func choose(mutants []Mutant, only string) ([]Mutant, error) {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return nil, fmt.Errorf("-only: %w", err)
	}
	var chosen []Mutant
	for _, m := range mutants {
		if pattern.MatchString(m.Rule + ": " + m.Name) {
			chosen = append(chosen, m)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("-only %q matches no mutant; see -list", only)
	}
	return chosen, nil
}
