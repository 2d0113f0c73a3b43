package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/hack/internal/stack"
	"github.com/onebid-dev/onebid/internal/marketsim"
)

const (
	managerNamespace = "onebid-system"
	managerAccount   = "onebid-manager"
	scannerRole      = "onebid-scanner"
	bidderRole       = "onebid-bidder"

	// account is the simulator's name for whoever sends the token of the same name.
	account = "onebid-demo"
	// replyAfter is how long the marketplace thinks about a bid that it has accepted: long enough that a killed manager
	// leaves some behind whose reply nobody gets.
	replyAfter = 150 * time.Millisecond
	stopGrace  = 10 * time.Second
)

// placement is where the Bids are.
type placement struct{ namespace, marketplace string }

// stage is everything that runs before the scanners do.
type stage struct {
	settings settings
	root     string
	dir      string
	group    *stack.Group
	plane    *stack.ControlPlane
	market   *stack.Simulator
	managers []*stack.Manager
	place    placement
	scanners []string // kubeconfigs
	bidder   string   // kubeconfig of who withdraws
}

// setUp starts everything and says so. Whatever it started belongs to the group, also when it fails.
func setUp(ctx context.Context, s settings, root, dir string, g *stack.Group, p *progress) (*stage, error) {
	assets, err := stack.FindAssets(root)
	if err != nil {
		return nil, err
	}
	if err := stack.FindBinaries(s.bin, "manager", "marketsim"); err != nil {
		return nil, err
	}
	st := &stage{settings: s, root: root, dir: dir, group: g, place: placement{namespace: "demo", marketplace: s.market}}
	p.say("starting etcd and kube-apiserver")
	st.plane, err = stack.StartControlPlane(ctx, g, stack.ControlPlaneOptions{Assets: assets, Dir: dir})
	if err != nil {
		return nil, err
	}
	p.say("installing config/default: CRDs, admission policies, RBAC (no node runs its Deployment; the managers are processes)")
	if err := st.plane.Install(ctx, root); err != nil {
		return nil, err
	}
	if st.market, err = stack.StartSimulator(ctx, g, s.bin, filepath.Join(dir, "ledger.jsonl"), 0); err != nil {
		return nil, err
	}
	p.say("started the marketplace simulator at %s", st.market.URL)
	if err := st.prepareNamespace(ctx); err != nil {
		return nil, err
	}
	if err := st.startManagers(ctx); err != nil {
		return nil, err
	}
	p.say("started two managers, logged in as ServiceAccount %s/%s", managerNamespace, managerAccount)
	return st, nil
}

// prepareNamespace makes the tenant: its users, credentials and Marketplace.
func (st *stage) prepareNamespace(ctx context.Context) error {
	ns := st.place.namespace
	if err := st.plane.CreateNamespace(ctx, ns); err != nil {
		return err
	}
	for i := range st.settings.scanners {
		kubeconfig, err := st.plane.CreateUser(ctx, ns, fmt.Sprintf("scanner-%d", i+1), scannerRole)
		if err != nil {
			return err
		}
		st.scanners = append(st.scanners, kubeconfig)
	}
	var err error
	if st.bidder, err = st.plane.CreateUser(ctx, ns, "bidder", bidderRole); err != nil {
		return err
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: account}, StringData: map[string]string{"token": account},
	}
	if _, err := st.plane.Client.CoreV1().Secrets(ns).Create(ctx, secret, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating the credentials: %w", err)
	}
	fault := marketsim.Fault{
		Market: st.settings.market, Verb: marketsim.VerbPlace, Commit: marketsim.CommitBefore,
		DelayMillis: int(replyAfter.Milliseconds()),
	}
	if _, err := st.market.Client.AddFault(ctx, fault); err != nil {
		return err
	}
	return st.createMarketplace(ctx)
}

func (st *stage) createMarketplace(ctx context.Context) error {
	m, err := st.marketplace()
	if err != nil {
		return err
	}
	client, err := stack.BidClient(st.plane.Config)
	if err != nil {
		return err
	}
	if err := client.Post().Namespace(m.Namespace).Resource("marketplaces").Body(m).Do(ctx).Error(); err != nil {
		return fmt.Errorf("creating the Marketplace: %w", err)
	}
	return nil
}

// marketplace is the sample of config/samples, pointed at this simulator. That is on this machine and quick, so an unknown
// outcome need not settle for long; and it has no limit of calls, since the demo is about races and not about waiting.
func (st *stage) marketplace() (*v1alpha1.Marketplace, error) {
	path := filepath.Join(st.root, "config", "samples", "marketplace-"+st.settings.market+".yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the sample: %w", err)
	}
	m := &v1alpha1.Marketplace{}
	if err := yaml.UnmarshalStrict(text, m); err != nil {
		return nil, fmt.Errorf("reading the sample %s: %w", path, err)
	}
	if m.Name != st.place.marketplace || m.Spec.Class != st.settings.class() || m.Spec.HTTP == nil {
		return nil, fmt.Errorf("the sample %s is not a Marketplace %q of class %s with the http driver",
			path, st.place.marketplace, st.settings.class())
	}
	m.Namespace = st.place.namespace
	m.Spec.CredentialsSecretRef = &v1alpha1.SecretReference{Name: account}
	m.Spec.HTTP.BaseURL = st.market.Client.MarketURL(st.settings.market)
	m.Spec.RateLimit = nil
	m.Spec.TimeoutSeconds = 5
	m.Spec.LateCommitSeconds, m.Spec.VisibilitySeconds = new(int32(1)), new(int32(1))
	return m, nil
}

// startManagers starts two replicas as the ServiceAccount that config/default binds to the manager's ClusterRole.
func (st *stage) startManagers(ctx context.Context) error {
	kubeconfig, err := st.plane.Login(ctx, managerNamespace, managerAccount)
	if err != nil {
		return err
	}
	for i := range 2 {
		m, err := stack.StartManager(ctx, st.group, stack.ManagerOptions{
			Bin: st.settings.bin, Name: fmt.Sprintf("manager-%d", i+1), Kubeconfig: kubeconfig, Namespace: managerNamespace,
		})
		if err != nil {
			return err
		}
		st.managers = append(st.managers, m)
	}
	return stack.AwaitReady(ctx, st.managers...)
}

// cleanUp removes what the demo wrote; with keep, only what nobody can use any more: data and credentials of the control
// plane that is gone.
func cleanUp(dir string, keep bool) error {
	if !keep {
		return os.RemoveAll(dir)
	}
	for _, name := range []string{"etcd", "pki", "kubeconfig"} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}
