// Package redistest starts real Redis servers for tests: a single one, one with a Sentinel, or a cluster of three. They
// listen on loopback only, keep their files in the test's folder, and end with the test.
package redistest

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"github.com/onebid-dev/onebid/internal/testenv/process"
)

const startTimeout = "60s"

// Server is one redis-server process.
type Server struct {
	// Addr is host:port.
	Addr string

	t      *testing.T
	binary string
	args   []string
	server *process.Process
}

// Start starts a server that keeps nothing on disk. Arguments come after redis-server's own.
func Start(t *testing.T, args ...string) *Server {
	t.Helper()
	_, port, err := net.SplitHostPort(freeAddress(t))
	gomega.NewWithT(t).Expect(err).NotTo(gomega.HaveOccurred())
	s := &Server{Addr: "127.0.0.1:" + port, t: t, binary: binary(t), args: append([]string{
		"--port", port, "--bind", "127.0.0.1", "--dir", t.TempDir(), "--save", "", "--appendonly", "no",
	}, args...)}
	t.Cleanup(s.Stop)
	s.Start()
	return s
}

// Start starts a server that was stopped, at the same address and without its data.
func (s *Server) Start() {
	s.t.Helper()
	var err error
	s.server, err = process.Start(process.Command{Name: "redis-server", Path: s.binary, Args: s.args})
	g := gomega.NewWithT(s.t)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Eventually(func() error { return s.ping() }, startTimeout, "5ms").Should(gomega.Succeed())
}

// Stop kills the server.
func (s *Server) Stop() {
	if s.server != nil {
		s.server.Kill()
	}
}

// ping asks without a client library; whatever the server says, it is there.
func (s *Server) ping() error {
	connection, err := net.DialTimeout("tcp", s.Addr, time.Second)
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close() }()
	_ = connection.SetDeadline(time.Now().Add(time.Second))
	if _, err := fmt.Fprint(connection, "PING\r\n"); err != nil {
		return err
	}
	_, err = bufio.NewReader(connection).ReadString('\n')
	return err
}

// Sentinel starts a Sentinel that watches the server under the name "mymaster". It needs no other one to agree, and after
// a second of silence it makes a replica the master, if there is one.
func (s *Server) Sentinel() *Server {
	s.t.Helper()
	host, port, err := net.SplitHostPort(s.Addr)
	g := gomega.NewWithT(s.t)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	file := filepath.Join(s.t.TempDir(), "sentinel.conf")
	config := fmt.Sprintf("sentinel monitor mymaster %s %s 1\n"+
		"sentinel down-after-milliseconds mymaster 1000\nsentinel failover-timeout mymaster 10000\n", host, port)
	g.Expect(os.WriteFile(file, []byte(config), 0o600)).To(gomega.Succeed())
	address := freeAddress(s.t)
	_, port, err = net.SplitHostPort(address)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	sentinel := &Server{Addr: address, t: s.t, binary: s.binary, args: []string{
		file, "--sentinel", "--port", port, "--bind", "127.0.0.1", "--dir", s.t.TempDir(),
	}}
	s.t.Cleanup(sentinel.Stop)
	sentinel.Start()
	return sentinel
}

// Cluster starts three masters that share the slots.
func Cluster(t *testing.T) []*Server {
	t.Helper()
	g := gomega.NewWithT(t)
	var nodes []*Server
	for range 3 {
		// The cluster's bus would listen 10,000 ports higher, which may be none.
		_, bus, err := net.SplitHostPort(freeAddress(t))
		g.Expect(err).NotTo(gomega.HaveOccurred())
		nodes = append(nodes, Start(t, "--cluster-enabled", "yes", "--cluster-port", bus))
	}
	args := []string{"--cluster", "create", "--cluster-yes"}
	for _, node := range nodes {
		args = append(args, node.Addr)
	}
	cli := filepath.Join(filepath.Dir(nodes[0].binary), "redis-cli")
	out, err := exec.Command(cli, args...).CombinedOutput()
	g.Expect(err).NotTo(gomega.HaveOccurred(), "%s", out)
	for _, node := range nodes {
		g.Eventually(func() string {
			_, port, _ := net.SplitHostPort(node.Addr)
			info, _ := exec.Command(cli, "-p", port, "cluster", "info").Output()
			return string(info)
		}, startTimeout, "20ms").Should(gomega.ContainSubstring("cluster_state:ok"))
	}
	return nodes
}

func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := process.FreeAddress(0)
	gomega.NewWithT(t).Expect(err).NotTo(gomega.HaveOccurred())
	return address
}

// binary finds redis-server, or skips the test where it cannot be had.
func binary(t *testing.T) string {
	t.Helper()
	_, file, _, ok := runtime.Caller(0)
	gomega.NewWithT(t).Expect(ok).To(gomega.BeTrue())
	cmd := exec.Command(filepath.Join(filepath.Dir(file), "..", "..", "hack", "redis.sh"))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		message := "SKIPPED, NOT PASSED: " + t.Name() + " needs redis-server, and hack/redis.sh could not provide it"
		fmt.Fprintln(os.Stderr, message)
		t.Skip(message)
	}
	return strings.TrimSpace(string(out))
}
