package stack

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Command says what to start.
type Command struct {
	// Name is how messages and the log file call the process, such as "manager-1".
	Name string
	// Path of the binary, and its arguments.
	Path string
	Args []string
	// Env is added to the environment of this process.
	Env []string
	// Stdin is what the process reads; nil for nothing.
	Stdin io.Reader
	// Stdout takes the standard output instead of the log file. It is called from one goroutine.
	Stdout io.Writer
}

// Process is a child process, the leader of a process group of its own: a Ctrl-C in the terminal reaches only its
// parent, which then ends it in the right order.
type Process struct {
	Name string
	// LogPath is the file with what the process printed.
	LogPath string

	cmd  *exec.Cmd
	done chan struct{}
	err  error // valid once done is closed
}

// Pid is the process ID, which is the ID of its group too.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended and all of its output was taken.
func (p *Process) Done() <-chan struct{} { return p.done }

// Alive reports whether the process still runs.
func (p *Process) Alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Err says how the process ended, with the last lines of its log; nil while it runs and after a clean exit.
func (p *Process) Err() error {
	if p.Alive() || p.err == nil {
		return nil
	}
	return fmt.Errorf("%s ended: %w\n%s", p.Name, p.err, tail(p.LogPath))
}

// Kill ends the process and its children at once, as a crash would, and returns when they are gone.
func (p *Process) Kill() {
	p.signalGroup(syscall.SIGKILL)
	<-p.done
}

// Stop asks the process to end and kills it, with its children, when it takes longer than the grace time.
func (p *Process) Stop(grace time.Duration) {
	if !p.Alive() {
		return
	}
	// The process may have ended by itself in this instant; then there is nothing left to do.
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		p.Kill()
	}
}

// signalGroup signals the process and its children. Once the process was waited for, its ID may belong to another one,
// so then nothing is sent.
func (p *Process) signalGroup(signal syscall.Signal) {
	if p.Alive() {
		_ = syscall.Kill(-p.Pid(), signal)
	}
}

// Group owns processes. It is safe for concurrent use.
type Group struct {
	logs string

	mu      sync.Mutex
	running []*Process
	closed  bool
}

// NewGroup returns a group whose processes log to files in the folder, which is made when it is missing.
func NewGroup(logs string) (*Group, error) {
	if err := os.MkdirAll(logs, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of the logs: %w", err)
	}
	return &Group{logs: logs}, nil
}

var errStopping = errors.New("everything is being stopped")

// Start starts a process. A process of the same name that ran before keeps its lines in the log.
func (g *Group) Start(c Command) (*Process, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, fmt.Errorf("starting %s: %w", c.Name, errStopping)
	}
	p := &Process{Name: c.Name, LogPath: filepath.Join(g.logs, c.Name+".log"), done: make(chan struct{})}
	log, err := os.OpenFile(p.LogPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", c.Name, err)
	}
	defer func() { _ = log.Close() }() // the child has its own descriptor
	// Stop ends it, in order with the others; a context would end all at once.
	p.cmd = exec.Command(c.Path, c.Args...)
	p.cmd.Env = append(os.Environ(), c.Env...)
	p.cmd.Stdin = c.Stdin
	p.cmd.Stdout = io.Writer(log)
	if c.Stdout != nil {
		p.cmd.Stdout = c.Stdout
	}
	p.cmd.Stderr = log
	p.cmd.SysProcAttr = childAttributes()
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", c.Name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	g.running = append(g.running, p)
	return p, nil
}

// Processes returns what was started, in that order, also what has ended since.
func (g *Group) Processes() []*Process {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.running)
}

// Stop ends the processes, the last started first, and lets no more be started. Each gets the grace time, processes
// whose names begin alike ("manager-1", "manager-2") together.
func (g *Group) Stop(grace time.Duration) {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	running := g.Processes()
	for len(running) > 0 {
		last := running[len(running)-1].kind()
		from := len(running)
		for from > 0 && running[from-1].kind() == last {
			from--
		}
		var ending sync.WaitGroup
		for _, p := range running[from:] {
			ending.Go(func() { p.Stop(grace) })
		}
		ending.Wait()
		running = running[:from]
	}
}

// kind is the name without the number behind it.
func (p *Process) kind() string {
	end := len(p.Name)
	for end > 0 && (p.Name[end-1] == '-' || (p.Name[end-1] >= '0' && p.Name[end-1] <= '9')) {
		end--
	}
	return p.Name[:end]
}

// tail returns the end of a log, indented; enough to see why a process gave up.
func tail(path string) string {
	const most = 1500
	text, err := os.ReadFile(path)
	if err != nil {
		return "  (no log: " + err.Error() + ")"
	}
	if len(text) > most {
		text = text[len(text)-most:]
	}
	return fmt.Sprintf("  the end of %s:\n%s", path, text)
}
