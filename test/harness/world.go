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
	"syscall"
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
	if err := w.build(); err != nil {
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

// build keeps the binaries in bin/test, so that a package does not link again what another one has linked.
func (w *World) build() error {
	root, err := testenv.Root()
	if err != nil {
		return err
	}
	dir := filepath.Join(root, "bin", "test")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	w.Binary = filepath.Join(dir, "manager")
	w.Raced = w.Binary
	if err := buildManager(w.Binary); err != nil {
		return err
	}
	if compiler, _ := exec.LookPath("gcc"); compiler == "" {
		fmt.Fprintln(os.Stderr, "no gcc: the managers run without the race detector")
		return nil
	}
	w.Raced = w.Binary + "-race"
	return buildManager(w.Raced, "-race")
}

func buildManager(out string, flags ...string) error {
	args := append([]string{"build", "-ldflags=-s -w", "-o", out}, flags...)
	build := exec.Command("go", append(args, "github.com/onebid-dev/onebid/cmd/manager")...)
	build.Stderr = os.Stderr
	return build.Run()
}
