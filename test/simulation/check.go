package simulation

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/test/history"
)

const (
	// convergence is how long a world without faults may take to come to rest.
	convergence = 15 * time.Minute
	// cleanup is how long after that the last leftovers may take.
	cleanup = 45 * time.Second
	// quietPeriod is how long nothing may be written then.
	quietPeriod = 30 * time.Second
)

// converge ends all faults, waits until everything is at rest, and checks what must be true then.
func (w *world) converge() {
	ctx := context.Background()
	w.recover(ctx)
	for waited := time.Duration(0); !w.atRest(); waited += time.Second {
		if waited > convergence {
			w.violate("I3", "nothing goes wrong any more, and after %s something is still not at rest", convergence)
			return
		}
		_ = w.sleep(ctx, time.Second)
		if w.plan.Answers {
			for i := range w.plan.Postings {
				w.answer(bidName(i), postingID(i))
			}
		}
	}
	_ = w.sleep(ctx, cleanup)
	if !w.atRest() {
		w.violate("I3", "what was at rest does not stay so")
		return
	}
	writes, calls := w.api.written(), w.market.written()
	_ = w.sleep(ctx, quietPeriod)
	if more := w.api.written() - writes; more > 0 {
		w.violate("I4", "nothing changes, and %d writes are made", more)
	}
	if more := w.market.written() - calls; more > 0 {
		w.violate("I4", "nothing changes, and %d calls are made that place or withdraw", more)
	}
	w.checkEnd()
	if w.plan.Beyond {
		return // there is no bound on when a call may take effect
	}
	if err := w.journal.check(); err != nil {
		w.violate("I1", "%s", err)
	}
}

// recover ends all faults. Owners decide what they had left open.
func (w *world) recover(ctx context.Context) {
	w.endFaults()
	w.note("world", "no more faults")
	for {
		var left time.Duration
		for i := range w.replicas {
			r := w.replica(i)
			left = max(left, r.faultLeft(paused, noAPI, noMarket, stale))
			if r.isDead() {
				left = max(left, time.Second)
			}
		}
		if left == 0 {
			break
		}
		_ = w.sleep(ctx, left)
	}
	w.market.mu.Lock()
	for _, b := range w.market.bids {
		if b.state == onebidv1.RemoteAwardPending {
			b.state = onebidv1.RemoteLost
			w.journal.happened(history.End, history.Done, b.posting, "", b.id)
		}
	}
	w.market.mu.Unlock()
}

// atRest is true when every Bid is live, over, or waits for a person, and nothing is under way.
func (w *world) atRest() bool {
	for _, bid := range w.api.all() {
		if !resting(bid) {
			return false
		}
	}
	return w.market.quiet()
}

func resting(bid *onebidv1.Bid) bool {
	switch {
	case meta.IsStatusConditionTrue(bid.Status.Conditions, onebidv1.ConditionStalled):
		return bidding.Indeterminate(bid) && bidding.Answer(bid) == ""
	case !bid.DeletionTimestamp.IsZero():
		return false
	case bidding.Terminal(bid):
		return true
	}
	return bidding.PlacedStatus(bid) == metav1.ConditionTrue && !bidding.Withdrawing(bid)
}

// checkEnd checks a world at rest.
func (w *world) checkEnd() {
	bids := w.api.all()
	w.market.mu.Lock()
	defer w.market.mu.Unlock()
	for i := range w.plan.Postings {
		if live := w.market.liveOn(postingID(i), false); len(live) > 1 {
			w.violate("I1", "in the end %d bids are live on %s: %v", len(live), postingID(i), live)
		}
	}
	for _, b := range w.market.bids {
		if b.live() && b.uid != "" && !w.excused() && !accounted(b, bids) {
			w.violate("I2", "in the end %s is live, and no Bid accounts for it", b)
		}
	}
	for _, bid := range bids {
		w.consistent(bid)
	}
}

// excused is true where a call may be carried out later than all bounds allow and no key can be burned: then the
// marketplace keeps bids single, and nothing keeps a withdrawn one from coming back.
func (w *world) excused() bool { return w.plan.Beyond && w.plan.Class != onebidv1.ClassIdempotencyKey }

func accounted(b *remote, bids []*onebidv1.Bid) bool {
	for _, bid := range bids {
		switch {
		case bidding.Terminal(bid):
		case bid.Status.Remote != nil && bid.Status.Remote.BidID == b.id && string(bid.UID) == b.uid,
			bidding.Indeterminate(bid) && bid.Spec.PostingID == b.posting:
			return true
		}
	}
	return false
}

// consistent checks that what a Bid says is so. The market's lock is held.
func (w *world) consistent(bid *onebidv1.Bid) {
	switch state := bid.Status.State; {
	case state == onebidv1.StateActive:
		if b := w.market.byID(bid.Status.Remote.BidID); b == nil || !b.live() {
			w.violate("I3", "Bid %s says that it is Active, and the marketplace has %v", bid.Name, b)
		}
	case state == onebidv1.StateDuplicate && !w.excused() && !w.market.persons[bid.Spec.PostingID]:
		w.violate("I3", "Bid %s ended as Duplicate, and no person ever bid there", bid.Name)
	case state == onebidv1.StateIndeterminate && w.plan.Class != onebidv1.ClassNone && w.plan.StoresKey:
		w.violate("I3", "Bid %s asks a person, although the marketplace shows whose a bid is", bid.Name)
	}
}
