package process

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

func start(t *testing.T, script string) *Process {
	t.Helper()
	p, err := Start(Command{Name: "test", Path: "/bin/sh", Args: []string{"-c", script}, Log: filepath.Join(t.TempDir(), "log")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

// gone is true once no process has the ID, not even a zombie.
func gone(pid int) func() bool {
	return func() bool { return syscall.Kill(pid, 0) == syscall.ESRCH }
}

func TestStopEndsAProcessThatIgnoresIt(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	p := start(t, `trap '' TERM; (sleep 600) & echo $! >`+dir+`/child; mv `+dir+`/child `+dir+`/pid; wait`)
	var child int
	g.Eventually(func() (err error) {
		text, err := os.ReadFile(filepath.Join(dir, "pid"))
		if err == nil {
			child, err = strconv.Atoi(strings.TrimSpace(string(text)))
		}
		return err
	}, "10s").Should(Succeed())
	g.Expect(p.Stop(50 * time.Millisecond)).To(BeFalse())
	g.Expect(gone(p.Pid())()).To(BeTrue())
	g.Eventually(gone(child), "10s").Should(BeTrue(), "its child ignores SIGTERM too")
}

func TestErrShowsTheLog(t *testing.T) {
	g := NewWithT(t)
	p := start(t, "echo no such database >&2; exit 3")
	g.Eventually(p.Done(), "10s").Should(BeClosed())
	g.Expect(p.Err()).To(MatchError(And(ContainSubstring("exit status 3"), ContainSubstring("no such database"))))
	p.Kill() // of one that has ended already
}

func TestFreeAddressAvoidsAPortInUse(t *testing.T) {
	g := NewWithT(t)
	first, err := FreeAddress(0)
	g.Expect(err).NotTo(HaveOccurred())
	l, err := net.Listen("tcp", first)
	g.Expect(err).NotTo(HaveOccurred())
	defer func() { _ = l.Close() }()
	port := l.Addr().(*net.TCPAddr).Port
	g.Expect(FreeAddress(port)).NotTo(Equal(first))
}
