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
	// binary is the manager, built once for the package.
	binary string
	sim    *marketsim.Client
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "onebid-lifecycle-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary = filepath.Join(dir, "manager")
	build := exec.Command("go", "build", "-o", binary, "github.com/onebid-dev/onebid/cmd/manager")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
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
	return testenv.Main(m, testenv.Options{}, &env)
}
