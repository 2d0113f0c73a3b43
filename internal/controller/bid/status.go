package bid

import (
	"context"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/failpoint"
)

var (
	// errGone means that the Bid is not there any more, or is another one of the same name.
	errGone = errors.New("the Bid is gone")
	// errChanged means that the Bid changed, so that what was decided on the version read does not count.
	errChanged = errors.New("the Bid changed meanwhile")
	// errSecond means that a bid was learned of while the Bid has another open one.
	errSecond = errors.New("the Bid has another open bid already")
)

// writeFor is how long a status write is retried before the outcome of a call is left to the process's memory.
const writeFor = 3 * time.Minute

// writeStatus writes a change to the status of a Bid as it was read, with that version as the precondition, and updates bid to
// what the API server then has. A change that alters nothing costs no write. A learned bid is added to whatever version there
// is by now; any other change fails with errChanged when the status is not the one that was read.
func (c commits) writeStatus(ctx context.Context, bid *onebidv1.Bid, change bidding.Change) error {
	// The outcome of a call outlives the reconcile that made it: a shutdown must not lose it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeFor)
	defer cancel()
	read := bid.DeepCopy()
	backoff := wait.Backoff{Duration: 20 * time.Millisecond, Factor: 2, Steps: 1 << 20, Cap: 5 * time.Second}
	for {
		err := c.tryStatus(ctx, read, change)
		if err == nil {
			*bid = *read
			return nil
		}
		if !retriable(err) {
			return err
		}
		pause := backoff.Step()
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-c.Clock.After(pause + c.spread(pause/5)):
		}
		if apierrors.IsConflict(err) {
			if read, err = c.reread(ctx, read, change.Learned); err != nil && !retriable(err) {
				return err
			}
		}
	}
}

// retriable is true for an error that says nothing about the Bid and may pass.
func retriable(err error) bool {
	switch {
	case errors.Is(err, errGone), errors.Is(err, errChanged), errors.Is(err, errSecond):
		return false
	case apierrors.IsConflict(err):
		return true
	default:
		return !apierrors.IsInvalid(err) && !apierrors.IsForbidden(err) && !apierrors.IsBadRequest(err)
	}
}

func (c commits) tryStatus(ctx context.Context, read *onebidv1.Bid, change bidding.Change) error {
	if change.Second(read) {
		return errSecond
	}
	changed := read.DeepCopy()
	change.Apply(changed, c.Wall.Now())
	if equality.Semantic.DeepEqual(read.Status, changed.Status) {
		return nil
	}
	failpoint.Before(failpoint.Record)
	err := c.Client.Status().Update(ctx, changed)
	failpoint.After(failpoint.Record, err)
	if apierrors.IsNotFound(err) {
		return errGone
	}
	if err == nil {
		*read = *changed
	}
	return err
}

// reread fetches the version behind a conflict, when the change may be added to it.
func (c commits) reread(ctx context.Context, read *onebidv1.Bid, learned bool) (*onebidv1.Bid, error) {
	fresh := &onebidv1.Bid{}
	err := c.Live.Get(ctx, client.ObjectKeyFromObject(read), fresh)
	switch {
	case apierrors.IsNotFound(err):
		return read, errGone
	case err != nil:
		return read, err
	case fresh.UID != read.UID:
		return read, errGone
	case !learned && !equality.Semantic.DeepEqual(fresh.Status, read.Status):
		return read, errChanged
	}
	return fresh, nil
}
