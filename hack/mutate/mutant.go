package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Mutant is the product with one step of the protocol taken out or weakened.
type Mutant struct {
	// Name says what is wrong with it, in a few words. No two share one.
	Name string
	// Rule or step that it breaks: "rule 6" of docs/decisions, "place 4" of the design, or the concern.
	Rule string
	// File to be changed, from the root of the module.
	File string
	// Old is a piece of the file that occurs in it exactly once, and New stands there instead.
	Old, New string
	// Seen are the tests that must see it, the fastest first. One of them is enough.
	Seen []Test
}

// Test is some tests of a package.
type Test struct {
	// Package folder, from the root of the module.
	Package string
	// Names of the tests, with | between them.
	Names string
}

// by names the tests of one package that see a mutant.
func by(folder, names string) []Test { return []Test{{folder, names}} }

// run is the regular expression for go test's -run.
func (t Test) run() string { return "^(" + t.Names + ")$" }

// mutate is the file with the change.
func (m *Mutant) mutate(root string) ([]byte, error) {
	source, err := os.ReadFile(filepath.Join(root, m.File))
	if err != nil {
		return nil, fmt.Errorf("mutant %q: %w", m.Name, err)
	}
	if n := bytes.Count(source, []byte(m.Old)); n != 1 || m.Old == m.New {
		return nil, fmt.Errorf("mutant %q: %s must have this exactly once, to be replaced by something else, and has it %d times:\n%s",
			m.Name, m.File, n, m.Old)
	}
	return []byte(strings.Replace(string(source), m.Old, m.New, 1)), nil
}

// overlay writes what go's -overlay wants to know, and returns where.
func (m *Mutant) overlay(root, dir string) (string, error) {
	source, err := m.mutate(root)
	if err != nil {
		return "", err
	}
	mutated := filepath.Join(dir, "mutated.go")
	if err := os.WriteFile(mutated, source, 0o600); err != nil {
		return "", err
	}
	text, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(root, m.File): mutated}})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, text, 0o600)
}
