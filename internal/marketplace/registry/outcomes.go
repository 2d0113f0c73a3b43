package registry

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	"k8s.io/utils/clock"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

const (
	// minInterval keeps a Marketplace without an interval from being listed all the time.
	minInterval = time.Second
	// patience is how long Live waits for a list that is being read.
	patience = 10 * time.Second
)

// Snapshot is one reading of the account's list.
type Snapshot struct {
	// Begun is when the reading began: what happened later may be missing.
	Begun time.Time
	// Bids by the marketplace's ID. It must not be changed.
	Bids map[string]marketplace.Bid
}

// Outcomes tell of many bids which are live, from one list of the account that is read at most once an interval. They
// are safe for concurrent use.
type Outcomes struct {
	ctx      context.Context //nolint:containedctx // the life of the connection; a reading outlives the call that began it
	driver   marketplace.Driver
	interval time.Duration
	clock    clock.Clock
	flight   singleflight.Group

	mu       sync.Mutex
	snapshot *Snapshot
	usable   time.Time // until when the snapshot is
	failure  error     // of the latest reading; nil after success
	next     time.Time // when to read again
}

func newOutcomes(ctx context.Context, d marketplace.Driver, interval time.Duration, c clock.Clock) *Outcomes {
	return &Outcomes{ctx: WithTurn(ctx, Turn{Rank: Idle}), driver: d, interval: max(interval, minInterval), clock: c}
}

// Live says whether the list shows the bid as live, and how. A bid that is not in the list is not live, unless it was
// placed since the list was read, or the list is known to lag: read it by itself before concluding anything. The list
// is as old as the interval, and up to twice that while a new one is being read. Where the marketplace has no list the
// bid is read by itself.
func (o *Outcomes) Live(ctx context.Context, ref marketplace.Ref) (marketplace.Bid, bool, error) {
	if !o.driver.Capabilities().CanList {
		bid, err := o.driver.Get(ctx, ref)
		return bid, err == nil && bid.Live(), err
	}
	s, err := o.Snapshot(ctx)
	if err != nil {
		return marketplace.Bid{}, false, err
	}
	bid, found := s.Bids[ref.BidID]
	return bid, found && bid.Live(), nil
}

// Snapshot gives the latest list, and has it read anew when it is older than the interval. After a failure the list is
// read again sooner, but not before the marketplace allows it; meanwhile the old list is given as long as it is not too
// old, then the error.
func (o *Outcomes) Snapshot(ctx context.Context) (*Snapshot, error) {
	latest := o.latest()
	if !latest.due {
		return latest.snapshot, latest.err
	}
	done := o.flight.DoChan("list", func() (any, error) {
		o.read()
		return nil, nil //nolint:nilnil // what was read is kept
	})
	if latest.snapshot != nil {
		return latest.snapshot, nil
	}
	wait := o.clock.NewTimer(patience)
	defer wait.Stop()
	select {
	case <-done:
		if latest = o.latest(); latest.snapshot == nil && latest.err == nil {
			return nil, unread(nil) // the clock leapt
		}
		return latest.snapshot, latest.err
	case <-wait.C():
		return nil, unread(nil)
	case <-ctx.Done():
		return nil, unread(ctx.Err())
	}
}

func unread(cause error) error {
	return &marketplace.Error{
		Class: onebidv1.ErrorTransient, Operation: "list", Message: "the list of our bids is still being read", Err: cause,
	}
}

// reading is what is known now.
type reading struct {
	snapshot *Snapshot // nil when there is none that is young enough
	err      error     // of the latest attempt, when there is no snapshot
	due      bool      // whether it is time to read again
}

func (o *Outcomes) latest() reading {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.clock.Now()
	due := !now.Before(o.next)
	if o.snapshot != nil && now.Before(o.usable) {
		return reading{snapshot: o.snapshot, due: due}
	}
	if o.failure == nil {
		return reading{due: true}
	}
	return reading{err: o.failure, due: due}
}

// read reads the list, unless somebody just did.
func (o *Outcomes) read() {
	if !o.latest().due {
		return
	}
	begun := o.clock.Now()
	bids, err := o.driver.List(o.ctx)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.failure = err
	now := o.clock.Now() // a long list takes its time
	if err != nil {
		o.next = now.Add(max(o.interval/10, minInterval, marketplace.RetryAfter(err)))
		return
	}
	o.next, o.usable = now.Add(o.interval), now.Add(2*o.interval)
	o.snapshot = &Snapshot{Begun: begun, Bids: make(map[string]marketplace.Bid, len(bids))}
	for _, bid := range bids {
		o.snapshot.Bids[bid.ID] = bid
	}
}
