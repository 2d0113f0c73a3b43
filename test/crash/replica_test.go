package crash_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/onebid-dev/onebid/test/harness"
)

// replica is a manager process that outlives the cell in which it was started.
type replica struct {
	name string
	log  string
	cmd  *exec.Cmd
	done chan struct{}
}

// startReplica runs a manager. It does not wait until that is ready: whoever waits for what it does waits for that too.
func startReplica(t *testing.T, name string, environment []string, flags ...string) *replica {
	t.Helper()
	r := &replica{name: name, log: filepath.Join(t.TempDir(), name+".log"), done: make(chan struct{})}
	log, err := os.Create(r.log)
	if err != nil {
		t.Fatal(err)
	}
	r.cmd = exec.Command(world.Binary, append([]string{
		"--pod-name", name, "--metrics-bind-address", "0", "--health-probe-bind-address", "0", "--allow-private-addresses",
		"--log-level", "debug", "--max-concurrent-reconciles", "4",
		"--heartbeat-duration", "2s", "--heartbeat-renew-interval", "400ms", "--heartbeat-margin", "500ms", "--max-pause", "500ms",
	}, flags...)...)
	r.cmd.Env = append(os.Environ(), environment...)
	r.cmd.Stdout, r.cmd.Stderr = log, log
	harness.DieWithParent(r.cmd)
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = r.cmd.Wait()
		_ = log.Close()
		close(r.done)
	}()
	t.Cleanup(r.kill)
	return r
}

func (r *replica) kill() {
	_ = r.cmd.Process.Kill()
	<-r.done
}

// is true of the identity under which the replica holds Leases.
func (r *replica) is(identity string) bool { return strings.Contains(identity, "/"+r.name+"_") }

func (r *replica) ended() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// stopped is true when the process stands still after SIGSTOP, with all its threads.
func (r *replica) stopped() bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", r.cmd.Process.Pid)) // the pattern is well formed
	for _, thread := range threads {
		stat, err := os.ReadFile(thread)
		// The name of the program in parentheses comes before the state, and may contain anything.
		if err != nil || !bytes.HasPrefix(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" T")) {
			return false
		}
	}
	return len(threads) > 0
}

func (r *replica) signal(signal syscall.Signal) error { return r.cmd.Process.Signal(signal) }
