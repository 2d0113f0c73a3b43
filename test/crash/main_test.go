// Package crash_test ends, stops and cuts off managers at every boundary between two steps of the protocol, and holds the
// simulator's ledger against what onebid promises.
//
// `go test ./test/crash` runs a selection in less than a minute, `make crash` all of it.
package crash_test

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/onebid-dev/onebid/internal/marketsim"
	"github.com/onebid-dev/onebid/internal/testenv"
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
	stop, err := startSimulator(dir)
	if err != nil {
		return fail(err)
	}
	defer stop()
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

// startSimulator runs the oracle as a process of its own, so that nothing that ends or stops a manager touches it.
func startSimulator(dir string) (stop func(), err error) {
	cmd := exec.Command(filepath.Join(dir, "marketsim"), "--listen", "127.0.0.1:0", "--ledger", filepath.Join(dir, "ledger.jsonl"))
	cmd.Stderr = os.Stderr
	harness.DieWithParent(cmd)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "marketsim listening on ")
	if err != nil || !ok {
		stop()
		return nil, errors.Join(fmt.Errorf("the simulator says %q", line), err)
	}
	world.Sim = marketsim.NewClient(url)
	return stop, nil
}
