package ownership

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/utils/clock"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// maxObserved bounds the memory of Leases that others hold. It is what one process may usefully wait for at a time.
const maxObserved = 4096

// Client acquires, keeps and gives back postings' Leases for one process. It remembers what it holds, so that work on a
// posting that is held already costs no request. It is safe for concurrent use.
//
// A controller's goroutines share what the process holds: whoever acquires a posting again gets the same tenure, since
// work on one posting is serialised by its queue and by the name locks. A scanner's goroutines exclude each other.
type Client struct {
	leases  coordinationv1client.LeasesGetter
	me      Identity
	members *Members
	pulses  heartbeats
	timing  Timing
	clock   clock.Clock
	wall    clock.PassiveClock
	log     logr.Logger

	locks nameLocks
	seen  *Observer

	mu   sync.Mutex
	held map[string]*holding
	// doubts are the Leases that a write without an answer may have taken.
	doubts map[string]struct{}
}

// heartbeats are what is known of other processes' heartbeat Leases.
type heartbeats interface {
	pulse(ref string) Pulse
	ConfirmDead(ctx context.Context, ref string) (bool, error)
}

// holding is what this process knows of a Lease that it wrote last. Client.mu guards it.
type holding struct {
	namespace, name string
	token           Token
	bidUID          types.UID
	ttl             time.Duration
	lease           *coordinationv1.Lease // never changed, only replaced
	prior           Intents
	inherited       bool
	acquiredAt      time.Time
	assertedAt      time.Time // before the last write was sent
	epoch           uint64
	// exclusive keeps the process's other goroutines from using the posting for another Bid until the tenure has ended.
	exclusive bool
	// over is true once the tenure has ended. Such a holding is remembered only where the Lease was deleted under it,
	// for the intents that were on it.
	over bool
}

// Claim is the right to act on a posting, as of one moment. Authorize says whether it is still good.
type Claim struct {
	Namespace string
	// Name is the Lease's.
	Name string
	// Token tells this tenure from any other.
	Token Token
	// BidUID is the Bid that the claim is for; "" for a scanner.
	BidUID types.UID
	// Intents are all unresolved intents, of whatever Bid, this claim's own among them.
	Intents Intents
	// Prior are the intents that this tenure found on the Lease and did not write: calls that an earlier holder may have
	// made. They tell its intent from this claim's own of the same Bid. SetIntents takes out what it replaces or removes,
	// Resolved all.
	Prior Intents
	// Inherited is true when there is history to resolve before a call: somebody else held the Lease for a Bid, or it
	// carries intents, and this process did not see what became of them. SetIntents and Resolved end it.
	Inherited bool
	// AcquiredAt is when this tenure began, on the process's own clock, after the write was acknowledged. The settle
	// wait starts here.
	AcquiredAt time.Time

	holding *holding
}

// Request is what Acquire is asked for.
type Request struct {
	Namespace string
	// Key of the posting; not used when Capacity is given.
	Key onebidv1.Key
	// Capacity, when set, asks for a Marketplace's capacity Lease instead of a posting's; see CapacityLeaseOf. It has no Bid
	// and no intents.
	Capacity *CapacityLease
	// BidUID is the Bid to act for; a scanner has none.
	BidUID types.UID
	// TTL is the Lease's own duration; zero means DefaultTTL.
	TTL time.Duration
	// Intent is put on the Lease in the same write, nil for none.
	Intent *Intent
	// Hint is the Lease as a cache shows it, or nil. It saves a round trip when it is current and the Lease is free; it
	// never decides, because a version that has changed refuses the update.
	Hint *coordinationv1.Lease
	// IgnoreCooldown takes the Lease although a tombstone forbids bids, and leaves the tombstone in place. It is for
	// taking back a bid that turned up late.
	IgnoreCooldown bool
	// Exclusive is for work that no queue serialises with that on the posting's other Bids. Until the claim ends, Acquire
	// for another Bid fails with *HeldError in this process too; and so does this one while the process holds the posting
	// for another Bid.
	Exclusive bool
	// Occupied, when set, is called once when a Lease that was to be created is there already, before looking at it costs
	// more requests. When GiveUp is closed by then, Acquire fails with a *HeldError, and AcquireWait as after its timeout.
	Occupied func()
	// Waiting, when set, is called once by AcquireWait before it begins to wait.
	Waiting func(HeldError)
	// GiveUp, when closed, ends the wait of AcquireWait as its timeout does. Unlike a context's end it breaks off no request
	// that may take effect all the same.
	GiveUp <-chan struct{}
}

