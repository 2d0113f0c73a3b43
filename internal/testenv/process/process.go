// Package process starts programs, each the leader of a process group of its own, and ends them. On Linux the kernel ends a
// program too when the starting process dies without a chance to clean up.
package process

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Command says what to start.
type Command struct {
	// Name is for messages, such as "manager-1".
	Name string
	// Path of the binary, and its arguments.
	Path string
	Args []string
	// Env is added to the environment of this process.
	Env []string
	// Log is the file to which the output is appended, in a folder that is made if it is missing; empty discards the output.
	Log string
	// Stdin is what the program reads; nil for nothing.
	Stdin io.Reader
	// Stdout takes the standard output instead of the log. It is called from one goroutine.
	Stdout io.Writer
}

// Process is a running program. A Ctrl-C in the terminal reaches only its parent, which then ends it in the right order.
type Process struct {
	Name string
	// Log is the file with what the program printed.
	Log string

	cmd  *exec.Cmd
	done chan struct{}
	err  error // valid once done is closed
}

// Start starts a program. The caller ends it, with Stop or Kill.
func Start(c Command) (*Process, error) {
	p := &Process{Name: c.Name, Log: c.Log, done: make(chan struct{}), cmd: exec.Command(c.Path, c.Args...)}
	if c.Log != "" {
		if err := os.MkdirAll(filepath.Dir(c.Log), 0o700); err != nil {
			return nil, fmt.Errorf("starting %s: %w", c.Name, err)
		}
		log, err := os.OpenFile(c.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return nil, fmt.Errorf("starting %s: %w", c.Name, err)
		}
		defer func() { _ = log.Close() }() // the child has its own descriptor
		p.cmd.Stdout, p.cmd.Stderr = log, log
	}
	if c.Stdout != nil {
		p.cmd.Stdout = c.Stdout
	}
	p.cmd.Env = append(os.Environ(), c.Env...)
	p.cmd.Stdin = c.Stdin
	p.cmd.SysProcAttr = attributes()
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", c.Name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// Pid is the process ID, which is the ID of its group too.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Done is closed when the program has ended and all of its output was taken.
func (p *Process) Done() <-chan struct{} { return p.done }

// Ended reports whether the program has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Err says how the program ended, with the last lines of its log; nil while it runs and after a clean exit.
func (p *Process) Err() error {
	if !p.Ended() || p.err == nil {
		return nil
	}
	return fmt.Errorf("%s ended: %w\n  the end of %s:\n%s", p.Name, p.err, p.Log, p.Tail())
}

// Tail returns the end of the log, enough to see why a program gave up.
func (p *Process) Tail() string {
	const most = 6000
	text, err := os.ReadFile(p.Log)
	if err != nil {
		return "(no log: " + err.Error() + ")"
	}
	return string(text[max(0, len(text)-most):])
}

// Signal sends a signal to the program, and not to its children.
func (p *Process) Signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// Kill ends the program and its children at once, as a crash would, and returns when they are gone.
func (p *Process) Kill() {
	if !p.Ended() { // later its ID may belong to another process
		_ = syscall.Kill(-p.Pid(), syscall.SIGKILL)
	}
	<-p.done
}

// Stop asks the program to end and kills it, with its children, when it takes longer than the grace time. It reports
// whether the program ended by itself.
func (p *Process) Stop(grace time.Duration) bool {
	_ = p.Signal(syscall.SIGTERM) // it may have ended just now
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
		return true
	case <-timer.C:
		p.Kill()
		return false
	}
}
