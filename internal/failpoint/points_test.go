package failpoint_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/onebid-dev/onebid/internal/failpoint"
)

const root = "../.."

// Every point is in the list, and every one of the list is marked in the code, before and after.
func TestEveryPointIsMarked(t *testing.T) {
	g := NewWithT(t)
	names := constants(t)
	g.Expect(failpoint.All()).To(HaveLen(len(names)))
	marked := map[string]map[string]bool{"Before": {}, "After": {}}
	for _, folder := range []string{"cmd", "internal", "pkg"} {
		g.Expect(filepath.WalkDir(filepath.Join(root, folder), func(path string, _ fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
				marks(t, path, marked)
			}
			return err
		})).To(Or(Succeed(), MatchError(fs.ErrNotExist)))
	}
	for name, point := range names {
		g.Expect(failpoint.All()).To(ContainElement(point), name)
		g.Expect(marked["Before"]).To(HaveKey(name))
		g.Expect(marked["After"]).To(HaveKey(name))
	}
	g.Expect(marked["Before"]).To(HaveLen(len(names)), "a mark whose point is no constant of the list")
	g.Expect(marked["After"]).To(HaveLen(len(names)), "a mark whose point is no constant of the list")
}

// constants are the points that the package declares, by the names of their constants.
func constants(t *testing.T) map[string]failpoint.Point {
	t.Helper()
	out := map[string]failpoint.Point{}
	ast.Inspect(parse(t, "points.go"), func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if ok {
			value := spec.Values[0].(*ast.BasicLit).Value
			out[spec.Names[0].Name] = failpoint.Point(strings.Trim(value, `"`))
		}
		return !ok
	})
	return out
}

// marks notes the points that a file's calls of Before and After name, whether as failpoint.Place or, in this package,
// as Place.
func marks(t *testing.T, path string, marked map[string]map[string]bool) {
	t.Helper()
	inside := filepath.Base(filepath.Dir(path)) == "failpoint"
	ast.Inspect(parse(t, path), func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) == 0 {
			return true
		}
		if of := marked[member(call.Fun, inside)]; of != nil {
			of[member(call.Args[0], inside)] = true
		}
		return true
	})
}

// member is the name after "failpoint.", or the bare name inside the package; "" for anything else.
func member(e ast.Expr, inside bool) string {
	if name, ok := e.(*ast.Ident); ok && inside {
		return name.Name
	}
	selector, ok := e.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	if name, ok := selector.X.(*ast.Ident); !ok || name.Name != "failpoint" {
		return ""
	}
	return selector.Sel.Name
}

func parse(t *testing.T, path string) *ast.File {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// What is released has nothing of it: neither the variable that arms it nor a point.
func TestReleasedManagerHasNone(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves it out: it links the manager twice; make test runs it")
	}
	g := NewWithT(t)
	released, marked := manager(t), manager(t, "-tags", "failpoints")
	for _, word := range append([]failpoint.Point{"ONEBID_FAILPOINT_FILE"}, failpoint.LeaseTombstone, failpoint.AuditWithdraw) {
		g.Expect(bytes.Contains(released, []byte(word))).To(BeFalse(), "%s is in the released manager", word)
		g.Expect(bytes.Contains(marked, []byte(word))).To(BeTrue(), "%s is not even in the other one", word)
	}
}

func manager(t *testing.T, flags ...string) []byte {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "manager")
	build := exec.CommandContext(t.Context(), "go", append(append([]string{"build", "-o", binary}, flags...), "./cmd/manager")...)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
