package scanner_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

// The program in docs/scanner.md is the one in examples/sdk, it is as short as promised, and it works with a scanner's
// rights.
func TestTheProgramInTheDocs(t *testing.T) {
	w := newWorld(t)
	example := filepath.Join(env.Root, "examples", "sdk")
	program, err := os.ReadFile(filepath.Join(example, "main.go"))
	w.Expect(err).NotTo(HaveOccurred())
	page, err := os.ReadFile(filepath.Join(env.Root, "docs", "scanner.md"))
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(string(page)).To(ContainSubstring("```go\n" + string(program) + "```\n"))
	w.Expect(strings.Count(string(program), "\n")).To(BeNumerically("<", 30))

	binary := filepath.Join(t.TempDir(), "scanner")
	text, err := exec.Command("go", "build", "-o", binary, example).CombinedOutput()
	w.Expect(err).NotTo(HaveOccurred(), "%s", text)
	for _, outcome := range []string{"Created", "Duplicate"} {
		cmd := exec.Command(binary, w.ns, marketName)
		cmd.Env = append(os.Environ(), "KUBECONFIG="+w.user.Kubeconfig)
		cmd.Stdin = strings.NewReader("1\nJob 2\n")
		text, err := cmd.CombinedOutput()
		w.Expect(err).NotTo(HaveOccurred(), "%s", text)
		w.Expect(string(text)).To(And(ContainSubstring("1 "+outcome), ContainSubstring("Job 2 "+outcome)))
	}
	w.Expect(w.bids()).To(HaveLen(2))
}
