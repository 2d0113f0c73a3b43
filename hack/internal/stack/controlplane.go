package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

const startTimeout = 60 * time.Second

// ControlPlaneOptions say how to start a control plane.
type ControlPlaneOptions struct {
	// Assets is the folder with the binaries; see FindAssets.
	Assets string
	// Dir takes etcd's data, the certificates and the kubeconfigs. With data of an earlier run in it, that is used.
	Dir string
	// Port of the API server; another one when it is taken, and any one when it is 0.
	Port int
	// Durable has etcd write to the disk before it answers. Data that is thrown away at the end does not need it.
	Durable bool
	// Controllers starts kube-controller-manager for what managers and tests can see of it: deletion of namespaces and
	// garbage collection. Pods are never made, since there is no node to run them.
	Controllers bool
}

// ControlPlane is a kube-apiserver with its etcd.
type ControlPlane struct {
	// URL of the API server.
	URL string
	// Kubeconfig is a file that logs in as an administrator (group system:masters).
	Kubeconfig string
	// Config is the same for client-go, without a client-side rate limit.
	Config *rest.Config
	// Client is made of Config.
	Client kubernetes.Interface

	group  *Group
	assets string
	dir    string
	ca     *authority
}

// StartControlPlane starts etcd and kube-apiserver in the group and returns when the API server is ready.
func StartControlPlane(ctx context.Context, g *Group, o ControlPlaneOptions) (*ControlPlane, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout,
		fmt.Errorf("the control plane was not ready after %s", startTimeout))
	defer cancel()
	ca, err := newAuthority(filepath.Join(o.Dir, "pki"))
	if err != nil {
		return nil, err
	}
	port, err := FreePort(ctx, o.Port)
	if err != nil {
		return nil, err
	}
	cp := &ControlPlane{URL: "https://" + address(port), group: g, assets: o.Assets, dir: o.Dir, ca: ca}
	etcd, etcdURL, err := cp.startEtcd(ctx, o.Durable)
	if err != nil {
		return nil, err
	}
	api, err := cp.startAPIServer(etcdURL, port)
	if err != nil {
		return nil, err
	}
	if err := cp.login(); err != nil {
		return nil, err
	}
	ready := func(ctx context.Context) error {
		return cp.Client.CoreV1().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	}
	if err := Await(ctx, 100*time.Millisecond, ready, etcd, api); err != nil {
		return nil, err
	}
	if o.Controllers {
		err = cp.startControllers()
	}
	return cp, err
}

func (cp *ControlPlane) startEtcd(ctx context.Context, durable bool) (*Process, string, error) {
	var ports [2]int
	for i := range ports {
		port, err := FreePort(ctx, 0)
		if err != nil {
			return nil, "", err
		}
		ports[i] = port
	}
	client, peer := "http://"+address(ports[0]), "http://"+address(ports[1])
	args := []string{
		"--data-dir=" + filepath.Join(cp.dir, "etcd"), "--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=default=" + peer,
		"--log-level=warn",
	}
	if !durable {
		args = append(args, "--unsafe-no-fsync")
	}
	p, err := cp.group.Start(Command{Name: "etcd", Path: filepath.Join(cp.assets, "etcd"), Args: args})
	return p, client, err
}

func (cp *ControlPlane) startAPIServer(etcdURL string, port int) (*Process, error) {
	if err := cp.ca.server("apiserver"); err != nil {
		return nil, err
	}
	return cp.group.Start(Command{Name: "kube-apiserver", Path: filepath.Join(cp.assets, "kube-apiserver"), Args: []string{
		"--etcd-servers=" + etcdURL,
		"--bind-address=127.0.0.1",
		"--secure-port=" + strconv.Itoa(port),
		"--tls-cert-file=" + cp.ca.file("apiserver.crt"),
		"--tls-private-key-file=" + cp.ca.file("apiserver.key"),
		"--client-ca-file=" + cp.ca.file("ca.crt"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + cp.ca.file("sa.key"),
		"--service-account-signing-key-file=" + cp.ca.file("sa.key"),
		"--service-cluster-ip-range=10.0.0.0/24",
		"--authorization-mode=RBAC",
	}})
}

// login makes the administrator's kubeconfig and clients.
func (cp *ControlPlane) login() error {
	if err := cp.ca.client("admin", "onebid-admin", "system:masters"); err != nil {
		return err
	}
	path := filepath.Join(cp.dir, "kubeconfig")
	err := cp.writeKubeconfig(path, "", &clientcmdapi.AuthInfo{
		ClientCertificate: cp.ca.file("admin.crt"), ClientKey: cp.ca.file("admin.key"),
	})
	if err != nil {
		return err
	}
	cp.Kubeconfig = path
	if cp.Config, err = clientcmd.BuildConfigFromFlags("", path); err != nil {
		return fmt.Errorf("reading the kubeconfig: %w", err)
	}
	cp.Config.QPS = -1
	if cp.Client, err = kubernetes.NewForConfig(cp.Config); err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	return nil
}

// writeKubeconfig replaces the file as a whole, so that nobody reads half of it. Everything in it is embedded: it may be
// copied elsewhere.
func (cp *ControlPlane) writeKubeconfig(path, namespace string, user *clientcmdapi.AuthInfo) error {
	const name = "onebid"
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{Server: cp.URL, CertificateAuthority: cp.ca.file("ca.crt")}
	config.AuthInfos[name] = user
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name, Namespace: namespace}
	config.CurrentContext = name
	if err := clientcmdapi.FlattenConfig(config); err != nil {
		return fmt.Errorf("writing a kubeconfig: %w", err)
	}
	fresh := path + ".new"
	if err := clientcmd.WriteToFile(*config, fresh); err != nil {
		return fmt.Errorf("writing a kubeconfig: %w", err)
	}
	return os.Rename(fresh, path)
}

func (cp *ControlPlane) startControllers() error {
	path := filepath.Join(cp.assets, "kube-controller-manager")
	if _, err := os.Stat(path); err != nil {
		return errors.Join(errors.New("kube-controller-manager is needed to delete namespaces; `make controlplane` builds it"), err)
	}
	if err := cp.ca.client("controllers", "system:kube-controller-manager"); err != nil {
		return err
	}
	kubeconfig := filepath.Join(cp.dir, "pki", "controllers.kubeconfig")
	err := cp.writeKubeconfig(kubeconfig, "", &clientcmdapi.AuthInfo{
		ClientCertificate: cp.ca.file("controllers.crt"), ClientKey: cp.ca.file("controllers.key"),
	})
	if err != nil {
		return err
	}
	_, err = cp.group.Start(Command{Name: "kube-controller-manager", Path: path, Args: []string{
		"--kubeconfig=" + kubeconfig,
		"--authentication-kubeconfig=" + kubeconfig,
		"--authorization-kubeconfig=" + kubeconfig,
		"--controllers=namespace-controller,garbage-collector-controller,clusterrole-aggregation-controller",
		"--use-service-account-credentials",
		"--kube-api-qps=200",
		"--kube-api-burst=400",
		"--leader-elect=false",
		"--secure-port=0",
	}})
	return err
}
