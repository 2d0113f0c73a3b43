package scenarios_test

import (
	"fmt"
	"os/exec"
	"testing"

	. "github.com/onsi/gomega"
)

// 27: each step of the protocol removed on purpose. `make mutate` removes them, one after the other; here is only seen that it
// leaves out none of the twenty rules.
func TestRow27EveryRuleIsRemovedOnPurpose(t *testing.T) {
	t.Parallel()
	const rules = 20
	g := NewWithT(t)
	list := exec.CommandContext(t.Context(), "go", "run", "./hack/mutate", "-list")
	list.Dir = world.Env.Root
	mutants, err := list.Output()
	g.Expect(err).NotTo(HaveOccurred())
	for rule := 1; rule <= rules; rule++ {
		g.Expect(string(mutants)).To(MatchRegexp(`(?m)^%s\s`, fmt.Sprintf("rule %d", rule)))
	}
}
