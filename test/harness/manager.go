package harness

import (
	"cmp"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"github.com/onebid-dev/onebid/internal/testenv"
)

// Manager is one process.
type Manager struct {
	t       *testing.T
	cmd     *exec.Cmd
	log     string
	health  string
	done    chan struct{}
	metrics string
}

// Manager starts a replica that has the rights of config/rbac and no more, and waits until it is ready.
func (x *Tenant) Manager(flags ...string) *Manager {
	x.T.Helper()
	reach := "--allow-private-addresses=" + cmp.Or(x.Reach, "true")
	m := startManager(x.T, x.Binary, x.managerUser(),
		append([]string{"--namespace", x.System, "--watch-namespaces", x.NS, reach}, flags...)...)
	x.managers = append(x.managers, m)
	return m
}

func (x *Tenant) managerUser() *testenv.User {
	x.T.Helper()
	if x.user == nil {
		x.user = x.World.Env.AsUser(x.T, "", "manager-"+x.NS, "onebid-manager")
	}
	return x.user
}

func startManager(t *testing.T, binary string, user *testenv.User, flags ...string) *Manager {
	t.Helper()
	m := &Manager{
		t: t, log: filepath.Join(t.TempDir(), "manager.log"), health: FreeAddress(t), metrics: FreeAddress(t),
		done: make(chan struct{}),
	}
	out, err := os.Create(m.log)
	if err != nil {
		t.Fatal(err)
	}
	m.cmd = exec.Command(binary, append([]string{
		"--kubeconfig", user.Kubeconfig, "--pod-name", "manager", "--metrics-bind-address", m.metrics,
		"--health-probe-bind-address", m.health, "--log-level", "debug",
		"--heartbeat-duration", "2s", "--heartbeat-renew-interval", "400ms", "--heartbeat-margin", "500ms", "--max-pause", "500ms",
	}, flags...)...)
	m.cmd.Stdout, m.cmd.Stderr = out, out
	DieWithParent(m.cmd)
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = m.cmd.Wait()
		_ = out.Close()
		close(m.done)
	}()
	t.Cleanup(func() {
		m.Kill()
		if races := dataRaces(m.log); races != "" {
			t.Errorf("the manager has a data race:\n%s", races)
		}
		if t.Failed() {
			t.Logf("log of the manager:\n%s", tail(m.log))
		}
	})
	gomega.NewWithT(t).Eventually(m.Ready).WithTimeout(Patience).Should(gomega.BeTrue(), func() string { return tail(m.log) })
	return m
}

// Ready is what the process says of itself; false when it does not answer.
func (m *Manager) Ready() bool {
	resp, err := http.Get("http://" + m.health + "/readyz")
	if err != nil {
		return false
	}
	return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
}

// dataRaces is what the race detector found, with a little of what follows it.
func dataRaces(file string) string {
	text, _ := os.ReadFile(file)
	_, report, found := strings.Cut(string(text), "WARNING: DATA RACE")
	if !found {
		return ""
	}
	return report[:min(len(report), 4000)]
}

func tail(file string) string {
	text, _ := os.ReadFile(file)
	lines := strings.Split(string(text), "\n")
	return strings.Join(lines[max(0, len(lines)-60):], "\n")
}

// Kill ends the process at once, as a node that loses power does.
func (m *Manager) Kill() {
	_ = m.cmd.Process.Kill()
	<-m.done
}

// Stop asks the process to end and waits until it did.
func (m *Manager) Stop() {
	m.t.Helper()
	_ = m.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-m.done:
	case <-time.After(Patience):
		m.t.Fatal("the manager does not end after SIGTERM")
	}
}

// Pause stops the process where it stands, as a node that swaps or a suspended machine does; Resume lets it go on.
func (m *Manager) Pause() {
	m.t.Helper()
	m.signal(syscall.SIGSTOP)
}

// Resume lets a paused process go on.
func (m *Manager) Resume() {
	m.t.Helper()
	m.signal(syscall.SIGCONT)
}

func (m *Manager) signal(s syscall.Signal) {
	m.t.Helper()
	if err := m.cmd.Process.Signal(s); err != nil {
		m.t.Fatalf("%s to the manager: %v", s, err)
	}
}

// Frozen does something while no manager of the tenant runs.
func (x *Tenant) Frozen(do func()) {
	x.T.Helper()
	alive := slices.DeleteFunc(slices.Clone(x.managers), (*Manager).ended)
	for _, m := range alive {
		m.Pause()
	}
	defer func() {
		for _, m := range alive {
			m.Resume()
		}
	}()
	do()
}

func (m *Manager) ended() bool {
	select {
	case <-m.done:
		return true
	default:
		return false
	}
}

// Done is closed when the process has ended.
func (m *Manager) Done() <-chan struct{} { return m.done }

// Log is the file of what the process says.
func (m *Manager) Log() string { return m.log }

// Process is the manager's, to look at and to send signals to.
func (m *Manager) Process() *os.Process { return m.cmd.Process }

// Below the ports that outgoing connections are given, and above those of well-known services.
const firstPort, ports = 20000, 12000

var lastPort atomic.Int64

// FreeAddress is one that nobody listens on, and that no outgoing connection is given meanwhile. Tests of other processes
// look elsewhere.
func FreeAddress(t *testing.T) string {
	t.Helper()
	lastPort.CompareAndSwap(0, int64(rand.IntN(ports)))
	for range ports {
		address := net.JoinHostPort("127.0.0.1", strconv.FormatInt(firstPort+lastPort.Add(1)%ports, 10))
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		_ = l.Close()
		return address
	}
	t.Fatal("no port is free")
	return ""
}
