package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// bench runs mutants.
type bench struct {
	root, dir string
	out       io.Writer
	// grace is how much longer than usual a test may take with a mutant, beside a multiple: machines have other things to do.
	grace time.Duration
	// flags for the tests of a package.
	flags map[string][]string
	// usual is how long tests take when nothing is wrong.
	usual map[test]time.Duration
}

// run makes sure that the tests are green without a mutant, then runs all mutants, in order, so many at once.
func (b *bench) run(ctx context.Context, mutants []Mutant, parallel int) ([]result, error) {
	for i := range mutants {
		if _, _, err := mutants[i].mutate(b.root); err != nil {
			return nil, err
		}
	}
	if err := b.unmutated(ctx, mutants); err != nil {
		return nil, err
	}
	results := make([]result, len(mutants))
	todo := make(chan int)
	p := &progress{out: b.out, total: len(mutants), started: time.Now()}
	var workers sync.WaitGroup
	for range parallel {
		workers.Go(func() {
			for i := range todo {
				results[i] = b.try(ctx, &mutants[i])
				p.done(&results[i])
			}
		})
	}
	for i := range mutants {
		todo <- i
	}
	close(todo)
	workers.Wait()
	return results, ctx.Err()
}

// unmutated runs every test that is to see something, to make sure that it is green by itself.
func (b *bench) unmutated(ctx context.Context, mutants []Mutant) error {
	b.flags, b.usual = map[string][]string{}, map[test]time.Duration{}
	var folders []string
	wanted := map[string][]test{}
	for _, m := range mutants {
		t := m.test()
		if wanted[t.folder] == nil {
			folders = append(folders, t.folder)
		}
		if !slices.Contains(wanted[t.folder], t) {
			wanted[t.folder] = append(wanted[t.folder], t)
		}
	}
	for i, folder := range folders {
		fmt.Fprintf(b.out, "mutate: [%d/%d] %s is green without a mutant? ", i+1, len(folders), folder)
		started := time.Now()
		if err := b.green(ctx, folder, wanted[folder]); err != nil {
			fmt.Fprintln(b.out, "no")
			return err
		}
		fmt.Fprintf(b.out, "yes (%s)\n", time.Since(started).Round(100*time.Millisecond))
	}
	return nil
}

// longest is how long any test may take without a mutant.
const longest = 2 * time.Minute

func (b *bench) green(ctx context.Context, folder string, tests []test) error {
	var err error
	if b.flags[folder], err = rapidFlags(ctx, b.root, folder); err != nil {
		return err
	}
	compiled, err := b.compile(ctx, folder, "", b.dir)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(compiled.path) }()
	for _, t := range tests {
		started := time.Now()
		how, _, output := compiled.test(ctx, t.run(), longest)
		if how != passed {
			return fmt.Errorf("without any mutant go test ./%s -run '%s' is not green; mend that first:\n%s", folder, t.run(), tail(output))
		}
		for name := range strings.SplitSeq(t.names, "|") {
			if !bytes.Contains(output, []byte("--- PASS: "+name+" ")) {
				return fmt.Errorf("%s has no %s, which is to see a mutant, or it is skipped", folder, name)
			}
		}
		b.usual[t] = time.Since(started)
	}
	return nil
}

// try runs one mutant against its tests until one sees it.
func (b *bench) try(ctx context.Context, m *Mutant) result {
	started := time.Now()
	name, err := b.hunt(ctx, m)
	return result{Mutant: m, by: name, err: err, took: time.Since(started)}
}

func (b *bench) hunt(ctx context.Context, m *Mutant) (string, error) {
	dir, err := os.MkdirTemp(b.dir, "mutant-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	overlay, err := m.overlay(b.root, dir)
	if err != nil {
		return "", err
	}
	t := m.test()
	compiled, err := b.compile(ctx, t.folder, overlay, dir)
	if err != nil {
		return "", fmt.Errorf("it must compile: %w", err)
	}
	switch how, name, output := compiled.test(ctx, t.run(), b.grace+5*b.usual[t]); how {
	case failed:
		return filepath.Base(t.folder) + "." + name, nil
	case passed:
		return "", nil
	case timedOut:
		return "", fmt.Errorf("go test ./%s -run '%s' did not end, which proves nothing:\n%s", t.folder, t.run(), tail(output))
	default:
		return "", fmt.Errorf("go test ./%s -run '%s' ended without naming a test that failed:\n%s", t.folder, t.run(), tail(output))
	}
}

const tailLines = 30

func tail(output []byte) string {
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	return strings.Join(lines[max(len(lines)-tailLines, 0):], "\n")
}
