package testenv

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// startTimeout bounds Start in tests: everything together takes some 10 seconds on a quiet machine.
const startTimeout = 3 * time.Minute

// Main starts an environment, puts it into *env, runs the package's tests and stops it. It returns the exit code. With
// -short nothing is started or run: integration tests are what -short leaves out.
func Main(m *testing.M, options Options, env **Environment) int {
	flag.Parse()
	if testing.Short() {
		fmt.Fprintln(os.Stderr, "testenv: skipped, these tests need a control plane (-short)")
		return 0
	}
	// Has no effect where the package has set a logger already; without any, controller-runtime complains.
	log.SetLogger(logr.Discard())
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	started, err := Start(ctx, options)
	if err != nil {
		fmt.Fprintf(os.Stderr, "testenv: %v\n", err)
		return 1
	}
	*env = started
	code := m.Run()
	if err := started.Stop(); err != nil {
		fmt.Fprintf(os.Stderr, "testenv: stop: %v\n", err)
		return max(code, 1)
	}
	return code
}

var notInName = regexp.MustCompile(`[^a-z0-9]+`)

// namespaces counts those of all environments of a process: tests name what they keep elsewhere after their namespace.
var namespaces atomic.Int64

// Namespace makes a namespace for one test. It is not deleted: without kube-controller-manager it would only hang in
// Terminating, and the control plane goes with the package.
func (e *Environment) Namespace(tb testing.TB) string {
	tb.Helper()
	e.inputs.Do(func() { noteInputs(tb, e.Root) })
	count := namespaces.Add(1)
	readable := strings.Trim(notInName.ReplaceAllString(strings.ToLower(tb.Name()), "-"), "-")
	if len(readable) > 40 {
		readable = strings.Trim(readable[:40], "-")
	}
	name := fmt.Sprintf("%s-%d", readable, count)
	if err := e.Client.Create(tb.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
		tb.Fatalf("create namespace: %v", err)
	}
	return name
}

// AsUser makes a user who has the given ClusterRoles, of config/rbac or Kubernetes' own, in one namespace; an empty
// namespace means everywhere.
func (e *Environment) AsUser(tb testing.TB, namespace, name string, clusterRoles ...string) *User {
	tb.Helper()
	user, err := e.UserIn(tb.Context(), namespace, name+"-"+namespace, clusterRoles...)
	if err != nil {
		tb.Fatal(err)
	}
	return user
}

// noteInputs reads what the control plane was started with once more. `go test` keeps a result until a file that the tests
// opened changes, and it does not see what TestMain opens: without this a changed policy would pass as "(cached)".
func noteInputs(tb testing.TB, root string) {
	tb.Helper()
	_ = os.Getenv(assetsVariable)
	for _, pattern := range []string{"config/*/*.yaml", "config/*/*/*.yaml"} {
		files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pattern)))
		if err != nil {
			tb.Fatal(err)
		}
		for _, file := range files {
			if _, err := os.ReadFile(file); err != nil {
				tb.Fatal(err)
			}
		}
	}
}
