package v1alpha1_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/validation"
)

// metav1.Condition allows more; a word or two in CamelCase is what people know.
var camelCase = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`)

func TestReasonsAndConditionTypesAreWords(t *testing.T) {
	g := NewWithT(t)
	constants := stringConstants(t, "conditions.go")
	g.Expect(constants).NotTo(BeEmpty())
	for _, prefix := range []string{"Reason", "Condition"} {
		names := map[string]string{}
		for name, value := range constants {
			if !strings.HasPrefix(name, prefix) {
				continue
			}
			g.Expect(value).To(MatchRegexp(camelCase.String()), name)
			g.Expect(len(value)).To(BeNumerically("<=", 63), name)
			g.Expect(prefix+value).To(Equal(name), "a constant is named after its value")
			g.Expect(names).NotTo(HaveKey(value), "%s and %s say the same", name, names[value])
			names[value] = name
		}
		g.Expect(names).NotTo(BeEmpty())
	}
}

func TestEveryReasonIsDocumentedAtACondition(t *testing.T) {
	file, constants := parse(t, "conditions.go"), stringConstants(t, "conditions.go")
	var documented strings.Builder
	ast.Inspect(file, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.GenDecl:
			documented.WriteString(node.Doc.Text())
		case *ast.ValueSpec:
			documented.WriteString(node.Doc.Text())
		}
		return true
	})
	for name, value := range constants {
		if strings.HasPrefix(name, "Reason") {
			NewWithT(t).Expect(documented.String()).To(MatchRegexp(`\b`+value+`\b`), name)
		}
	}
}

func TestOurMetadataIsOurs(t *testing.T) {
	seen := map[string]string{}
	for name, value := range stringConstants(t, "conditions.go") {
		g := NewWithT(t)
		switch {
		case strings.HasPrefix(name, "Annotation"), strings.HasPrefix(name, "Finalizer"), strings.HasPrefix(name, "Label"):
			g.Expect(value).To(HavePrefix("onebid.dev/"), name)
			g.Expect(validation.IsQualifiedName(value)).To(BeEmpty(), name)
			g.Expect(seen).NotTo(HaveKey(value), name)
			seen[value] = name
		}
	}
	NewWithT(t).Expect(seen).NotTo(BeEmpty())
}

func parse(t *testing.T, file string) *ast.File {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return parsed
}

// stringConstants of a file of this package by name: a list written by hand would miss the next one.
func stringConstants(t *testing.T, file string) map[string]string {
	t.Helper()
	constants := map[string]string{}
	ast.Inspect(parse(t, file), func(node ast.Node) bool {
		spec, isValue := node.(*ast.ValueSpec)
		if !isValue {
			return true
		}
		for i, name := range spec.Names {
			if i >= len(spec.Values) {
				continue
			}
			if literal, isLiteral := spec.Values[i].(*ast.BasicLit); isLiteral && literal.Kind == token.STRING {
				value, err := strconv.Unquote(literal.Value)
				NewWithT(t).Expect(err).NotTo(HaveOccurred())
				constants[name.Name] = value
			}
		}
		return true
	})
	return constants
}
