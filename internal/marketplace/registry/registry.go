// Package registry holds a process's connections to marketplaces: for each Marketplace its driver and what all calls of
// one account share, the rate limit, the pause that the marketplace asked for, and one list for many outcome polls.
package registry

import (
	"context"
	"io"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

// Connection is one account at one marketplace. It does not change; a new one takes its place.
type Connection struct {
	// Driver is measured and paced: each request of a read waits for its turn by itself. Place and Withdraw do not wait,
	// so that no time passes between the last check and the first byte: wait with Limiter before that check.
	Driver marketplace.Driver
	// Settle is how long an unknown outcome must settle before it is looked up.
	Settle time.Duration
	// Spec that the driver was built from.
	Spec *onebidv1.MarketplaceSpec
	// Limiter is shared by all calls of the account.
	Limiter *Limiter
	// Outcomes answer from one list for all bids.
	Outcomes *Outcomes

	end    context.CancelFunc
	closer io.Closer // of the driver as it was given; may be nil
}

// account is what outlives the connections of one Marketplace.
type account struct {
	limiter     *Limiter
	uid         types.UID
	generation  int64
	credentials onebidv1.SecretReference
}

// Options of a Registry.
type Options struct {
	// Replicas says how many processes share each account now. Default: always 1.
	Replicas func() int
	// Clock defaults to the real one.
	Clock clock.Clock
	// Metrics measure all calls. Default: none.
	Metrics *marketplace.Metrics
}

// Registry is safe for concurrent use.
type Registry struct {
	options Options

	mu          sync.RWMutex
	connections map[types.NamespacedName]*Connection
	accounts    map[types.NamespacedName]account
	subscribers []func(types.NamespacedName)
	watchers    []func(types.NamespacedName)
}

// New returns a registry without connections.
func New(o Options) *Registry {
	if o.Replicas == nil {
		o.Replicas = func() int { return 1 }
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	return &Registry{
		options: o, connections: map[types.NamespacedName]*Connection{}, accounts: map[types.NamespacedName]account{},
	}
}

// Wrap gives a driver that was just built for the Marketplace what all calls of the account share: they are measured, wait
// for their turn, and heed pauses and the circuit breaker. Those go on where they were, but a pause ends that may have been
// about credentials that are others now. The result can be closed, which closes the driver if it is an io.Closer.
func (r *Registry) Wrap(m *onebidv1.Marketplace, driver marketplace.Driver) marketplace.Driver {
	return r.wrap(m, driver)
}

func (r *Registry) wrap(m *onebidv1.Marketplace, driver marketplace.Driver) *paced {
	key := types.NamespacedName{Namespace: m.Namespace, Name: m.Name}
	// The metrics are inside: what waited and was not sent is no call.
	closer := driver
	if r.options.Metrics != nil {
		driver = r.options.Metrics.Wrap(key, driver)
	}
	return &paced{Driver: driver, inner: closer, limiter: r.limiter(key, m), clock: r.options.Clock}
}

// Health is how this process gets on with the Marketplace's account; false when it has none.
func (r *Registry) Health(key types.NamespacedName) (Health, bool) {
	r.mu.RLock()
	a, ok := r.accounts[key]
	r.mu.RUnlock()
	if !ok {
		return Health{}, false
	}
	return a.limiter.Health(), true
}

// Connect makes a connection in place of the one before, and tells the subscribers. A driver that Wrap did not give is
// wrapped. It is closed when its connection is replaced.
func (r *Registry) Connect(m *onebidv1.Marketplace, driver marketplace.Driver, settle time.Duration) *Connection {
	key := types.NamespacedName{Namespace: m.Namespace, Name: m.Name}
	ctx, end := context.WithCancel(context.Background())
	wrapped, ok := driver.(*paced)
	if !ok {
		wrapped = r.wrap(m, driver)
	}
	c := &Connection{
		Driver: wrapped, Settle: settle, Spec: m.Spec.DeepCopy(), Limiter: wrapped.limiter, end: end, closer: wrapped,
	}
	c.Outcomes = newOutcomes(ctx, c.Driver, time.Duration(m.Spec.AuditIntervalSeconds)*time.Second, r.options.Clock)
	r.Set(key, c)
	return c
}

// limiter gives the account's limiter, which outlives its connections.
func (r *Registry) limiter(key types.NamespacedName, m *onebidv1.Marketplace) *Limiter {
	limiter, resume := r.account(key, m)
	if resume {
		limiter.Resume()
	}
	limiter.configure(&m.Spec)
	return limiter
}

func (r *Registry) account(key types.NamespacedName, m *onebidv1.Marketplace) (_ *Limiter, resume bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	is := account{uid: m.UID, generation: m.Generation}
	if ref := m.Spec.CredentialsSecretRef; ref != nil {
		is.credentials = *ref
	}
	was := r.accounts[key]
	switch is.limiter = was.limiter; {
	case was.limiter == nil || was.uid != is.uid:
		is.limiter = newLimiter(r.options.Clock, r.options.Replicas, func() { r.healthChanged(key) })
	case was.generation == is.generation || was.credentials != is.credentials:
		// Nothing of the Marketplace changed, so the Secret's contents did; or it names another Secret.
		resume = true
	}
	r.accounts[key] = is
	return is.limiter, resume
}

// Set puts a connection in place of the one before and tells the subscribers.
func (r *Registry) Set(key types.NamespacedName, c *Connection) {
	r.mu.Lock()
	before := r.connections[key]
	r.connections[key] = c
	r.mu.Unlock()
	before.close()
	r.tell(key)
}

// Get returns the connection, and whether there is one.
func (r *Registry) Get(key types.NamespacedName) (*Connection, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	c, ok := r.connections[key]
	return c, ok
}

// Delete takes the connection away and tells the subscribers, if there was one. The account's limiter is remembered, as
// the connection may come back.
func (r *Registry) Delete(key types.NamespacedName) {
	r.mu.Lock()
	before := r.connections[key]
	delete(r.connections, key)
	r.mu.Unlock()
	if before == nil {
		return
	}
	before.close()
	r.tell(key)
}

// Forget is Delete for a Marketplace that is gone for good, with its limiter and its metrics.
func (r *Registry) Forget(key types.NamespacedName) {
	r.Delete(key)
	r.mu.Lock()
	delete(r.accounts, key)
	r.mu.Unlock()
	if r.options.Metrics != nil {
		r.options.Metrics.Forget(key)
	}
}

// Subscribe has a function called after every change of a connection, in the changer's goroutine. It must not block.
func (r *Registry) Subscribe(changed func(types.NamespacedName)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.subscribers = append(r.subscribers, changed)
}

// SubscribeHealth has a function called when a pause begins or is ended early, and when the circuit breaker opens, closes,
// or stays open after a probe; in the goroutine of a call. It must not block.
func (r *Registry) SubscribeHealth(changed func(types.NamespacedName)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watchers = append(r.watchers, changed)
}

func (r *Registry) tell(key types.NamespacedName) {
	r.mu.RLock()
	subscribers := r.subscribers
	r.mu.RUnlock()
	call(subscribers, key)
}

func (r *Registry) healthChanged(key types.NamespacedName) {
	r.mu.RLock()
	watchers := r.watchers
	r.mu.RUnlock()
	call(watchers, key)
}

func call(functions []func(types.NamespacedName), key types.NamespacedName) {
	for _, f := range functions {
		f(key)
	}
}

// close ends what the connection does in the background. Calls of others that are under way go on.
func (c *Connection) close() {
	if c == nil {
		return
	}
	if c.end != nil {
		c.end()
	}
	if c.closer != nil {
		_ = c.closer.Close() // it drops idle connections; there is nothing to be done about it
	}
}
