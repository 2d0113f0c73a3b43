package main

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/go-logr/logr"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/pager"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/apiclock"
	auditctrl "github.com/onebid-dev/onebid/internal/controller/audit"
	bidctrl "github.com/onebid-dev/onebid/internal/controller/bid"
	mktctrl "github.com/onebid-dev/onebid/internal/controller/marketplace"
	postingctrl "github.com/onebid-dev/onebid/internal/controller/posting"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/account"
	"github.com/onebid-dev/onebid/internal/marketplace/drivers"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
	"github.com/onebid-dev/onebid/internal/ownership"
	"github.com/onebid-dev/onebid/internal/secretwatch"
)

// process is one replica of the manager.
type process struct {
	*options
	log     logr.Logger
	me      ownership.Identity
	members *ownership.Members
	leases  *kubernetes.Clientset
	wall    *apiclock.Clock
	mgr     manager.Manager
}

func (p *process) setup(ctx context.Context) error {
	calls := marketplace.NewMetrics()
	if err := metrics.Registry.Register(calls); err != nil {
		return err
	}
	connections := account.NewRegistry(account.Options{
		Replicas: func() int { return max(1, len(p.members.Live())) }, Wall: p.wall, Metrics: calls,
	})
	if err := metrics.Registry.Register(connections); err != nil {
		return err
	}
	leases := ownership.NewClient(p.leases.CoordinationV1(), p.me, p.members, clock.RealClock{}, p.log.WithName("leases"),
		ownership.WithWallClock(p.wall))
	postings := postingctrl.NewRecorder(p.mgr.GetClient(), p.mgr.GetAPIReader(), p.wall)
	for _, setup := range []func() error{
		func() error { return p.bids(ctx, connections, leases, postings) },
		func() error { return p.audits(connections, leases) },
		func() error { return p.marketplaces(connections) },
		func() error {
			return postingctrl.New(postingctrl.Options{
				Client: p.mgr.GetClient(), APIReader: p.mgr.GetAPIReader(), Members: p.members, Recorder: postings, Clock: p.wall,
			}).Setup(ctx, p.mgr)
		},
		func() error { return p.mgr.Add(p.sweeper()) },
		func() error { return probes(p.mgr, p.members) },
	} {
		if err := setup(); err != nil {
			return err
		}
	}
	return nil
}

func (p *process) bids(
	ctx context.Context, connections *account.Registry, leases *ownership.Client, postings *postingctrl.Recorder,
) error {
	return bidctrl.New(bidctrl.Options{
		Client: p.mgr.GetClient(), Live: p.mgr.GetAPIReader(), Leases: leases, Members: p.members, Connections: connections,
		Postings: postings, Events: p.mgr.GetEventRecorder("onebid"), Clock: clock.RealClock{}, Wall: p.wall,
		Jitter: rand.Float64,
	}).Setup(ctx, p.mgr, p.concurrency)
}

// audits shares the Lease client with bids, because both claim the same Leases.
func (p *process) audits(connections *account.Registry, leases *ownership.Client) error {
	orphans := auditctrl.NewMetrics()
	if err := metrics.Registry.Register(orphans); err != nil {
		return err
	}
	return auditctrl.New(auditctrl.Options{
		Client: p.mgr.GetClient(), Live: p.mgr.GetAPIReader(), Leases: leases, ListLeases: p.listLeases, Members: p.members,
		Connections: connections, Events: p.mgr.GetEventRecorder("onebid"), Metrics: orphans,
		Slack: p.timing.Margin + time.Second, Clock: clock.RealClock{}, Wall: p.wall, Jitter: rand.Float64,
	}).Setup(p.mgr)
}

func (p *process) marketplaces(connections *account.Registry) error {
	secrets, err := metadata.NewForConfig(p.mgr.GetConfig())
	if err != nil {
		return err
	}
	marketplaces := mktctrl.NewMetrics()
	if err := metrics.Registry.Register(marketplaces); err != nil {
		return err
	}
	return mktctrl.New(mktctrl.Options{
		Client:      p.mgr.GetClient(),
		APIReader:   p.mgr.GetAPIReader(),
		Members:     p.members,
		Metrics:     marketplaces,
		Secrets:     secretwatch.New(secrets),
		Factory:     drivers.Factory(wire.Options{Egress: p.egress, UserAgent: "onebid/" + version}),
		Connections: connections,
		SettleTime:  p.settle,
		Clock:       p.wall,
	}).Setup(p.mgr)
}

// settle returns the settle time of a marketplace, from its timings and this manager's.
func (p *process) settle(spec *onebidv1.MarketplaceSpec) time.Duration {
	timeout := time.Duration(spec.TimeoutSeconds) * time.Second
	return p.timing.Settle(timeout, secondsOf(spec.LateCommitSeconds), secondsOf(spec.VisibilitySeconds))
}

// secondsOf an optional field. Only an object that was stored before the field had its default, 5, can lack it.
func secondsOf(value *int32) time.Duration {
	if value == nil {
		return 5 * time.Second
	}
	return time.Duration(*value) * time.Second
}

// sweeper deletes expired tombstones and the Leases of scanners that died. It lists from time to time instead of watching, so
// that not all Leases are kept in memory.
func (p *process) sweeper() *ownership.Sweeper {
	return &ownership.Sweeper{
		Leases: p.leases.CoordinationV1(), List: p.listAllLeases, Owns: p.members.Owns,
		Retention: p.tombstoneRetention, Interval: p.sweepInterval, Pause: 50 * time.Millisecond,
		Clock: clock.RealClock{}, Wall: p.wall, Log: p.log.WithName("sweeper"),
	}
}

func (p *process) listAllLeases(ctx context.Context) ([]*coordinationv1.Lease, error) {
	if len(p.watched) == 0 {
		return p.listLeases(ctx, metav1.NamespaceAll)
	}
	var out []*coordinationv1.Lease
	for _, namespace := range p.watched {
		leases, err := p.listLeases(ctx, namespace)
		if err != nil {
			return nil, err
		}
		out = append(out, leases...)
	}
	return out, nil
}

func (p *process) listLeases(ctx context.Context, namespace string) ([]*coordinationv1.Lease, error) {
	var out []*coordinationv1.Lease
	list := pager.New(pager.SimplePageFunc(func(opts metav1.ListOptions) (runtime.Object, error) {
		return p.leases.CoordinationV1().Leases(namespace).List(ctx, opts)
	}))
	err := list.EachListItem(ctx, metav1.ListOptions{LabelSelector: onebidv1.LabelLease + "=" + onebidv1.LeaseKindPosting},
		func(o runtime.Object) error {
			if lease, ok := o.(*coordinationv1.Lease); ok {
				out = append(out, lease)
			}
			return nil
		})
	return out, err
}
