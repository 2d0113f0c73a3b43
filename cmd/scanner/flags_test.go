package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

// What is wrong is said by its name, its value and what would be right.
func TestBadFlagsAreRefused(t *testing.T) {
	config := filepath.Join("..", "..", "config", "scanner", "scanner.yaml")
	broken := filepath.Join(t.TempDir(), "broken.yaml")
	const wrong = "{marketplace: m, posting: {id: itme.id}, bid: {price: {amount: '1', currency: \"'EUR'\"}}}"
	if err := os.WriteFile(broken, []byte(wrong), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args []string
		says string
	}{
		{nil, "--config: must be the path of a file"},
		{[]string{"--config", config, "--namespace", "Team_A"}, `--namespace: "Team_A" is not a valid namespace name`},
		{[]string{"--config", config, "--concurrency", "0"}, "--concurrency: 0 must be at least 1"},
		{[]string{"--config", config, "--graceful-shutdown-timeout", "-1s"}, "--graceful-shutdown-timeout: -1s must not be negative"},
		{[]string{"--config", config, "--log-level", "loud"}, `--log-level: "loud" must be debug, info, warn or error`},
		{[]string{"--config", config, "--log-format", "xml"}, `--log-format: "xml" must be json or console`},
		{[]string{"--config", config, "--feed", "ftp://x/y", "--dry-run"}, `feed.location: invalid value "ftp://x/y": must be an http`},
		{[]string{"--config", config + ".gone"}, "--config: open"},
		{[]string{"--config", broken}, "broken.yaml: posting.id: must be an expression"},
		{[]string{"--config", config, "--kubeconfig", broken + ".gone", "--feed", "-"}, "cannot find the API server"},
		{[]string{"--conifg", config}, "unknown flag: --conifg"},
		{[]string{"dry-run"}, `unexpected argument "dry-run"`},
	} {
		t.Run(strings.Join(tc.args, " "), func(t *testing.T) {
			err := run(t.Context(), tc.args, strings.NewReader("[]"), &bytes.Buffer{})
			NewWithT(t).Expect(err).To(MatchError(ContainSubstring(tc.says)))
		})
	}
}

func TestTheVersionNeedsNoConfiguration(t *testing.T) {
	var out bytes.Buffer
	NewWithT(t).Expect(run(t.Context(), []string{"--version"}, nil, &out)).To(Succeed())
	NewWithT(t).Expect(out.String()).To(Equal("onebid scanner devel\n"))
}

// The documentation's example is the file that is shipped, and works as it stands.
func TestTheSampleWorks(t *testing.T) {
	g := NewWithT(t)
	config := filepath.Join("..", "..", "config", "scanner", "scanner.yaml")
	jobs := `{"jobs":[{"id":1,"title":"A","budget":{"max":300},"skills":["go"]}]}`
	var out bytes.Buffer
	g.Expect(run(t.Context(), []string{"--config", config, "--feed", "-", "--dry-run"}, strings.NewReader(jobs), &out)).To(Succeed())
	g.Expect(out.String()).To(ContainSubstring(`"amount":"270.00"`))

	text, err := os.ReadFile(config)
	g.Expect(err).NotTo(HaveOccurred())
	docs, err := os.ReadFile(filepath.Join("..", "..", "docs", "scanner-reference.md"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(docs)).To(ContainSubstring("```yaml\n" + string(text) + "```\n"))
}
