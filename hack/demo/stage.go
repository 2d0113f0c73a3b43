package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketsim"
	"github.com/onebid-dev/onebid/internal/testenv"
	"github.com/onebid-dev/onebid/internal/testenv/build"
	"github.com/onebid-dev/onebid/internal/testenv/process"
)

const (
	managerNamespace = "onebid-system"
	managerAccount   = "onebid-manager"

	// account is the simulator's name for the sender of the token of the same name.
	account = "onebid-demo"
	// replyAfter is how long the marketplace takes to answer a place call that it has accepted: long enough that a killed
	// manager leaves some behind whose reply nothing receives.
	replyAfter = 150 * time.Millisecond
	stopGrace  = 10 * time.Second
)

// placement is where the Bids are.
type placement struct{ namespace, marketplace string }

// stage is everything that runs before the scanners do.
type stage struct {
	settings settings
	dir      string
	env      *testenv.Environment
	market   *process.Simulator
	managers []*process.Manager
	place    placement
	scanners []string // kubeconfigs
	bidder   *testenv.User
}

func (st *stage) logs() string { return filepath.Join(st.dir, "logs") }

func (st *stage) binary(name string) string { return filepath.Join(st.settings.bin, name) }

// setUp starts everything and reports it. Stop is needed also when it fails.
func (st *stage) setUp(ctx context.Context, p *progress) (err error) {
	p.say("starting etcd and kube-apiserver")
	if st.env, err = testenv.Start(ctx, testenv.Options{Bare: true}); err != nil {
		return err
	}
	p.say("installing config/default: CRDs, admission policies, RBAC (no node runs its Deployment; the managers are processes)")
	if err := st.env.InstallDefault(ctx); err != nil {
		return err
	}
	if st.market, err = process.StartSimulator(ctx, st.binary("marketsim"), filepath.Join(st.dir, "ledger.jsonl"), st.logs(), 0); err != nil {
		return err
	}
	p.say("started the marketplace simulator at %s", st.market.URL)
	if err := st.prepareNamespace(ctx); err != nil {
		return err
	}
	if err := st.startManagers(ctx); err != nil {
		return err
	}
	p.say("started two managers, logged in as ServiceAccount %s/%s", managerNamespace, managerAccount)
	return nil
}

// prepareNamespace makes the tenant: its users, credentials and Marketplace.
func (st *stage) prepareNamespace(ctx context.Context) error {
	ns := st.place.namespace
	if err := st.env.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}); err != nil {
		return err
	}
	for i := range st.settings.scanners {
		scanner, err := st.env.UserIn(ctx, ns, fmt.Sprintf("scanner-%d", i+1), "onebid-scanner")
		if err != nil {
			return err
		}
		st.scanners = append(st.scanners, scanner.Kubeconfig)
	}
	var err error
	if st.bidder, err = st.env.UserIn(ctx, ns, "bidder", "onebid-bidder"); err != nil {
		return err
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: account}, StringData: map[string]string{"token": account},
	}
	if err := st.env.Client.Create(ctx, secret); err != nil {
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

// createMarketplace creates the sample of config/samples, pointed at this simulator. The simulator is on this machine and quick, so an
// unknown outcome need not wait for long; and it has no rate limit, since the demo is about races and not about waiting.
func (st *stage) createMarketplace(ctx context.Context) error {
	m, err := build.Sample(st.env.Root, st.settings.class())
	if err != nil {
		return err
	}
	m.Name, m.Namespace = st.place.marketplace, st.place.namespace
	m.Spec.CredentialsSecretRef = &v1alpha1.SecretReference{Name: account}
	m.Spec.HTTP.BaseURL = st.market.Client.MarketURL(st.settings.market)
	m.Spec.RateLimit = nil
	m.Spec.TimeoutSeconds = 5
	m.Spec.LateCommitSeconds, m.Spec.VisibilitySeconds = ptr.To[int32](1), ptr.To[int32](1)
	if err := st.env.Client.Create(ctx, m); err != nil {
		return fmt.Errorf("creating the Marketplace: %w", err)
	}
	return nil
}

// startManagers starts two replicas as the ServiceAccount that config/default binds to the manager's ClusterRole.
func (st *stage) startManagers(ctx context.Context) error {
	user, err := st.env.Login(ctx, managerNamespace, managerAccount)
	if err != nil {
		return err
	}
	for i := range 2 {
		m, err := process.Replica{
			Binary: st.binary("manager"), Name: fmt.Sprintf("manager-%d", i+1), Logs: st.logs(),
			Kubeconfig: user.Kubeconfig, Flags: []string{"--namespace=" + managerNamespace, "--allow-private-addresses"},
		}.Start()
		if err != nil {
			return err
		}
		st.managers = append(st.managers, m)
	}
	return process.AwaitReady(ctx, st.managers...)
}

// stopManagers lets calls that are in flight finish.
func (st *stage) stopManagers() {
	for _, m := range st.managers {
		m.Stop(stopGrace)
	}
}

// stop ends everything, in the order in which nothing misses what it needs.
func (st *stage) stop() error {
	st.stopManagers()
	if st.market != nil {
		st.market.Stop(stopGrace)
	}
	if st.env == nil {
		return nil
	}
	return st.env.Stop()
}
