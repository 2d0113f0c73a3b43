// Package scanners_test runs the scanners that people copy, as processes: the examples, and the reference scanner from its
// feed to a live bid. The API server, the managers and the marketplace's ledger are real.
package scanners_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onebid-dev/onebid/test/harness"
)

var world harness.World

// The programs, built once.
var scannerBinary, clientGoBinary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "onebid-scanners-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	const module = "github.com/onebid-dev/onebid/"
	text, err := exec.Command("go", "build", "-o", dir, module+"cmd/scanner", module+"examples/clientgo").CombinedOutput()
	if err != nil {
		fmt.Fprintf(os.Stderr, "build the scanners: %v\n%s", err, text)
		return 1
	}
	scannerBinary, clientGoBinary = filepath.Join(dir, "scanner"), filepath.Join(dir, "clientgo")
	return harness.Main(m, &world)
}

// program is a process that is waited for.
type program struct {
	path  string
	args  []string
	stdin string
	env   []string
}

// run returns what it printed, and its error.
func (p program) run(t *testing.T) (stdout, stderr string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), p.path, p.args...)
	cmd.Stdin = strings.NewReader(p.stdin)
	cmd.Env = append(os.Environ(), p.env...)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	err = cmd.Run()
	return out.String(), complaints.String(), err
}
