package lifecycle_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/onebid-dev/onebid/internal/testenv"
)

// manager is one process.
type manager struct {
	t       *testing.T
	cmd     *exec.Cmd
	log     string
	health  string
	done    chan struct{}
	metrics string
}

// manager starts a replica that has the rights of config/rbac and no more, and waits until it is ready.
func (x *tenant) manager(flags ...string) *manager {
	x.t.Helper()
	user := env.AsUser(x.t, "", "manager-"+x.ns, "onebid-manager")
	return startManager(x.t, x.binary, user, x.system, flags...)
}

func startManager(t *testing.T, binary string, user *testenv.User, system string, flags ...string) *manager {
	t.Helper()
	m := &manager{
		t: t, log: filepath.Join(t.TempDir(), "manager.log"), health: freeAddress(t), metrics: freeAddress(t),
		done: make(chan struct{}),
	}
	out, err := os.Create(m.log)
	if err != nil {
		t.Fatal(err)
	}
	m.cmd = exec.Command(binary, append([]string{
		"--kubeconfig", user.Kubeconfig, "--namespace", system, "--pod-name", "manager", "--metrics-bind-address", m.metrics,
		"--health-probe-bind-address", m.health, "--allow-private-addresses", "--log-level", "debug",
		"--heartbeat-duration", "2s", "--heartbeat-renew", "400ms", "--heartbeat-margin", "500ms", "--max-pause", "500ms",
	}, flags...)...)
	m.cmd.Stdout, m.cmd.Stderr = out, out
	dieWithParent(m.cmd)
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = m.cmd.Wait()
		_ = out.Close()
		close(m.done)
	}()
	t.Cleanup(func() {
		m.kill()
		if races := dataRaces(m.log); races != "" {
			t.Errorf("the manager has a data race:\n%s", races)
		}
		if t.Failed() {
			t.Logf("log of the manager:\n%s", tail(m.log))
		}
	})
	NewWithT(t).Eventually(func() (int, error) {
		resp, err := http.Get("http://" + m.health + "/readyz")
		if err != nil {
			return 0, err
		}
		return resp.StatusCode, resp.Body.Close()
	}).WithTimeout(patience).Should(Equal(http.StatusOK), func() string { return tail(m.log) })
	return m
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

// kill ends the process at once, as a node that loses power does.
func (m *manager) kill() {
	_ = m.cmd.Process.Kill()
	<-m.done
}

// stop asks the process to end and waits until it did.
func (m *manager) stop() {
	m.t.Helper()
	_ = m.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-m.done:
	case <-time.After(patience):
		m.t.Fatal("the manager does not end after SIGTERM")
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// goroutines of the process, by its own metrics: over TLS, as a user with the right to read them.
func (m *manager) goroutines(t *testing.T, x *tenant) float64 {
	t.Helper()
	text := m.metricsText(t, x)
	for line := range strings.SplitSeq(text, "\n") {
		if value, ok := strings.CutPrefix(line, "go_goroutines "); ok {
			n, err := strconv.ParseFloat(value, 64)
			x.g.Expect(err).NotTo(HaveOccurred())
			return n
		}
	}
	t.Fatal("no go_goroutines among the metrics")
	return 0
}

// metricsText scrapes the process as Prometheus does: over TLS, with the token of a ServiceAccount that may.
func (m *manager) metricsText(t *testing.T, x *tenant) string {
	t.Helper()
	if x.token == "" {
		x.token = x.scraper()
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+m.metrics+"/metrics", http.NoBody)
	x.g.Expect(err).NotTo(HaveOccurred())
	req.Header.Set("Authorization", "Bearer "+x.token)
	insecure := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true, // the manager signs its own
	}}
	var status int
	var text []byte
	x.g.Eventually(func() error {
		resp, err := insecure.Do(req)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		status = resp.StatusCode
		text, err = io.ReadAll(resp.Body)
		return err
	}).Should(Succeed(), "the metrics endpoint makes its certificate when it starts")
	x.g.Expect(status).To(Equal(http.StatusOK))
	return string(text)
}

// scraper makes a ServiceAccount that may read metrics, and returns its token.
func (x *tenant) scraper() string {
	x.t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: x.system, Name: "prometheus"}}
	x.create(account)
	x.create(&rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "scraper-"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "onebid-metrics-reader"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: x.system, Name: "prometheus"}},
	})
	request := &authenticationv1.TokenRequest{}
	x.g.Expect(env.Client.SubResource("token").Create(x.t.Context(), account, request)).To(Succeed())
	return request.Status.Token
}
