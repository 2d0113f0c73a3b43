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

// news is what those who wait for the lock hear: somebody has decided on the posting.
type news struct {
	once   sync.Once
	heard  chan struct{}
	result Result
}

func (n *news) tell(result Result) {
	n.once.Do(func() {
		n.result = result
		close(n.heard)
	})
}

// compete acquires the lock. Who has to wait for it follows the posting meanwhile, because what counts is what comes of it:
// a Bid, or a verdict against it. So all who wait are woken at once by either, and do not have to take turns at the lock.
// contended is true when somebody else has, or had, the lock. Without a lock, and without an error, result says why.
func (s *Scanner) compete(ctx context.Context, v *visit) (held lock.Lock, contended bool, result Result, err error) {
	following, stop := context.WithCancel(ctx)
	var followers sync.WaitGroup
	defer followers.Wait()
	defer stop()
	n := &news{heard: make(chan struct{})}
	var once sync.Once
	occupied := func() {
		contended = true
		// Most often it is the Lease of a Bid. What cannot be read now is looked at again by whoever gets the lock.
		if result, err := s.claimed(ctx, v); err == nil && result.Outcome != Open {
			n.tell(result)
		}
	}
	held, err = s.acquire(ctx, v.market, lock.Request{Key: v.key, GiveUp: n.heard, Occupied: occupied, Waiting: func(string) {
		once.Do(func() {
			contended = true
			followers.Go(func() { s.follow(following, v, &onebidv1.BidList{}, n) })
			followers.Go(func() { s.follow(following, v, &onebidv1.PostingList{}, n) })
		})
	}})
	if err == nil {
		return held, contended, open, nil
	}
	select {
	case <-n.heard:
		return nil, contended, n.result, nil
	default:
		result, err = s.withoutLock(ctx, v, err)
		return nil, contended, result, err
	}
}

// withoutLock says what it means that the lock was not obtained.
func (s *Scanner) withoutLock(ctx context.Context, v *visit, err error) (Result, error) {
	if cooldown, ok := errors.AsType[*lock.CooldownError](err); ok {
		return coolingDown(cooldown.Until, cooldown.Outcome), nil
	}
	timeout, ok := errors.AsType[*lock.TimeoutError](err)
	if !ok {
		return Result{}, err
	}
	// A watch may have been silent for other reasons than that there were no news.
	result, err := inOrder(ctx, v, s.claimed, s.recorded)
	if err != nil || result.Outcome != Open {
		return result, err
	}
	return Result{Outcome: LockTimeout, Reason: timeout.Error(), Until: timeout.Until}, nil
}

// follow watches the posting's Bid, or its Posting, until it tells that there is nothing to evaluate. The watch begins with
// what is there already. When it ends early the wait goes on without it.
func (s *Scanner) follow(ctx context.Context, v *visit, list client.ObjectList, n *news) {
	watcher, err := s.api.Watch(ctx, list, client.InNamespace(s.namespace), client.MatchingFieldsSelector{
		Selector: fields.OneTermEqualSelector(metav1.ObjectNameField, v.name),
	})
	if err != nil {
		s.log.V(1).Info("Could not follow a posting while waiting for its lock", "posting", v.name, "reason", err.Error())
		return
	}
	defer watcher.Stop()
	for {
		select {
		case event, more := <-watcher.ResultChan():
			if !more {
				return
			}
			if result := s.decided(v, event); result.Outcome != Open {
				n.tell(result)
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// decided reads an event. When something was deleted the posting is open again.
func (s *Scanner) decided(v *visit, event watch.Event) Result {
	if bid, ok := event.Object.(*onebidv1.Bid); ok && event.Type != watch.Deleted {
		return duplicate(bid)
	}
	if posting, ok := event.Object.(*onebidv1.Posting); ok && event.Type != watch.Deleted {
		return s.told(v, posting)
	}
	return open
}
