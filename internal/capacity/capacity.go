// Package capacity keeps the limits on all Bids of a Marketplace together, exactly and over all replicas.
//
// One replica at a time reserves capacity: the one that holds the Marketplace's capacity Lease, fenced like a posting's Lease.
// When it takes that Lease it reads once, uncached, which Bids count: those whose status says so, and those with an intent
// whose outcome no status has. From then on no other replica reserves, so its memory is exact and costs no request.
package capacity

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/controller/wake"
	"github.com/onebid-dev/onebid/internal/ownership"
)

const (
	// RetryDelay is how soon to ask again for capacity that another replica manages. That one hands over at once when it
	// learns that it no longer owns the shard, or loses the Lease with its heartbeat.
	RetryDelay = time.Second
	// loadFor bounds the requests that read which Bids count.
	loadFor = 30 * time.Second
	// handOverFor bounds the release of a capacity Lease.
	handOverFor = time.Second
)

// Members tells which replica owns a shard. See ownership.Members.
type Members interface{ Owns(key string) bool }

// Ledger reserves capacity for the Bids of this process. It is safe for concurrent use.
type Ledger struct {
	// uncached reads from the API server.
	uncached client.Reader
	leases   *ownership.Client
	members  Members
	clock    clock.Clock

	loads singleflight.Group // by Marketplace
	// freed reports Marketplaces with capacity that waiting Bids may use; handOvers, without a key, that one is to be retried.
	freed, handOvers *wake.Keys

	mu      sync.Mutex
	markets map[types.NamespacedName]*market
}

// market is the state of one Marketplace.
type market struct {
	// mu is never held during a request.
	mu sync.Mutex
	// claim on the capacity Lease that usage was read under; both are nil until this process manages the capacity.
	claim *ownership.Claim
	usage *usage
	// loading is true while usage is being read; pending are the changes that came meanwhile.
	loading bool
	pending []func(*usage)
	// request is the last one for the Lease; nil once the Lease is known to be released.
	request *ownership.Request
	// uid is the Marketplace that the Lease belongs to.
	uid types.UID
	// notBefore is when to ask for the Lease again, since another replica holds it.
	notBefore time.Time
}

// New returns a Ledger without reservations. It does no I/O.
func New(uncached client.Reader, leases *ownership.Client, members Members, clk clock.Clock) *Ledger {
	return &Ledger{
		uncached: uncached, leases: leases, members: members, clock: clk,
		freed: wake.NewKeys(), handOvers: wake.NewKeys(), markets: map[types.NamespacedName]*market{},
	}
}

// Reservation is capacity for one Bid. A nil Reservation is that of a Bid without limits.
type Reservation struct {
	ledger *Ledger
	key    types.NamespacedName
	name   string
	claim  *ownership.Claim
	// kept is true for a Bid that counted before, or whose call may have been made.
	kept bool
}

// Reserve counts the Bid within the Marketplace's limits, or says why it must wait. It blocks for requests only when this
// process takes the capacity Lease. End the Reservation with Release. Errors: *ownership.HeldError where another replica
// reserves, *ownership.TerminatingError, *ownership.LapsedError, and those of the API server.
func (l *Ledger) Reserve(ctx context.Context, mkt *onebidv1.Marketplace, bid *onebidv1.Bid) (*Reservation, *bidding.Denial, error) {
	key := client.ObjectKeyFromObject(mkt)
	m := l.market(key)
	claim, err := l.manage(ctx, mkt, m)
	if err != nil {
		return nil, nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.claim == nil || m.claim.Token != claim.Token {
		return nil, nil, l.elsewhere()
	}
	others := m.usage.others(bid, mkt.Spec.Limits)
	if denial := bidding.CapacityDenial(mkt, bid.Spec.Price, others); denial != nil {
		m.usage.wait(bid)
		return nil, denial, nil
	}
	r := &Reservation{ledger: l, key: key, name: bid.Name, claim: claim, kept: true}
	switch {
	case mkt.Spec.Mode != onebidv1.ModeDryRun:
		r.kept = !m.usage.reserve(bid)
	case m.usage.stopWaiting(bid.Name):
		l.freed.Report(key) // a dry run sends nothing, so it reserves nothing
	}
	return r, nil, nil
}

// Authorize says whether a call may start under this Reservation. See ownership.Client.Authorize.
func (r *Reservation) Authorize(callTimeout time.Duration) error {
	if r == nil {
		return nil
	}
	return r.ledger.leases.Authorize(r.claim, callTimeout)
}

// Commit keeps the Bid counted beyond Release: a call for it may be made, or its bid was found. Recorded ends that.
func (r *Reservation) Commit() {
	if r != nil {
		r.kept = true
	}
}

// Release ends a Reservation that was not committed.
func (r *Reservation) Release() {
	if r != nil && !r.kept {
		r.ledger.change(r.key, func(u *usage) { r.ledger.release(r.key, u, r.name) })
	}
}

// Recorded tells what this process has just written to a Bid's status. A Bid with an open call goes on counting.
func (l *Ledger) Recorded(bid *onebidv1.Bid, callOpen bool) {
	switch key := marketplaceOf(bid); {
	case bidding.UsesCapacity(bid):
		l.change(key, func(u *usage) { u.reserve(bid) })
	case bidding.Terminal(bid) && !callOpen:
		l.change(key, func(u *usage) { l.free(key, u, bid.Name) })
	case !callOpen:
		l.change(key, func(u *usage) { l.release(key, u, bid.Name) })
	}
}

// Observed tells what a cache shows. A cache may lag behind what this process recorded: that a Bid has no open bid proves
// nothing there, but that it ended is final.
func (l *Ledger) Observed(bid *onebidv1.Bid) {
	switch key := marketplaceOf(bid); {
	case bidding.Terminal(bid):
		l.change(key, func(u *usage) { l.free(key, u, bid.Name) })
	case bidding.UsesCapacity(bid):
		l.change(key, func(u *usage) { u.reserve(bid) })
	case bidding.Withdrawing(bid):
		l.StopWaiting(bid)
	}
}

// Gone tells that there is no Bid of this name any more.
func (l *Ledger) Gone(bid types.NamespacedName) {
	posting, err := onebidv1.ParseName(bid.Name)
	if err != nil {
		return // a Bid with such a name is never placed
	}
	key := types.NamespacedName{Namespace: bid.Namespace, Name: posting.Marketplace}
	l.change(key, func(u *usage) { l.free(key, u, bid.Name) })
}

// StopWaiting is for a Bid that does not wait for capacity, whatever else it waits for.
func (l *Ledger) StopWaiting(bid *onebidv1.Bid) {
	key := marketplaceOf(bid)
	l.change(key, func(u *usage) {
		if u.stopWaiting(bid.Name) {
			l.freed.Report(key)
		}
	})
}

// Next names the waiting Bids of a Marketplace for which there is capacity now.
func (l *Ledger) Next(mkt *onebidv1.Marketplace) (names []string) {
	l.change(client.ObjectKeyFromObject(mkt), func(u *usage) { names = u.next(mkt.Spec.Limits) })
	return names
}

func (l *Ledger) release(key types.NamespacedName, u *usage, name string) {
	if u.release(name) {
		l.freed.Report(key)
	}
}

// free is release for a Bid that ended, so that it does not wait either.
func (l *Ledger) free(key types.NamespacedName, u *usage, name string) {
	if u.stopWaiting(name) {
		l.freed.Report(key)
	}
	l.release(key, u, name)
}

// change alters a Marketplace's usage, where this process manages it. While it is being read the change waits.
func (l *Ledger) change(key types.NamespacedName, do func(*usage)) {
	l.mu.Lock()
	m := l.markets[key]
	l.mu.Unlock()
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.loading:
		m.pending = append(m.pending, do)
	case m.usage != nil:
		do(m.usage)
	}
}

