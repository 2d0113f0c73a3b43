// Package harness runs tests of whole processes: managers that it builds and starts with the rights of config/rbac, a real
// API server, and the simulator as the oracle that outlives them.
package harness

import (
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/onebid-dev/onebid/internal/marketsim"
	"github.com/onebid-dev/onebid/internal/testenv"
)

// atOnce is how many tests that call t.Parallel run at once. They wait most of their time.
const atOnce = "6"

// World is what the tests of a package share.
type World struct {
	Env *testenv.Environment
	Sim *marketsim.Client
	// Binary is the manager, built once for the package; Raced is the same with the race detector, where there is a C
	// compiler to build it.
	Binary, Raced string
}

// Main builds the manager, starts simulator and API server, runs the tests and returns their exit code.
func Main(m *testing.M, w *World) int {
	flag.Parse()
	if err := widen(); err != nil {
		return fail(err)
	}
	dir, err := os.MkdirTemp("", "onebid-harness-")
	if err != nil {
		return fail(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := w.build(dir); err != nil {
		return fail(fmt.Errorf("build the manager: %w", err))
	}
	server, err := marketsim.New(marketsim.Options{LedgerPath: filepath.Join(dir, "ledger.jsonl")})
	if err != nil {
		return fail(err)
	}
	web := httptest.NewUnstartedServer(server)
	web.Config.ConnState = server.ConnState
	web.Start()
	defer web.Close()
	defer func() { _ = server.Close() }()
	w.Sim = marketsim.NewClient(web.URL)
	return testenv.Main(m, testenv.Options{ControllerManager: true}, &w.Env)
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// widen lets more tests run at once than there are processors, unless -parallel was given.
func widen() error {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if given {
		return nil
	}
	return flag.Set("test.parallel", atOnce)
}

func (w *World) build(dir string) error {
	w.Binary = filepath.Join(dir, "manager")
	w.Raced = w.Binary
	if err := buildManager(w.Binary); err != nil {
		return err
	}
	if compiler, _ := exec.LookPath("gcc"); compiler == "" {
		fmt.Fprintln(os.Stderr, "no gcc: the managers run without the race detector")
		return nil
	}
	w.Raced = filepath.Join(dir, "manager-race")
	return buildManager(w.Raced, "-race")
}

func buildManager(out string, flags ...string) error {
	args := append([]string{"build", "-o", out}, flags...)
	build := exec.Command("go", append(args, "github.com/onebid-dev/onebid/cmd/manager")...)
	build.Stderr = os.Stderr
	return build.Run()
}
