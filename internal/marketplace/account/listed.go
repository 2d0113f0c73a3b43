package account

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
	// listWait is how long Listed waits for a list that is being read.
	listWait = 10 * time.Second
)

// listed answers for many bids from one list of the account, which is read at most once an interval.
type listed struct {
	ctx      context.Context //nolint:containedctx // the life of the account; a reading outlives the call that began it
	account  *Account
	interval time.Duration
	clock    clock.Clock
	inFlight singleflight.Group

	mu     sync.Mutex
	bids   map[string]marketplace.Bid // of the latest list, by ID; nil before the first
	usable time.Time                  // until when they are
	err    error                      // of the latest reading; nil after success
	next   time.Time                  // when to read again
}

func newListed(ctx context.Context, a *Account) *listed {
	return &listed{ctx: ctx, account: a, interval: max(a.auditInterval(), minInterval), clock: a.clock}
}

// Listed says whether the account's list shows the bid as open, and how. A bid that is not in the list is not open, unless
// it was placed since the list was read, or the list is known to lag: read it by itself before concluding anything. The
// list is as old as the audit interval, and up to twice that while a new one is being read. Where the marketplace has no
// list the bid is read by itself.
func (a *Account) Listed(ctx context.Context, ref marketplace.Ref) (bid marketplace.Bid, open bool, err error) {
	if !a.Capabilities().CanList {
		r, err := a.call(ctx, request{
			operation: marketplace.OpGet, ref: ref, priority: Priority{Class: PriorityBackground},
		})
		return r.bid, err == nil && r.bid.Open(), err
	}
	bids, err := a.listed.get(ctx)
	if err != nil {
		return marketplace.Bid{}, false, err
	}
	bid, found := bids[ref.BidID]
	return bid, found && bid.Open(), nil
}

// get returns the latest list, and has it read anew when it is older than the interval. After a failure the list is read
// again sooner, but not before the marketplace allows it; meanwhile the old list is returned as long as it is usable, then
// the error.
func (l *listed) get(ctx context.Context) (map[string]marketplace.Bid, error) {
	bids, due, err := l.latest()
	if !due {
		return bids, err
	}
	done := l.inFlight.DoChan("list", func() (any, error) {
		l.read()
		return nil, nil //nolint:nilnil // what was read is kept
	})
	if bids != nil {
		return bids, nil
	}
	wait := l.clock.NewTimer(listWait)
	defer wait.Stop()
	select {
	case <-done:
		if bids, _, err = l.latest(); bids == nil && err == nil {
			return nil, unread(nil) // the clock leapt
		}
		return bids, err
	case <-wait.C():
		return nil, unread(nil)
	case <-ctx.Done():
		return nil, unread(ctx.Err())
	}
}

func unread(cause error) error {
	return &marketplace.Error{
		Class: onebidv1.ErrorTransient, Operation: marketplace.OpList, Message: "the list of our bids is still being read", Err: cause,
	}
}

// latest returns the bids while they are usable, else the error of the latest reading. Due is true when it is time to read
// again.
func (l *listed) latest() (bids map[string]marketplace.Bid, due bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	due = !now.Before(l.next)
	if l.bids != nil && now.Before(l.usable) {
		return l.bids, due, nil
	}
	return nil, due || l.err == nil, l.err
}

// read reads the list, unless that was just done.
func (l *listed) read() {
	if _, due, _ := l.latest(); !due {
		return
	}
	bids, err := l.account.List(l.ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
	now := l.clock.Now() // a long list takes its time
	if err != nil {
		l.next = now.Add(max(l.interval/10, minInterval, marketplace.RetryAfter(err)))
		return
	}
	l.next, l.usable = now.Add(l.interval), now.Add(2*l.interval)
	l.bids = make(map[string]marketplace.Bid, len(bids))
	for _, bid := range bids {
		l.bids[bid.ID] = bid
	}
}
