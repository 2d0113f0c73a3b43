package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// Mutant is the product with one step of the protocol taken out or weakened.
type Mutant struct {
	// Rule or step that it breaks: "rule 6" of docs/decisions, "place 4" of the design, or the concern.
	Rule string
	// Name says what is wrong with it, in a few words. It is unique.
	Name string
	// Package is the folder with the code, from the root of the module, and Func the function or method, or the constant, variable
	// or type, that has it; a method of one type among several is written Type.Method.
	Package, Func string
	// Find is a piece of Func that occurs in it exactly once, however it is formatted; … stands for any balanced piece. Replace
	// takes its place.
	Find, Replace string
	// Seen are the tests that must see it, the fastest first, with | between them. One of them is enough.
	Seen string
	// SeenIn is the folder of these tests where it is not Package.
	SeenIn string
}

// test is some tests of a package, as a value that can be compared.
type test struct{ folder, names string }

func (m *Mutant) test() test {
	if m.SeenIn != "" {
		return test{m.SeenIn, m.Seen}
	}
	return test{m.Package, m.Seen}
}

// run is the regular expression for go test's -run.
func (t test) run() string { return "^(" + t.names + ")$" }

// load reads mutants, and refuses those that are incomplete or have the name of another one.
func load(path string) ([]Mutant, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var mutants []Mutant
	if err := yaml.UnmarshalStrict(text, &mutants); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	names := map[string]bool{}
	for _, m := range mutants {
		switch {
		case m.Rule == "" || m.Name == "" || m.Package == "" || m.Func == "" || m.Find == "" || m.Seen == "":
			return nil, fmt.Errorf("%s: mutant %q of %q needs rule, name, package, func, find and seen", path, m.Name, m.Rule)
		case names[m.Name]:
			return nil, fmt.Errorf("%s: two mutants are called %q", path, m.Name)
		}
		names[m.Name] = true
	}
	return mutants, nil
}

// mutate returns the path of the file and its text with the change.
func (m *Mutant) mutate(root string) (file string, changed []byte, err error) {
	places, elsewhere, err := search(filepath.Join(root, m.Package), m.Func, m.Find)
	if err != nil {
		return "", nil, fmt.Errorf("mutant %q: %w", m.Name, err)
	}
	if len(places) != 1 {
		hint := ""
		if len(elsewhere) > 0 {
			hint = "; it is in " + strings.Join(elsewhere, ", ")
		}
		return "", nil, fmt.Errorf("mutant %q: %s in %s must have this exactly once and has it %d times%s:\n%s",
			m.Name, m.Func, m.Package, len(places), hint, m.Find)
	}
	p := places[0]
	if sameText(string(p.source[p.from:p.to]), m.Replace) {
		return "", nil, fmt.Errorf("mutant %q changes nothing", m.Name)
	}
	changed = append(append(append([]byte{}, p.source[:p.from]...), m.Replace...), p.source[p.to:]...)
	return p.file, changed, nil
}

// overlay writes what go's -overlay needs, and returns its path.
func (m *Mutant) overlay(root, dir string) (string, error) {
	file, source, err := m.mutate(root)
	if err != nil {
		return "", err
	}
	mutated := filepath.Join(dir, "mutated.go")
	if err := os.WriteFile(mutated, source, 0o600); err != nil {
		return "", err
	}
	text, err := json.Marshal(map[string]map[string]string{"Replace": {file: mutated}})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, text, 0o600)
}
