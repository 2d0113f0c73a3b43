package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

func TestFlagsRefused(t *testing.T) {
	for args, says := range map[string]string{
		"--port=70000":         "port 70000 is not between",
		"--simulator-port=-1":  "port -1 is not between",
		"again":                `unexpected argument "again"`,
		"--keep-data=perhaps":  "invalid boolean value",
		"--no-such-flag --bin": "no-such-flag",
	} {
		t.Run(args, func(t *testing.T) {
			g := NewWithT(t)
			_, err := parseFlags(strings.Fields(args), "/repo", io.Discard)
			var usage usageError
			g.Expect(errors.As(err, &usage)).To(BeTrue())
			g.Expect(err).To(MatchError(ContainSubstring(says)))
		})
	}
}

func TestFolder(t *testing.T) {
	g := NewWithT(t)
	path := filepath.Join(t.TempDir(), ".dev")
	dir, unlock, err := openFolder(path, false)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(os.WriteFile(filepath.Join(dir, "ledger.jsonl"), nil, 0o600)).To(Succeed())

	_, _, err = openFolder(path, false)
	g.Expect(err).To(MatchError(ContainSubstring("another `make dev`")), "it would remove the data under the other's feet")
	unlock()

	_, unlock, err = openFolder(path, true)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(filepath.Join(dir, "ledger.jsonl")).To(BeAnExistingFile(), "--keep-data")
	unlock()

	_, unlock, err = openFolder(path, false)
	g.Expect(err).NotTo(HaveOccurred())
	defer unlock()
	g.Expect(filepath.Join(dir, "ledger.jsonl")).NotTo(BeAnExistingFile(), "a clean start")
}
