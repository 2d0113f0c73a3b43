package harness

import (
	"cmp"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/onsi/gomega"

	"github.com/onebid-dev/onebid/internal/testenv"
	"github.com/onebid-dev/onebid/internal/testenv/process"
)

// quick are flags for tests that wait until a replica counts as dead.
var quick = []string{
	"--heartbeat-duration=2s", "--heartbeat-renew-interval=400ms", "--heartbeat-margin=500ms", "--max-pause=500ms", "--log-level=debug",
}

// Manager is one process of a test.
type Manager struct {
	*process.Manager

	t *testing.T
}

// Manager starts a replica that has the rights of config/rbac and no more, and waits until it is ready.
func (x *Tenant) Manager(flags ...string) *Manager {
	x.T.Helper()
	reach := "--allow-private-addresses=" + cmp.Or(x.Reach, "true")
	m := StartManager(x.T, process.Replica{
		Binary: x.Binary, Name: "manager", Kubeconfig: x.managerUser().Kubeconfig,
		Flags: append([]string{"--namespace", x.System, "--watch-namespaces", x.NS, reach}, flags...),
	})
	x.managers = append(x.managers, m)
	x.G.Eventually(m.IsReady).Should(gomega.BeTrue(), m.Tail)
	return m
}

func (x *Tenant) managerUser() *testenv.User {
	x.T.Helper()
	if x.user == nil {
		x.user = x.World.Env.AsUser(x.T, "", "manager-"+x.NS, "onebid-manager")
	}
	return x.user
}

// StartManager starts a replica with quick heartbeats, which is killed after the test. It must not have had a data race.
func StartManager(t *testing.T, r process.Replica) *Manager {
	t.Helper()
	r.Logs, r.Flags = t.TempDir(), slices.Concat(quick, r.Flags)
	running, err := r.Start()
	if err != nil {
		t.Fatal(err)
	}
	m := &Manager{running, t}
	t.Cleanup(func() {
		m.Kill()
		if races := dataRaces(m.Log); races != "" {
			t.Errorf("the manager has a data race:\n%s", races)
		}
		if t.Failed() {
			t.Logf("log of the manager:\n%s", m.Tail())
		}
	})
	return m
}

// IsReady is what the process says of itself; false when it does not answer.
func (m *Manager) IsReady() bool { return m.Ready(m.t.Context()) == nil }

// dataRaces is what the race detector found, with a little of what follows it.
func dataRaces(file string) string {
	text, _ := os.ReadFile(file)
	_, report, found := strings.Cut(string(text), "WARNING: DATA RACE")
	if !found {
		return ""
	}
	return report[:min(len(report), 4000)]
}

// Stop asks the process to end and waits until it did.
func (m *Manager) Stop() {
	m.t.Helper()
	if !m.Process.Stop(Patience) {
		m.t.Fatal("the manager does not end after SIGTERM")
	}
}

// Pause stops the process where it stands, as a suspended machine does; Resume lets it go on.
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
	if err := m.Signal(s); err != nil {
		m.t.Fatalf("%s to the manager: %v", s, err)
	}
}

// Frozen does something while no manager of the tenant runs.
func (x *Tenant) Frozen(do func()) {
	x.T.Helper()
	alive := slices.DeleteFunc(slices.Clone(x.managers), func(m *Manager) bool { return m.Ended() })
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

// FreeAddress is one that nothing listens on.
func FreeAddress(t *testing.T) string {
	t.Helper()
	address, err := process.FreeAddress(0)
	if err != nil {
		t.Fatal(err)
	}
	return address
}
