// Package crash_test ends, stops and cuts off managers at every boundary between two steps of the protocol, and holds the
// simulator's ledger against what onebid promises.
//
// `go test ./test/crash` runs a selection in less than a minute, `make crash` all of it.
package crash_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/onebid-dev/onebid/internal/testenv"
	"github.com/onebid-dev/onebid/internal/testenv/process"
	"github.com/onebid-dev/onebid/test/harness"
)

var (
	full  = flag.Bool("full", false, "run every cell, not only a selection")
	only  = flag.String("only", "", "run the cells whose name contains this text, or all of these, separated by commas")
	crews = flag.Int("crews", 9, "how many cells run at once; they wait most of their time")
	out   = flag.String("out", "", "folder for the table of results, and for ledger and logs of each cell that fails")
)

var world harness.World

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	if testing.Short() {
		return testenv.Main(m, testenv.Options{}, &world.Env)
	}
	if err := flag.Set("test.parallel", strconv.Itoa(*crews+1)); err != nil {
		return fail(err)
	}
	dir, err := os.MkdirTemp("", "onebid-crash-")
	if err != nil {
		return fail(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	world.Binary = filepath.Join(dir, "manager")
	if err := compile(world.Binary, "cmd/manager", "-tags", "failpoints"); err != nil {
		return fail(fmt.Errorf("build the manager: %w", err))
	}
	if err := compile(filepath.Join(dir, "marketsim"), "cmd/marketsim"); err != nil {
		return fail(fmt.Errorf("build the simulator: %w", err))
	}
	// A process of its own, so that nothing that ends or stops a manager touches it.
	simulator, err := process.StartSimulator(context.Background(), filepath.Join(dir, "marketsim"), filepath.Join(dir, "ledger.jsonl"), dir, 0)
	if err != nil {
		return fail(err)
	}
	defer simulator.Kill()
	world.Sim = simulator.Client
	return testenv.Main(m, testenv.Options{}, &world.Env)
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "crash:", err)
	return 1
}

func compile(binary, command string, flags ...string) error {
	args := append([]string{"build", "-o", binary}, flags...)
	cmd := exec.Command("go", append(args, "github.com/onebid-dev/onebid/"+command)...)
	cmd.Stderr = os.Stderr
	return cmd.Run()
}
