// Package audit finds live bids of ours that no Bid accounts for, and reports or withdraws them.
//
// One replica audits each Marketplace now and then: it lists what the account has live, then what the cluster knows of,
// and compares. Where orphans are to be withdrawn the others do so too, for the postings that they hold themselves. What
// does not match is looked at again by live reads, after a wait that outlasts every call which may still be under way, and
// holding the posting's Lease where anything is to be done. Whatever cannot be proven to be ours is left alone.
package audit

import (
	"context"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace/account"
	"github.com/onebid-dev/onebid/internal/ownership"
)

// Reasons of the events on Marketplaces.
const (
	// EventOrphanFound is written once for each orphan that stays.
	EventOrphanFound = "OrphanFound"
	// EventOrphanWithdrawn is written when an orphan was taken back.
	EventOrphanWithdrawn = "OrphanWithdrawn"
)

// Members tells which replica acts on a key. See ownership.Members.
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
	// Slack is how much longer than the settle wait a call may be under way after its Bid was last seen: how long a live
	// read of a Bid authorises a call, and the margin that the settle wait builds on.
	Slack time.Duration
	// Clock for waits.
	Clock clock.Clock
	// Wall is the API server's idea of the time.
	Wall clock.PassiveClock
	// Jitter gives numbers in [0,1) that spread audits.
	Jitter func() float64
}

// Reconciler audits Marketplaces.
type Reconciler struct {
	Options
	strays *strays

	mu       sync.Mutex
	accounts map[types.NamespacedName]*memory
}

// New makes a Reconciler.
func New(o Options) *Reconciler {
	return &Reconciler{Options: o, strays: newStrays(), accounts: map[types.NamespacedName]*memory{}}
}

// memory is what this process remembers of a Marketplace that it audits.
type memory struct {
	// next audit.
	next time.Time
	// requested is the value of the annotation requestedAt that was heeded last.
	requested string
	// told are the orphans that stayed after the last audit, by remote ID, and whether an event was written.
	told map[string]bool
}

// ShardKey is the key by which replicas share audits.
func ShardKey(namespace, name string) string { return "audit/" + namespace + "/" + name }

// Reconcile audits one Marketplace when that is due.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	mkt := &onebidv1.Marketplace{}
	if err := r.Client.Get(ctx, req.NamespacedName, mkt); err != nil {
		r.forget(req.NamespacedName)
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	stray, wait := r.letGo(ctx, req.NamespacedName)
	leads := r.Members.Owns(ShardKey(req.Namespace, req.Name))
	if !leads {
		r.Metrics.forget(req.NamespacedName)
	}
	if !leads && mkt.Spec.Orphans != onebidv1.OrphansWithdraw {
		r.forget(req.NamespacedName)
		return reconcile.Result{RequeueAfter: wait}, nil
	}
	conn, ok := r.Connections.Get(req.NamespacedName)
	if !ok {
		return reconcile.Result{RequeueAfter: wait}, nil // a new connection brings it back
	}
	a := r.memory(mkt)
	requested := mkt.Annotations[onebidv1.AnnotationReconcileRequestedAt]
	if until := r.notBefore(a, conn, stray || requested != a.requested); until > 0 {
		return reconcile.Result{RequeueAfter: sooner(until, wait)}, nil
	}
	a.requested = requested
	s := &sweep{
		Reconciler: r, mkt: mkt, conn: conn, memory: a, leads: leads, log: log.FromContext(ctx), stay: map[string]bool{},
	}
	if err := s.run(ctx); err != nil {
		s.log.Info("The audit was not finished; it is tried again at the next interval", "error", err.Error())
	}
	every := interval(mkt)
	pause := every*9/10 + time.Duration(r.Jitter()*float64(every)/5)
	a.next = r.Clock.Now().Add(pause)
	return reconcile.Result{RequeueAfter: sooner(pause, wait)}, nil
}

// notBefore is how long the next audit has to wait; 0 when it is due. An account whose calls are held
// back is not asked.
func (r *Reconciler) notBefore(a *memory, conn *account.Account, asked bool) time.Duration {
	now := r.Clock.Now()
	until := max(conn.Denied(account.Priority{Class: account.PriorityBackground}).Until.Sub(now), 0)
	if asked {
		return until
	}
	return max(until, a.next.Sub(now))
}

// memory finds what is remembered. The first audit of a process comes at a random point of the interval, so that a
// restart does not ask all marketplaces at once.
func (r *Reconciler) memory(mkt *onebidv1.Marketplace) *memory {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := client.ObjectKeyFromObject(mkt)
	a := r.accounts[key]
	if a == nil {
		first := time.Duration(r.Jitter() * float64(interval(mkt)))
		a = &memory{next: r.Clock.Now().Add(first), requested: mkt.Annotations[onebidv1.AnnotationReconcileRequestedAt]}
		r.accounts[key] = a
	}
	return a
}

func (r *Reconciler) forget(key types.NamespacedName) {
	r.mu.Lock()
	delete(r.accounts, key)
	r.mu.Unlock()
	r.Metrics.forget(key)
}

func interval(mkt *onebidv1.Marketplace) time.Duration {
	return time.Duration(mkt.Spec.AuditIntervalSeconds) * time.Second
}

// calm is how long it takes until no call is under way any more, or late to show, that was started for a Bid which is
// gone by now, by whomever.
func (r *Reconciler) calm(conn *account.Account) time.Duration { return conn.SettleTime() + r.Slack }

// sooner is the shorter of two waits, of which 0 is none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
