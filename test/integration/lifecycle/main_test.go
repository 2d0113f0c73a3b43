// Package lifecycle_test takes Bids through every transition of their life: real manager processes, a real API server,
// and the simulator as the oracle that outlives them.
package lifecycle_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/onebid-dev/onebid/internal/marketsim"
	"github.com/onebid-dev/onebid/internal/testenv"
)

var (
	env *testenv.Environment
	// binary is the manager, built once for the package; raced is the same with the race detector, where there is a C
	// compiler to build it.
	binary, raced string
	sim           *marketsim.Client
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "onebid-lifecycle-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := buildManagers(dir); err != nil {
		fmt.Fprintln(os.Stderr, "build the manager:", err)
		return 1
	}
	server, err := marketsim.New(marketsim.Options{LedgerPath: filepath.Join(dir, "ledger.jsonl")})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	web := httptest.NewUnstartedServer(server)
	web.Config.ConnState = server.ConnState
	web.Start()
	defer web.Close()
	defer func() { _ = server.Close() }()
	sim = marketsim.NewClient(web.URL)
	return testenv.Main(m, testenv.Options{ControllerManager: true}, &env)
}

func buildManagers(dir string) error {
	binary = filepath.Join(dir, "manager")
	raced = binary
	if err := buildManager(binary); err != nil {
		return err
	}
	if compiler, _ := exec.LookPath("gcc"); compiler == "" {
		fmt.Fprintln(os.Stderr, "no gcc: the managers run without the race detector")
		return nil
	}
	raced = filepath.Join(dir, "manager-race")
	return buildManager(raced, "-race")
}

func buildManager(out string, flags ...string) error {
	args := append([]string{"build", "-o", out}, flags...)
	build := exec.Command("go", append(args, "github.com/onebid-dev/onebid/cmd/manager")...)
	build.Stderr = os.Stderr
	return build.Run()
}
