package testenv

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// guard kills the control plane when this process dies without Stop, as a test binary does that panics or times out:
// otherwise each such run leaves an API server behind, and the machine becomes slower and slower.
type guard struct {
	cmd *exec.Cmd
	// alive closes when this process ends, however it ends.
	alive io.WriteCloser
}

// killOnEOF waits for a line. The end of the input without one means that this process ended without Stop.
const killOnEOF = `dir=$1; shift; read -r line || { kill -9 "$@" 2>/dev/null; rm -rf "$dir"; }`

func startGuard(e *Environment) (*guard, error) {
	children, err := controlPlaneChildren()
	if err != nil {
		return nil, err
	}
	dir := ""
	if e.temporary {
		dir = e.dir
	}
	cmd := exec.Command("sh", append([]string{"-c", killOnEOF, "onebid-testenv-guard", dir}, children...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // who ends the test by its group does not end the guard
	alive, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &guard{cmd: cmd, alive: alive}, nil
}

// release ends the guard without harm.
func (g *guard) release() error {
	if _, err := fmt.Fprintln(g.alive, "stopped"); err != nil {
		return err
	}
	return g.cmd.Wait()
}

// controlPlaneChildren finds the processes that envtest started: it keeps them to itself.
func controlPlaneChildren() ([]string, error) {
	out, err := exec.Command("ps", "-A", "-o", "pid=,ppid=,comm=").Output()
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	parent := strconv.Itoa(os.Getpid())
	var children []string
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[1] != parent {
			continue
		}
		// Linux cuts the name after 15 characters.
		name := filepath.Base(fields[2])
		if slices.ContainsFunc([]string{"kube-apiserver", "etcd", controllerManager}, func(program string) bool {
			return strings.HasPrefix(program, name)
		}) {
			children = append(children, fields[0])
		}
	}
	return children, nil
}
