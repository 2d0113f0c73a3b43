package crash_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onebid-dev/onebid/internal/testenv/process"
	"github.com/onebid-dev/onebid/test/harness"
)

// replica is a manager process that outlives the cell in which it was started.
type replica struct{ *harness.Manager }

// startReplica runs a manager. It does not wait until that is ready: whoever waits for what it does waits for that too.
func startReplica(t *testing.T, name, kubeconfig string, environment []string, flags ...string) *replica {
	t.Helper()
	return &replica{harness.StartManager(t, process.Replica{
		Binary: world.Binary, Name: name, Kubeconfig: kubeconfig, Env: environment,
		Flags: append([]string{"--allow-private-addresses", "--max-concurrent-reconciles", "4"}, flags...),
	})}
}

// is true of the identity under which the replica holds Leases.
func (r *replica) is(identity string) bool { return strings.Contains(identity, "/"+r.Name+"_") }

// stopped is true when the process stands still after SIGSTOP, with all its threads.
func (r *replica) stopped() bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", r.Pid())) // the pattern is well formed
	for _, thread := range threads {
		stat, err := os.ReadFile(thread)
		// The name of the program in parentheses comes before the state, and may contain anything.
		if err != nil || !bytes.HasPrefix(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" T")) {
			return false
		}
	}
	return len(threads) > 0
}
