package stack

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

func newGroup(t *testing.T) *Group {
	t.Helper()
	g, err := NewGroup(filepath.Join(t.TempDir(), "logs"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Stop(time.Second) })
	return g
}

func start(t *testing.T, g *Group, name, script string) *Process {
	t.Helper()
	p, err := g.Start(Command{Name: name, Path: "/bin/sh", Args: []string{"-c", script}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// gone is true once no process has the ID, not even one that waits to be buried.
func gone(pid int) func() bool {
	return func() bool { return syscall.Kill(pid, 0) == syscall.ESRCH }
}

func TestStopEndsTheStubbornToo(t *testing.T) {
	g := NewWithT(t)
	group := newGroup(t)
	dir := t.TempDir()
	// It ignores the request to end, and so does its child.
	p := start(t, group, "stubborn", `trap '' TERM; (sleep 600) & echo $! >`+dir+`/child; mv `+dir+`/child `+dir+`/pid; wait`)
	var child int
	g.Eventually(func() (err error) {
		text, err := os.ReadFile(filepath.Join(dir, "pid"))
		if err == nil {
			child, err = strconv.Atoi(strings.TrimSpace(string(text)))
		}
		return err
	}, "10s").Should(Succeed())
	group.Stop(50 * time.Millisecond)
	g.Expect(p.Alive()).To(BeFalse())
	g.Expect(gone(p.Pid())()).To(BeTrue())
	// Its parent is dead, so somebody else buries the child.
	g.Eventually(gone(child), "10s").Should(BeTrue())

	_, err := group.Start(Command{Name: "late", Path: "/bin/true"})
	g.Expect(err).To(MatchError(errStopping))
}

func TestStopEndsInReverse(t *testing.T) {
	g := NewWithT(t)
	group := newGroup(t)
	file := filepath.Join(t.TempDir(), "order")
	for _, name := range []string{"etcd", "kube-apiserver", "manager-1", "manager-2"} {
		kind := strings.TrimRight(name, "-12")
		p := start(t, group, name, `trap 'echo `+kind+` >>`+file+`; exit' TERM; echo ready; while :; do sleep 0.05; done`)
		g.Eventually(func() (string, error) {
			text, err := os.ReadFile(p.LogPath)
			return string(text), err
		}, "10s").Should(Equal("ready\n"))
	}
	group.Stop(10 * time.Second)
	text, err := os.ReadFile(file)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(strings.Fields(string(text))).To(Equal([]string{"manager", "manager", "kube-apiserver", "etcd"}))
}

func TestErrShowsTheLog(t *testing.T) {
	g := NewWithT(t)
	p := start(t, newGroup(t), "failing", "echo no such database >&2; exit 3")
	g.Eventually(p.Done(), "10s").Should(BeClosed())
	g.Expect(p.Err()).To(MatchError(And(ContainSubstring("exit status 3"), ContainSubstring("no such database"))))
	p.Kill() // of one that has ended already
}
