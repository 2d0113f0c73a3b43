package simulation

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/controller/audit"
	"github.com/onebid-dev/onebid/internal/controller/bid"
	"github.com/onebid-dev/onebid/internal/marketplace/account"
	"github.com/onebid-dev/onebid/internal/ownership"
)

// replica is one life of a manager, put together as cmd/manager does.
type replica struct {
	*process
	index       int
	cancel      context.CancelFunc
	connections *account.Registry
	cache       *cache
	bids        *queue
	audits      *queue
}

var siteKey = types.NamespacedName{Namespace: namespace, Name: siteName}

// start begins a new life of a replica: a new identity, nothing in memory.
func (w *world) start(index int) {
	life := w.nextLife()
	me := ownership.Identity{Role: ownership.RoleController, Host: fmt.Sprintf("r%d", index), ID: fmt.Sprintf("life%d", life)}
	p := newProcess(w.env, fmt.Sprintf("r%d.%d", index, life))
	api := &apiserver{p, w.api}
	ctx, cancel := context.WithCancel(quiet())
	r := &replica{process: p, index: index, cancel: cancel, cache: &cache{bids: map[string]*onebidv1.Bid{}}}
	w.mu.Lock()
	w.replicas[index] = r
	w.mu.Unlock()
	w.note(p.name, "starts")
	l := w.randoms.of(p.name, "host")
	host := &hostClock{p: p, begun: time.Now(), wrong: l.between(-time.Hour, time.Hour), rate: 1 + 0.018*(l.Float64()-0.5)}
	members := ownership.NewMembers(leaseGetter{api}, "onebid-system", me, timing, host, logr.Discard())
	leases := ownership.NewClient(leaseGetter{api}, me, members, host, logr.Discard(), ownership.WithWallClock(clock.RealClock{}))
	r.connections = account.NewRegistry(account.Options{
		Clock: host, Wall: clock.RealClock{}, Replicas: func() int { return max(1, len(members.Live())) },
	})
	r.connections.Connect(w.marketplace, driver{p, w.market}, timing.Settle(callTimeout, lateCommit, visibility))
	r.control(w, api, members, leases, host)
	members.Subscribe(func() {
		for _, name := range r.cache.names() {
			r.bids.add(ctx, name)
		}
		r.audits.add(ctx, siteName)
	})
	informer := newFeed(p, "cache", r.onChange, paused, noAPI, stale)
	w.api.follow(informer)
	w.run(func() { informer.run(ctx) })
	w.run(func() { _ = members.Run(ctx) }) // it never fails
	r.audits.add(ctx, siteName)
}

// control makes the two controllers and their queues.
func (r *replica) control(
	w *world, api *apiserver, members *ownership.Members, leases *ownership.Client, host clock.Clock,
) {
	client, live := &cachedClient{apiserver: api, cache: r.cache, marketplace: w.marketplace}, &liveReader{apiserver: api}
	jitter := r.jitter()
	placing := bid.New(bid.Options{
		Client: client, Live: live, Leases: leases, Members: members, Connections: r.connections, Postings: postings{},
		Events: events{}, Clock: host, Wall: clock.RealClock{}, Jitter: jitter,
	})
	auditing := audit.New(audit.Options{
		Client: client, Live: live, Leases: leases, ListLeases: api.listLeases, Members: members, Connections: r.connections,
		Events: events{}, Metrics: audit.NewMetrics(), Slack: timing.Margin + time.Second,
		Clock: host, Wall: clock.RealClock{}, Jitter: jitter,
	})
	r.bids, r.audits = newQueue(r.process, reconciled(placing)), newQueue(r.process, reconciled(auditing))
}

func reconciled(r reconcile.Reconciler) func(context.Context, string) (time.Duration, error) {
	return func(ctx context.Context, name string) (time.Duration, error) {
		result, err := r.Reconcile(ctx, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}})
		return result.RequeueAfter, err
	}
}

func (r *replica) jitter() func() float64 {
	l := r.randoms.of(r.name, "jitter")
	var mu sync.Mutex
	return func() float64 {
		mu.Lock()
		defer mu.Unlock()
		return l.Float64()
	}
}

// onChange is the cache's handler.
func (r *replica) onChange(ctx context.Context, ch change) {
	r.cache.apply(ch)
	r.bids.add(ctx, ch.name)
}

// stop ends a life. Whatever it has sent goes on.
func (r *replica) stop() {
	r.kill()
	r.cancel()
	r.connections.Forget(siteKey)
}

// quiet keeps what the libraries log to themselves.
func quiet() context.Context {
	return log.IntoContext(klog.NewContext(context.Background(), logr.Discard()), logr.Discard())
}
