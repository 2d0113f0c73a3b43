// Package testenv runs a real Kubernetes control plane with everything of onebid that needs no process: the CRDs and the
// admission policies. Integration tests, the demo and `make dev` use it.
//
// A test package starts one environment in TestMain and shares it; each test works in a namespace of its own:
//
//	var env *testenv.Environment
//
//	func TestMain(m *testing.M) { os.Exit(testenv.Main(m, testenv.Options{}, &env)) }
//
//	func TestPlace(t *testing.T) {
//		ns := env.Namespace(t)
//		…
//	}
package testenv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/testenv/process"
)

// assetsVariable names the directory of the control plane's binaries, as everywhere that envtest is used.
const assetsVariable = "KUBEBUILDER_ASSETS"

// processTimeout bounds the start and the stop of each of the control plane's processes.
const processTimeout = time.Minute

// Options say what to start beside the API server and etcd. The zero value is what a test of the controllers needs.
type Options struct {
	// Bare leaves CRDs and policies out, for a test that installs them itself.
	Bare bool
	// WithoutPolicies leaves only the policies out, to measure what they cost.
	WithoutPolicies bool
	// ControllerManager starts kube-controller-manager as well, so that namespaces are deleted, garbage is collected and
	// ClusterRoles are aggregated. Nothing else of it runs.
	ControllerManager bool
	// Dir keeps etcd's data, the kubeconfigs and the control plane's log; what is there already is used. Empty is for a test: a
	// folder that Stop removes, and an etcd that does not wait for the disk.
	Dir string
	// Address of the API server, host:port. Empty is any free one.
	Address string
}

// Environment is a running control plane. Its methods may be called concurrently.
type Environment struct {
	// Config is the administrator's: a member of system:masters, whom no policy and no role ever refuses. Prove refusals
	// with User.
	Config *rest.Config
	// Client is the administrator's, without a cache.
	Client client.WithWatch
	// Scheme is NewScheme's.
	Scheme *runtime.Scheme
	// Root is the repository's root.
	Root string

	plane   *envtest.Environment
	signing sync.Mutex
	// assets is the directory of kubectl and the other binaries.
	assets string
	// dir holds kubeconfigs and logs; temporary says that Stop removes it.
	dir       string
	temporary bool
	log       *os.File
	admin     *User
	manager   *process.Process
	guard     *guard
	inputs    sync.Once

	// mu guards what follows.
	mu             sync.Mutex
	rolesInstalled bool
}

// Start starts a control plane and returns once it serves onebid's kinds and the policies are in force; that takes about
// 10 seconds. ctx bounds the start only: the control plane runs until Stop.
func Start(ctx context.Context, options Options) (*Environment, error) {
	env, err := prepare(options)
	if err != nil {
		return nil, err
	}
	if err := env.start(ctx, options); err != nil {
		return nil, errors.Join(err, env.Stop())
	}
	return env, nil
}

func prepare(options Options) (*Environment, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	assets, err := findAssets(root, options)
	if err != nil {
		return nil, err
	}
	env := &Environment{Root: root, Scheme: NewScheme(), assets: assets, dir: options.Dir, temporary: options.Dir == ""}
	if env.temporary {
		if env.dir, err = os.MkdirTemp("", "onebid-testenv-"); err != nil {
			return nil, err
		}
	}
	env.plane = &envtest.Environment{
		BinaryAssetsDirectory: assets,
		Scheme:                env.Scheme,
		ErrorIfCRDPathMissing: true,
		// On a busy machine envtest's own 20 seconds run out, and what it gives up on stays behind.
		ControlPlaneStartTimeout: processTimeout,
		ControlPlaneStopTimeout:  processTimeout,
	}
	if !options.Bare {
		env.plane.CRDDirectoryPaths = []string{filepath.Join(root, "config", "crd", "bases")}
	}
	if options.Address != "" {
		host, port, err := net.SplitHostPort(options.Address)
		if err != nil {
			return nil, err
		}
		env.plane.ControlPlane.GetAPIServer().Address = host
		env.plane.ControlPlane.GetAPIServer().Port = port
	}
	if !env.temporary {
		err = env.keepData()
	}
	return env, err
}

// keepData makes etcd and the log outlive the environment.
func (e *Environment) keepData() (err error) {
	etcd := e.plane.ControlPlane.Etcd
	if etcd == nil {
		etcd = &envtest.Etcd{}
		e.plane.ControlPlane.Etcd = etcd
	}
	etcd.DataDir = filepath.Join(e.dir, "etcd")
	etcd.Configure().Disable("unsafe-no-fsync")
	logs := filepath.Join(e.dir, "logs")
	if err := errors.Join(os.MkdirAll(etcd.DataDir, 0o700), os.MkdirAll(logs, 0o700)); err != nil {
		return err
	}
	e.log, err = os.OpenFile(filepath.Join(logs, "control-plane.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	apiserver := e.plane.ControlPlane.GetAPIServer()
	apiserver.Out, apiserver.Err, etcd.Out, etcd.Err = e.log, e.log, e.log, e.log
	return err
}

func (e *Environment) start(ctx context.Context, options Options) error {
	config, err := e.plane.Start()
	if err != nil {
		return fmt.Errorf("start kube-apiserver and etcd of %s: %w", e.assets, err)
	}
	// Throttling in the client would only hide how fast the API server is.
	config.QPS = -1
	e.Config = config
	if e.Client, err = client.NewWithWatch(config, client.Options{Scheme: e.Scheme}); err != nil {
		return err
	}
	if e.admin, err = e.newUser("admin", "kubeconfig", config); err != nil {
		return err
	}
	if options.ControllerManager {
		if err := e.startControllerManager(ctx); err != nil {
			return err
		}
	}
	if e.guard, err = startGuard(e); err != nil {
		return fmt.Errorf("guard against leaving the control plane behind: %w", err)
	}
	if options.Bare || options.WithoutPolicies {
		return nil
	}
	if err := e.applyPolicies(ctx); err != nil {
		return err
	}
	return e.WaitForAdmission(ctx)
}

// Stop ends the control plane and removes its files.
func (e *Environment) Stop() error {
	var errs []error
	if e.manager != nil {
		e.manager.Stop(stopWait)
	}
	if e.plane != nil {
		errs = append(errs, e.plane.Stop())
	}
	if e.guard != nil {
		errs = append(errs, e.guard.release())
	}
	if e.log != nil {
		errs = append(errs, e.log.Close())
	}
	if e.temporary {
		errs = append(errs, os.RemoveAll(e.dir))
	}
	return errors.Join(errs...)
}

// NewScheme knows Kubernetes' own kinds, CustomResourceDefinitions and onebid's.
func NewScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(apiextensionsv1.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	return scheme
}

// Root is the repository's root, upwards of the working directory.
func Root() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "config", "crd", "bases")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s is not inside the onebid repository: no folder above it has config/crd/bases", start)
		}
	}
}

// findAssets is KUBEBUILDER_ASSETS when that is set, else where `make controlplane` builds to.
func findAssets(root string, options Options) (string, error) {
	dir, from := os.Getenv(assetsVariable), assetsVariable
	if dir == "" {
		dir, from = filepath.Join(root, "bin", "controlplane"), "the default"
	}
	needed := []string{"kube-apiserver", "etcd", "kubectl"}
	if options.ControllerManager {
		needed = append(needed, controllerManager)
	}
	for _, name := range needed {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return "", fmt.Errorf("no %s in %s (%s): run `make controlplane` once to build it, which takes some minutes", name, dir, from)
		}
	}
	return filepath.Abs(dir)
}
