package testenv_test

import (
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/onebid-dev/onebid/internal/testenv"
	"github.com/onebid-dev/onebid/internal/testenv/build"
)

var env *testenv.Environment

func TestMain(m *testing.M) {
	os.Exit(testenv.Main(m, testenv.Options{ControllerManager: true}, &env))
}

func TestRequestsAreCounted(t *testing.T) {
	ns := env.Namespace(t)
	before, err := env.Requests(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := env.Client.Create(t.Context(), build.Bid(ns, "m", "1")); err != nil {
		t.Fatal(err)
	}
	after, err := env.Requests(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := testenv.Requests{{Verb: "POST", Group: "onebid.dev", Resource: "bids"}: 1}
	if got := after.Since(before).Writes("bids"); got.String() != want.String() {
		t.Errorf("one Bid was created, counted:\n%s", got)
	}
}

// crash makes this binary, when it runs itself, die in the middle of a test; its value is a file to write the API server's
// address to.
const crash = "ONEBID_TESTENV_CRASH"

func TestADyingTestLeavesNothingBehind(t *testing.T) {
	g := NewWithT(t)
	if file := os.Getenv(crash); file != "" {
		g.Expect(os.WriteFile(file, []byte(env.Config.Host), 0o600)).To(Succeed())
		g.Expect(syscall.Kill(0, syscall.SIGKILL)).To(Succeed(), "the group, as a time-out of CI does")
	}
	file := filepath.Join(t.TempDir(), "address")
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestADyingTestLeavesNothingBehind$") //nolint:gosec // this test
	cmd.Env = append(os.Environ(), crash+"="+file)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	g.Expect(cmd.Run()).To(MatchError("signal: killed"))
	address, err := os.ReadFile(file)
	g.Expect(err).NotTo(HaveOccurred())
	server, err := url.Parse(string(address))
	g.Expect(err).NotTo(HaveOccurred())
	g.Eventually(func() error {
		connection, err := net.DialTimeout("tcp", server.Host, time.Second)
		if err == nil {
			_ = connection.Close()
		}
		return err
	}).WithTimeout(10 * time.Second).Should(MatchError(syscall.ECONNREFUSED))
}