func (l *Ledger) market(key types.NamespacedName) *market {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.markets[key]
	if m == nil {
		m = &market{}
		l.markets[key] = m
	}
	return m
}

func (l *Ledger) elsewhere() error {
	return &ownership.HeldError{Holder: "another replica", Until: l.clock.Now().Add(RetryDelay)}
}

// manage makes sure that this process holds the capacity Lease and knows which Bids count.
func (l *Ledger) manage(ctx context.Context, mkt *onebidv1.Marketplace, m *market) (*ownership.Claim, error) {
	key := client.ObjectKeyFromObject(mkt)
	if !l.members.Owns(ShardKey(key)) {
		return nil, l.elsewhere()
	}
	request, err := l.requestFor(mkt, m)
	if err != nil {
		return nil, err
	}
	claim, err := l.leases.Acquire(ctx, *request)
	if err == nil {
		err = l.leases.Assert(ctx, claim)
	}
	if held, ok := errors.AsType[*ownership.HeldError](err); ok {
		m.mu.Lock()
		m.notBefore = l.clock.Now().Add(RetryDelay)
		m.mu.Unlock()
		return nil, held
	}
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	loaded := m.claim != nil && m.claim.Token == claim.Token
	if loaded {
		m.claim = claim
	}
	m.mu.Unlock()
	if loaded {
		return claim, nil
	}
	_, err, _ = l.loads.Do(key.String(), func() (any, error) { return nil, l.load(context.WithoutCancel(ctx), mkt, m, claim) })
	return claim, err
}

func (l *Ledger) requestFor(mkt *onebidv1.Marketplace, m *market) (*ownership.Request, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if l.clock.Now().Before(m.notBefore) {
		return nil, l.elsewhere()
	}
	lease := ownership.CapacityLeaseOf(mkt)
	if m.uid != mkt.UID {
		l.leases.Forget(mkt.Namespace, lease.LeaseName()) // a deleted Marketplace of the same name held it
		m.uid = mkt.UID
	}
	m.request = &ownership.Request{
		Namespace: mkt.Namespace, Capacity: lease, TTL: time.Duration(mkt.Spec.Lock.TTLSeconds) * time.Second,
	}
	return m.request, nil
}

// load reads which Bids count, under a claim that is new.
func (l *Ledger) load(ctx context.Context, mkt *onebidv1.Marketplace, m *market, claim *ownership.Claim) error {
	ctx, cancel := context.WithTimeout(ctx, loadFor)
	defer cancel()
	m.mu.Lock()
	m.claim, m.usage, m.loading, m.pending = nil, nil, true, nil
	m.mu.Unlock()
	read, err := readUsage(ctx, l.uncached, mkt)
	m.mu.Lock()
	defer m.mu.Unlock()
	pending := m.pending
	m.loading, m.pending = false, nil
	if err != nil {
		return err
	}
	for _, change := range pending {
		change(read)
	}
	m.claim, m.usage = claim, read
	l.freed.Report(client.ObjectKeyFromObject(mkt))
	return nil
}

func marketplaceOf(bid *onebidv1.Bid) types.NamespacedName {
	return types.NamespacedName{Namespace: bid.Namespace, Name: bid.Spec.Marketplace}
}
