package scanner

import (
	"context"
	"errors"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/pkg/scanner/lock"
)

// decision is what another scanner decided on the posting while this one waits for the lock.
type decision struct {
	once   sync.Once
	made   chan struct{}
	result Result
}

func (d *decision) set(result Result) {
	d.once.Do(func() {
		d.result = result
		close(d.made)
	})
}

// acquireOrFollow acquires the lock. While it waits it watches the posting's Bid and Posting, since either may make the lock
// needless: then all that wait end at once and do not take turns at the lock. contended is true when another scanner has,
// or had, the lock. Without a lock, and without an error, result says why.
func (c *candidate) acquireOrFollow(ctx context.Context) (held lock.Lock, contended bool, result Result, err error) {
	following, stop := context.WithCancel(ctx)
	var followers sync.WaitGroup
	defer followers.Wait()
	defer stop()
	d := &decision{made: make(chan struct{})}
	var once sync.Once
	occupied := func() {
		contended = true
		// Most often it is the Lease of a Bid. After an error the Bid is looked for again under the lock.
		if result, err := c.checkBid(ctx); err == nil && result.Outcome != Open {
			d.set(result)
		}
	}
	held, err = c.acquire(ctx, c.market, lock.Request{Key: c.key, GiveUp: d.made, Occupied: occupied, Waiting: func(string) {
		once.Do(func() {
			contended = true
			followers.Go(func() { c.follow(following, &onebidv1.BidList{}, d) })
			followers.Go(func() { c.follow(following, &onebidv1.PostingList{}, d) })
		})
	}})
	if err == nil {
		return held, contended, open, nil
	}
	select {
	case <-d.made:
		return nil, contended, d.result, nil
	default:
		result, err = c.withoutLock(ctx, err)
		return nil, contended, result, err
	}
}

// withoutLock says what it means that the lock was not acquired.
func (c *candidate) withoutLock(ctx context.Context, err error) (Result, error) {
	if cooldown, ok := errors.AsType[*lock.CooldownError](err); ok {
		return coolingDown(cooldown.Until, cooldown.Outcome), nil
	}
	timeout, ok := errors.AsType[*lock.TimeoutError](err)
	if !ok {
		return Result{}, err
	}
	// A watch may also have ended early.
	result, err := inOrder(ctx, c.checkBid, c.checkPosting)
	if err != nil || result.Outcome != Open {
		return result, err
	}
	return Result{Outcome: LockTimeout, Reason: timeout.Error(), Until: timeout.Until}, nil
}

// follow watches the posting's Bid, or its Posting, until it decides the posting. The watch begins with what is there
// already. When it ends early the wait goes on without it.
func (c *candidate) follow(ctx context.Context, list client.ObjectList, d *decision) {
	watcher, err := c.api.Watch(ctx, list, client.InNamespace(c.namespace), client.MatchingFieldsSelector{
		Selector: fields.OneTermEqualSelector(metav1.ObjectNameField, c.name),
	})
	if err != nil {
		c.log.V(1).Info("Could not watch a posting while waiting for its lock", "posting", c.name, "reason", err.Error())
		return
	}
	defer watcher.Stop()
	for {
		select {
		case event, more := <-watcher.ResultChan():
			if !more {
				return
			}
			if result := c.decided(event); result.Outcome != Open {
				d.set(result)
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// decided reads an event. When something was deleted the posting is open again.
func (c *candidate) decided(event watch.Event) Result {
	if bid, ok := event.Object.(*onebidv1.Bid); ok && event.Type != watch.Deleted {
		return duplicate(bid)
	}
	if posting, ok := event.Object.(*onebidv1.Posting); ok && event.Type != watch.Deleted {
		return c.judge(posting)
	}
	return open
}
