package ownership

import (
	"context"
	"sync"
	"time"

	"github.com/go-logr/logr"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/utils/clock"
)

// maxObserved bounds the memory of Leases that other processes hold: as many as one process may usefully wait for.
const maxObserved = 4096

// Client acquires, keeps and releases postings' Leases for one process. It remembers what it holds, so that work on a
// posting that is held already costs no request. It is safe for concurrent use.
//
// A controller's goroutines share what the process holds: each that acquires a posting gets the same term, since work on
// one posting is serialised by its queue and by the name locks. A scanner's goroutines exclude each other.
type Client struct {
	leases  coordinationv1client.LeasesGetter
	me      Identity
	members *Members // nil for scanners
	judge   heartbeatJudge
	timing  Timing
	clock   clock.Clock
	wall    clock.PassiveClock
	log     logr.Logger

	locks nameLocks
	seen  *observer

	mu   sync.Mutex
	held map[string]*heldLease // by "<namespace>/<name>"
	// unconfirmed are the Leases that a write without a reply may have taken.
	unconfirmed map[string]struct{}
}

// heartbeatJudge is what is known of other processes' heartbeats, by "<namespace>/<name>".
type heartbeatJudge interface {
	state(ref string) heartbeatState
	confirmDead(ctx context.Context, ref string) (bool, error)
}

// Option changes a Client.
type Option func(*Client)

// WithWallClock sets the clock that dates tombstones and judges cooldowns, by default the process's own. Give it the API
// server's time (package apiclock), so that the clocks of hosts do not matter.
func WithWallClock(wall clock.PassiveClock) Option {
	return func(c *Client) { c.wall = wall }
}

// NewClient returns a Client. members is nil for scanners: then Leases name no heartbeat, and only the Lease's own
// duration bounds a claim. It does no I/O.
func NewClient(
	leases coordinationv1client.LeasesGetter, me Identity, members *Members, clk clock.Clock, log logr.Logger, opts ...Option,
) *Client {
	c := &Client{
		leases:      leases,
		me:          me,
		members:     members,
		timing:      DefaultTiming(),
		clock:       clk,
		wall:        clk,
		log:         log,
		locks:       nameLocks{byRef: map[string]chan struct{}{}},
		seen:        newObserver(maxObserved),
		held:        map[string]*heldLease{},
		unconfirmed: map[string]struct{}{},
	}
	if members != nil {
		c.timing, c.judge = members.own.timing, members
	} else {
		c.judge = newLiveness(leases, c.timing, clk, maxObserved)
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

// Margin is how long before a claim's validity ends no call starts any more. A caller that waits for others' calls
// without a Lease that tells when they were fenced off adds it to the settle time, which counts on it.
func (c *Client) Margin() time.Duration { return c.timing.Margin }

// epoch returns the epoch of this process's heartbeat, and a *LapsedError while no call may start. A scanner has no
// heartbeat and one epoch.
func (c *Client) epoch() (uint64, error) {
	if c.members == nil {
		return 0, nil
	}
	return c.members.own.current()
}

// sent is the state of this process just before a write was sent; it is what the write proves.
type sent struct {
	at    time.Time
	epoch uint64
}

func (c *Client) beforeSend() sent {
	epoch, _ := c.epoch()
	return sent{at: c.clock.Now(), epoch: epoch}
}

// expiring reports whether the Lease's own duration may soon be over for its holder, so that it must be written again
// before the next call. c.mu is held.
func (c *Client) expiring(h *heldLease, now time.Time) bool {
	return now.After(c.reliableUntil(h).Add(-c.timing.Margin))
}

// reliableUntil is how long the Lease's own duration lets its holder rely on it. c.mu is held.
func (c *Client) reliableUntil(h *heldLease) time.Time {
	return h.assertedAt.Add(c.timing.bound(durationOf(h.lease)))
}