// exclusiveRetry is how soon to ask again for a posting that another goroutine of the process keeps to itself.
const exclusiveRetry = time.Second

// Option changes a Client.
type Option func(*Client)

// WithWallClock sets the clock that dates tombstones and judges cooldowns, by default the process's own. Give it the API
// server's time (package apiclock), so that the clocks of hosts do not matter.
func WithWallClock(wall clock.PassiveClock) Option {
	return func(c *Client) { c.wall = wall }
}

// NewClient returns a Client. members is nil for scanners: then Leases name no heartbeat, and the Lease's own duration
// is all that bounds a claim. It does no I/O.
func NewClient(
	leases coordinationv1client.LeasesGetter, me Identity, members *Members, clk clock.Clock, log logr.Logger, opts ...Option,
) *Client {
	c := &Client{
		leases:  leases,
		me:      me,
		members: members,
		timing:  DefaultTiming(),
		clock:   clk,
		wall:    clk,
		log:     log,
		locks:   nameLocks{byName: map[string]*nameLock{}},
		seen:    NewObserver(maxObserved),
		held:    map[string]*holding{},
		doubts:  map[string]struct{}{},
	}
	if members != nil {
		c.timing, c.pulses = members.timing, members
	} else {
		c.pulses = newPulses(leases, c.timing, clk, maxObserved)
	}
	for _, opt := range opts {
		opt(c)
	}
	return c
}

// Get reads a Lease live. One request; the error is the API server's.
func (c *Client) Get(ctx context.Context, namespace, name string) (*coordinationv1.Lease, error) {
	return c.leases.Leases(namespace).Get(ctx, name, metav1.GetOptions{})
}

// Held returns the claim that this process has on a Lease, from memory: no request. Whether it is still good is for
// Assert and Authorize to say.
func (c *Client) Held(namespace, name string) (*Claim, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h, found := c.held[lockName(namespace, name)]
	if !found || h.over {
		return nil, false
	}
	return h.claim(), true
}

// Forget drops what this process remembers of a Lease, without a request: the claim is over, and the Lease is left to
// whoever comes next. Use it when the Bid is gone, so that memory does not grow.
func (c *Client) Forget(namespace, name string) {
	c.drop(lockName(namespace, name))
	c.seen.Forget(lockName(namespace, name))
}

func (c *Client) drop(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h, found := c.held[key]; found {
		h.over = true
		delete(c.held, key)
	}
}

// end marks a claim's tenure as over.
func (c *Client) end(h *holding) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h.over = true
	if key := lockName(h.namespace, h.name); c.held[key] == h {
		delete(c.held, key)
	}
}

func lockName(namespace, name string) string { return namespace + "/" + name }

func (h *holding) intents() Intents {
	return intentsOf(h.lease)
}

// find notes intents that somebody put on the Lease during this tenure. Client.mu is held.
func (h *holding) find(present Intents) {
	if added := present.not(h.intents()); len(added) > 0 {
		h.prior, h.inherited = slices.Concat(h.prior, added), true
	}
}

func (h *holding) claim() *Claim {
	return &Claim{
		Namespace:  h.namespace,
		Name:       h.name,
		Token:      h.token,
		BidUID:     h.bidUID,
		Intents:    h.intents(),
		Prior:      h.prior,
		Inherited:  h.inherited,
		AcquiredAt: h.acquiredAt,
		holding:    h,
	}
}

// valid returns the epoch in which this process's heartbeat is good, or a *LapsedError. Without members there is no
// heartbeat and one epoch.
func (c *Client) valid(now time.Time) (uint64, error) {
	if c.members == nil {
		return 0, nil
	}
	until, epoch := c.members.Validity()
	if now.After(until.Add(-c.timing.Margin)) {
		return 0, &LapsedError{Reason: "this replica's heartbeat is not acknowledged"}
	}
	return epoch, nil
}
