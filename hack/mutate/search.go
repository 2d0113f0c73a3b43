package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// place is where a pattern matches: a range of a file.
type place struct {
	file     string
	source   []byte
	from, to int
}

// search finds a pattern in the declarations of a package that have the name. elsewhere names the other declarations
// that have it.
func search(folder, name, pattern string) (places []place, elsewhere []string, err error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return nil, nil, err
	}
	wanted := tokensOf([]byte(pattern))
	if len(wanted) == 0 || wanted[0].text == anything || wanted[len(wanted)-1].text == anything {
		return nil, nil, fmt.Errorf("the pattern %q begins or ends with nothing that can be found", pattern)
	}
	found := false
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			return nil, nil, err
		}
		declarations, err := declarationsOf(file, source)
		if err != nil {
			return nil, nil, err
		}
		tokens := tokensOf(source)
		for _, d := range declarations {
			matches := matchesIn(tokens, wanted, d.from, d.to)
			if !slices.Contains(d.names, name) {
				if len(matches) > 0 {
					elsewhere = append(elsewhere, d.names[0])
				}
				continue
			}
			found = true
			for _, m := range matches {
				places = append(places, place{file, source, m[0], m[1]})
			}
		}
	}
	if !found && len(elsewhere) == 0 {
		err = fmt.Errorf("there is no %s in %s", name, folder)
	}
	return places, elsewhere, err
}

// declaration is a range of a file, under all names that it can be asked for.
type declaration struct {
	names    []string
	from, to int
}

func declarationsOf(file string, source []byte) (out []declaration, err error) {
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	add := func(node ast.Node, names ...string) {
		out = append(out, declaration{names, set.Position(node.Pos()).Offset, set.Position(node.End()).Offset})
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch d := n.(type) {
		case *ast.FuncDecl:
			add(d, d.Name.Name, receiverOf(d)+"."+d.Name.Name)
		case *ast.ValueSpec:
			add(d, d.Names[0].Name)
		case *ast.TypeSpec:
			add(d, d.Name.Name)
		}
		return n == parsed || isGenDecl(n)
	})
	return out, nil
}

func isGenDecl(n ast.Node) bool {
	_, ok := n.(*ast.GenDecl)
	return ok
}

// receiverOf is the type that a function is a method of, without pointer and type parameters.
func receiverOf(d *ast.FuncDecl) (name string) {
	if d.Recv != nil {
		ast.Inspect(d.Recv.List[0].Type, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && name == "" {
				name = id.Name
			}
			return name == ""
		})
	}
	return name
}

// anything in a pattern matches tokens until the one that follows it, whose brackets are balanced.
const anything = "…"

// goToken is a token of Go, without what only formatting adds: comments, and commas and semicolons before a closing bracket.
type goToken struct {
	text     string
	from, to int
}

func tokensOf(source []byte) (out []goToken) {
	set := token.NewFileSet()
	file := set.AddFile("", -1, len(source))
	var s scanner.Scanner
	s.Init(file, source, func(token.Position, string) {}, 0) // a pattern need not be Go
	for {
		pos, kind, literal := s.Scan()
		text := literal
		switch {
		case kind == token.EOF:
			return trimEnd(out)
		case kind == token.SEMICOLON || text == "":
			text = kind.String()
		}
		if closes(text) {
			out = trimEnd(out)
		}
		from := file.Offset(pos)
		out = append(out, goToken{text, from, from + len(text)})
	}
}

func trimEnd(tokens []goToken) []goToken {
	if n := len(tokens) - 1; n >= 0 && (tokens[n].text == ";" || tokens[n].text == ",") {
		return tokens[:n]
	}
	return tokens
}

func opens(text string) bool  { return text == "(" || text == "[" || text == "{" }
func closes(text string) bool { return text == ")" || text == "]" || text == "}" }

// matchesIn returns the ranges of the source between two offsets that match.
func matchesIn(source, pattern []goToken, from, to int) (out [][2]int) {
	for i := range source {
		if source[i].from < from {
			continue
		}
		if end, ok := matchAt(source[i:], pattern); ok && end <= to {
			out = append(out, [2]int{source[i].from, end})
		}
	}
	return out
}

// matchAt returns where a match ends that begins with the source.
func matchAt(source, pattern []goToken) (end int, ok bool) {
	for p, want := range pattern {
		if want.text == anything {
			n := balanced(source, pattern[p+1].text)
			source = source[n:]
			continue
		}
		if len(source) == 0 || source[0].text != want.text {
			return 0, false
		}
		end, source = source[0].to, source[1:]
	}
	return end, true
}

// balanced counts the tokens before the next one with the text that is inside no bracket of its own.
func balanced(source []goToken, next string) int {
	depth := 0
	for i, t := range source {
		switch {
		case depth == 0 && t.text == next, depth == 0 && closes(t.text):
			return i
		case opens(t.text):
			depth++
		case closes(t.text):
			depth--
		}
	}
	return len(source)
}

// sameText reports whether two pieces are the same but for their formatting.
func sameText(a, b string) bool {
	return slices.EqualFunc(tokensOf([]byte(a)), tokensOf([]byte(b)), func(x, y goToken) bool { return x.text == y.text })
}
