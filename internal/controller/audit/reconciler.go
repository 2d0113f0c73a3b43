// Package audit finds open bids of ours that no Bid accounts for, and reports or withdraws them.
//
// One replica audits each Marketplace from time to time: it lists the account's open bids, then what the cluster knows, and
// compares (Judge). Where orphans are to be withdrawn, the other replicas do the same for the postings whose Leases they
// hold, as no other process can take these. Whatever cannot be proven to be ours is left alone.
//
// No verdict is reached on one look, because a call may be under way whose Bid is gone. A posting where something was left
// is read live twice. At the first look the audit claims the posting's Lease, where anything is to be done. It keeps the
// claim until the second look, which comes when every call that anyone may have started before the claim has taken effect
// and is shown. The claim is exclusive: from the first to the second look no process, this one included, starts a call for
// another Bid on the posting. So what the second look shows is all there will be, and its verdict is acted on. Between the
// looks nothing waits: the open cases are kept in memory and the Marketplace is requeued. A process that ends meanwhile
// loses only memory: its claims become free, and the next audit finds the cases again.
package audit

import (
	"context"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace/account"
	"github.com/onebid-dev/onebid/internal/ownership"
)

// Members says which replica owns a key. See ownership.Members.
type Members interface {
	Owns(key string) bool
	Subscribe(changed func())
}

// EventRecorder writes events for people. See k8s.io/client-go/tools/events.
type EventRecorder interface {
	Eventf(regarding, related runtime.Object, eventtype, reason, action, note string, args ...any)
}

// Options are what a Reconciler works with; all are required.
type Options struct {
	// Client reads from the cache, which has an index of Bids named "spec.marketplace".
	Client client.Reader
	// Live reads from the API server.
	Live client.Reader
	// Leases own postings. It must be the one that places bids, so that the process knows what it holds.
	Leases *ownership.Client
	// ListLeases reads the postings' Leases of a namespace live, page by page.
	ListLeases func(ctx context.Context, namespace string) ([]*coordinationv1.Lease, error)
	// Members of the fleet of replicas.
	Members Members
	// Connections to marketplaces.
	Connections *account.Registry
	// Events go to people.
	Events EventRecorder
	// Metrics count orphans.
	Metrics *Metrics
	// Slack is how much longer than the settle time a call may be under way after its Bid was last seen: how long a live
	// read of a Bid authorises a call, and the margin that the settle time builds on.
	Slack time.Duration
	// Clock of this process.
	Clock clock.Clock
	// Wall is the API server's idea of the time.
	Wall clock.PassiveClock
	// Jitter gives numbers in [0,1) that spread audits.
	Jitter func() float64
}

// Reconciler audits Marketplaces.
type Reconciler struct {
	Options
	leftovers *leftovers
	memories  *memories
}

// New makes a Reconciler.
func New(o Options) *Reconciler {
	return &Reconciler{Options: o, leftovers: newLeftovers(), memories: newMemories()}
}

// ShardKey is the key by which replicas share audits.
func ShardKey(namespace, name string) string { return "audit/" + namespace + "/" + name }

// Reconcile takes the next step for one Marketplace.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	key := req.NamespacedName
	mkt := &onebidv1.Marketplace{}
	err := r.Client.Get(ctx, key, mkt)
	leads := r.Members.Owns(ShardKey(key.Namespace, key.Name))
	if !leads || err != nil {
		r.Metrics.forget(key)
	}
	m := r.memories.get(key)
	released, retry := r.releaseLeftovers(ctx, key, m.claims())
	if err != nil || !leads && mkt.Spec.Orphans != onebidv1.OrphansWithdraw {
		retry = sooner(retry, r.releaseCases(ctx, key, m))
		r.memories.forget(key)
		return reconcile.Result{RequeueAfter: retry}, client.IgnoreNotFound(err)
	}
	if !m.begun {
		m.begin(mkt, r.Clock.Now(), r.Jitter())
	}
	m.again = m.again || released
	conn, connected := r.Connections.Get(key)
	s := &sweep{Reconciler: r, mkt: mkt, conn: conn, memory: m, leads: leads, log: log.FromContext(ctx)}
	var wait time.Duration
	switch step, until := m.decide(s.facts(connected)); step {
	case stepWait:
		wait = until
	case stepRelease:
		m.again = true
		wait = sooner(time.Millisecond, r.releaseCases(ctx, key, m))
	case stepFirstLook:
		wait = s.firstLook(ctx)
	case stepSecondLook:
		wait = s.secondLook(ctx)
	}
	return reconcile.Result{RequeueAfter: sooner(wait, retry)}, nil
}

func (s *sweep) facts(connected bool) facts {
	f := facts{now: s.Clock.Now(), requested: s.mkt.Annotations[onebidv1.AnnotationReconcileRequestedAt]}
	if connected {
		f.conn = s.conn
		f.deniedUntil = s.conn.Denied(account.Priority{Class: account.PriorityBackground}).Until
	}
	return f
}
