package bid

import (
	"context"
	"errors"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/failpoint"
)

var (
	// errGone means that the Bid we acted for is not there any more, or is another one of the same name.
	errGone = errors.New("the Bid is gone")
	// errMoved means that the Bid changed under a verdict that counts only for the version it was reached on.
	errMoved = errors.New("the Bid changed meanwhile")
	// errSecond means that a bid was learned of while the Bid has another live one.
	errSecond = errors.New("the Bid has another live bid already")
)

// recordFor is how long the outcome of a call is kept trying to be recorded before it is left to the process's memory.
const recordFor = 3 * time.Minute

// record notes a fact in the status of a Bid as it was read, with that version as the precondition, and updates bid to
// what the API server then has. A fact that changes nothing costs no write. A learned bid is added to whatever version
// there is by now; any other verdict fails with errMoved when the status is not the one that was read.
func (r *Reconciler) record(ctx context.Context, s *situation, bid *onebidv1.Bid, change bidding.Change) error {
	// The outcome of a call outlives the reconcile that made it: a shutdown must not lose it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordFor)
	defer cancel()
	read := bid.DeepCopy()
	before := bid.Status.DeepCopy()
	var err error
	backoff := wait.Backoff{Duration: 20 * time.Millisecond, Factor: 2, Steps: 1 << 20, Cap: 5 * time.Second}
	for {
		err = r.recordOnce(ctx, read, change)
		if err == nil || !again(err) {
			break
		}
		pause := backoff.Step()
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-r.Clock.After(pause + time.Duration(0.2*r.Jitter()*float64(pause))):
		}
		if apierrors.IsConflict(err) {
			if read, err = r.reread(ctx, read, change.Learned); err != nil && !again(err) {
				return err
			}
		}
	}
	if err != nil {
		return err
	}
	*bid = *read
	s.noted(bid)
	r.tell(s, before, bid)
	return nil
}

// again is true for an error that says nothing about the Bid and may pass.
func again(err error) bool {
	switch {
	case errors.Is(err, errGone), errors.Is(err, errMoved), errors.Is(err, errSecond):
		return false
	case apierrors.IsConflict(err):
		return true
	default:
		return !apierrors.IsInvalid(err) && !apierrors.IsForbidden(err) && !apierrors.IsBadRequest(err)
	}
}

func (r *Reconciler) recordOnce(ctx context.Context, read *onebidv1.Bid, change bidding.Change) error {
	if change.Second(read) {
		return errSecond
	}
	changed := read.DeepCopy()
	change.Apply(changed, r.Wall.Now())
	if equality.Semantic.DeepEqual(read.Status, changed.Status) {
		return nil
	}
	failpoint.Before(failpoint.Record)
	err := r.Client.Status().Update(ctx, changed)
	failpoint.After(failpoint.Record, err)
	if apierrors.IsNotFound(err) {
		return errGone
	}
	if err == nil {
		*read = *changed
	}
	return err
}

// reread fetches the version that a conflict told of, when the fact may be added to it.
func (r *Reconciler) reread(ctx context.Context, read *onebidv1.Bid, learned bool) (*onebidv1.Bid, error) {
	fresh := &onebidv1.Bid{}
	err := r.Live.Get(ctx, client.ObjectKeyFromObject(read), fresh)
	switch {
	case apierrors.IsNotFound(err):
		return read, errGone
	case err != nil:
		return read, err
	case fresh.UID != read.UID:
		return read, errGone
	case !learned && !equality.Semantic.DeepEqual(fresh.Status, read.Status):
		return read, errMoved
	}
	return fresh, nil
}

// ended tells the Posting how the Bid ended, so that its history outlives the Bid.
func (r *Reconciler) ended(ctx context.Context, bid *onebidv1.Bid, outcome onebidv1.BidState) error {
	now := r.Wall.Now()
	record := onebidv1.BidRecord{
		UID: string(bid.UID), Outcome: outcome, Price: &bid.Spec.Price, Reason: endReason(bid), EndedAt: endTime(bid, now),
		Approval: bidding.ApprovalOf(bid),
	}
	if remote := bid.Status.Remote; remote != nil {
		record.RemoteBidID, record.PlacedAt = remote.BidID, remote.PlacedAt
	}
	err := r.Postings.BidEnded(ctx, bid, record)
	if err == nil {
		r.told.note(bid.UID, outcome)
	}
	return err
}

// told remembers which ends this process has noted on Postings, since the cache that would show it lags behind. After a
// restart every settled Bid is compared with its Posting once, without a request.
type told struct {
	mu    sync.Mutex
	byUID map[types.UID]onebidv1.BidState
}

func newTold() *told { return &told{byUID: map[types.UID]onebidv1.BidState{}} }

func (t *told) note(uid types.UID, outcome onebidv1.BidState) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.byUID[uid] = outcome
}

func (t *told) has(uid types.UID, outcome onebidv1.BidState) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byUID[uid] == outcome
}

func (t *told) forget(uid types.UID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byUID, uid)
}
