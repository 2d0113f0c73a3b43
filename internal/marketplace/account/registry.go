package account

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

// Options of a Registry.
type Options struct {
	// Replicas says how many processes share each account now. Default: always 1.
	Replicas func() int
	// Clock of this process. Default: the real one.
	Clock clock.Clock
	// Wall is the API server's clock, for times that objects record. Default: Clock.
	Wall clock.PassiveClock
	// Metrics measure all calls. Default: none.
	Metrics *marketplace.Metrics
}

// Registry holds the accounts of this process by the name of their Marketplace. It is safe for concurrent use.
type Registry struct {
	options Options

	mu       sync.RWMutex
	accounts map[types.NamespacedName]*Account
	shared   map[types.NamespacedName]shared
	workers  int
	// connectionSubscribers and healthSubscribers are called with the key of what changed.
	connectionSubscribers, healthSubscribers []func(types.NamespacedName)
}

// shared is what outlives the connections of one Marketplace.
type shared struct {
	limiter     *Limiter
	uid         types.UID
	generation  int64
	credentials onebidv1.SecretReference
}

// NewRegistry returns a registry without accounts.
func NewRegistry(o Options) *Registry {
	if o.Replicas == nil {
		o.Replicas = func() int { return 1 }
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	if o.Wall == nil {
		o.Wall = o.Clock
	}
	return &Registry{options: o, accounts: map[types.NamespacedName]*Account{}, shared: map[types.NamespacedName]shared{}}
}

// SetWorkers leaves three quarters of so many workers to others while a marketplace is unresponsive. Without it there is
// no limit.
func (r *Registry) SetWorkers(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.workers = n
}

func (r *Registry) maxUnresponsive() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.workers == 0 {
		return 0
	}
	return max(1, r.workers/4)
}

// Open makes an account of a driver that was just built for the Marketplace. Others do not see it before Set. Rate limit,
// pauses and circuit breaker are those of the account before, but a pause ends that may have been about other credentials.
func (r *Registry) Open(m *onebidv1.Marketplace, driver marketplace.Driver, settle time.Duration) *Account {
	key := types.NamespacedName{Namespace: m.Namespace, Name: m.Name}
	return &Account{
		key: key, driver: driver, spec: m.Spec.DeepCopy(), settle: settle, limiter: r.limiter(key, m), clock: r.options.Clock,
		wall: r.options.Wall, metrics: r.options.Metrics, maxUnresponsive: r.maxUnresponsive,
	}
}

// Connect is Open and Set.
func (r *Registry) Connect(m *onebidv1.Marketplace, driver marketplace.Driver, settle time.Duration) *Account {
	return r.Set(r.Open(m, driver, settle))
}

// limiter outlives the account's connections.
func (r *Registry) limiter(key types.NamespacedName, m *onebidv1.Marketplace) *Limiter {
	r.mu.Lock()
	is := shared{uid: m.UID, generation: m.Generation}
	if ref := m.Spec.CredentialsSecretRef; ref != nil {
		is.credentials = *ref
	}
	resume, was := false, r.shared[key]
	switch is.limiter = was.limiter; {
	case was.limiter == nil || was.uid != is.uid:
		is.limiter = newLimiter(r.options.Clock, r.options.Replicas, func() { r.healthChanged(key) })
	case was.generation == is.generation || was.credentials != is.credentials:
		// Nothing of the Marketplace changed, so the Secret's contents did; or it names another Secret.
		resume = true
	}
	r.shared[key] = is
	r.mu.Unlock()
	if resume {
		is.limiter.resume()
	}
	is.limiter.configure(&m.Spec)
	return is.limiter
}

// Health is the state of the Marketplace's account in this process; false when it has none.
func (r *Registry) Health(key types.NamespacedName) (Health, bool) {
	r.mu.RLock()
	s, ok := r.shared[key]
	r.mu.RUnlock()
	if !ok {
		return Health{}, false
	}
	return s.limiter.Health(), true
}

// Set puts an account that was opened in place of the one before, closes that, and calls the subscribers. An account that
// was set and deleted can be set again.
func (r *Registry) Set(opened *Account) *Account {
	a := *opened
	var ctx context.Context
	ctx, a.cancel = context.WithCancel(context.Background())
	a.listed = newListed(ctx, &a)
	r.mu.Lock()
	before := r.accounts[a.key]
	r.accounts[a.key] = &a
	r.mu.Unlock()
	if before != nil {
		before.Close()
	}
	r.connectionChanged(a.key)
	return &a
}

// Get returns the account, and whether there is one.
func (r *Registry) Get(key types.NamespacedName) (*Account, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	a, ok := r.accounts[key]
	return a, ok
}

// Delete closes the account and calls the subscribers, if there was one. Its limiter stays, as the account may come back.
func (r *Registry) Delete(key types.NamespacedName) {
	r.mu.Lock()
	before := r.accounts[key]
	delete(r.accounts, key)
	r.mu.Unlock()
	if before == nil {
		return
	}
	before.Close()
	r.connectionChanged(key)
}

// Forget is Delete for a Marketplace that is gone for good, with its limiter and its metrics.
func (r *Registry) Forget(key types.NamespacedName) {
	r.Delete(key)
	r.mu.Lock()
	delete(r.shared, key)
	r.mu.Unlock()
	if r.options.Metrics != nil {
		r.options.Metrics.Forget(key)
	}
}

// Subscribe has a function called after every change of an account, in the changer's goroutine. It must not block.
func (r *Registry) Subscribe(changed func(types.NamespacedName)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.connectionSubscribers = append(r.connectionSubscribers, changed)
}

// SubscribeHealth has a function called when a pause begins or is ended early, and when the circuit breaker opens, closes,
// or stays open after a probe; in the goroutine of a call. It must not block.
func (r *Registry) SubscribeHealth(changed func(types.NamespacedName)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.healthSubscribers = append(r.healthSubscribers, changed)
}

func (r *Registry) connectionChanged(key types.NamespacedName) {
	r.mu.RLock()
	subscribers := r.connectionSubscribers
	r.mu.RUnlock()
	for _, changed := range subscribers {
		changed(key)
	}
}

func (r *Registry) healthChanged(key types.NamespacedName) {
	r.mu.RLock()
	subscribers := r.healthSubscribers
	r.mu.RUnlock()
	for _, changed := range subscribers {
		changed(key)
	}
}

// Close ends what the account does in the background. Calls under way go on.
func (a *Account) Close() {
	if a.cancel != nil {
		a.cancel()
	}
	if closer, ok := a.driver.(io.Closer); ok {
		_ = closer.Close() // it drops idle connections; there is nothing to be done about it
	}
}
