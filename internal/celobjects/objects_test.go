package celobjects_test

import (
	"testing"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	. "github.com/onsi/gomega"

	"github.com/onebid-dev/onebid/internal/celobjects"
)

func TestAMisspeltFieldIsFoundWhenItIsCompiled(t *testing.T) {
	g := NewWithT(t)
	registry, err := types.NewRegistry()
	g.Expect(err).NotTo(HaveOccurred())
	objects := celobjects.Objects{"bid": {"amount": cel.StringType}}
	base, err := cel.NewEnv(cel.CustomTypeAdapter(registry), cel.CustomTypeProvider(celobjects.Provider(objects, registry)))
	g.Expect(err).NotTo(HaveOccurred())
	env, err := celobjects.Extend(base, map[string]*cel.Type{"bid": cel.ObjectType("bid")})
	g.Expect(err).NotTo(HaveOccurred())

	_, issues := env.Compile("bid.amuont")
	g.Expect(issues.Err()).To(MatchError(ContainSubstring("undefined field 'amuont'")))
	_, issues = env.Compile("other.amount")
	g.Expect(issues.Err()).To(MatchError(ContainSubstring("undeclared reference to 'other'")))
	checked, issues := env.Compile("bid.amount + '0'")
	g.Expect(issues.Err()).NotTo(HaveOccurred())
	program, err := env.Program(checked)
	g.Expect(err).NotTo(HaveOccurred())
	value, _, err := program.Eval(map[string]any{"bid": map[string]any{"amount": "25"}})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(value.Value()).To(Equal("250"))
}
