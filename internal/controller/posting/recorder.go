package posting

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/failpoint"
)

// Recorder is the only writer of Posting status: this package's controller and the Bid controller write through it, so that
// each write leaves a complete status. It is safe for concurrent use.
type Recorder struct {
	client client.Client
	// reader reads from the API server.
	reader client.Reader
	clock  clock.PassiveClock
	// Backoff spaces the attempts of a write that met a conflict, and bounds them.
	Backoff wait.Backoff
}

// NewRecorder returns a Recorder that reads Postings and Marketplaces with the client, from its cache if it has one, and
// after a conflict with the reader, which is uncached.
func NewRecorder(c client.Client, reader client.Reader, now clock.PassiveClock) *Recorder {
	return &Recorder{
		client: c, reader: reader, clock: now,
		Backoff: wait.Backoff{Duration: 10 * time.Millisecond, Factor: 2, Jitter: 1, Steps: 8},
	}
}

// BidActive records on the Posting that the Bid is active. It costs one status write when the cache has such a Posting
// without that, and otherwise no request. The controller of this package makes up for a Posting that was created just now.
func (r *Recorder) BidActive(ctx context.Context, bid *onebidv1.Bid) error {
	return r.change(ctx, bid, func(status *onebidv1.PostingStatus) { claim(status, bid) })
}

// BidEnded records on the Posting how the Bid ended. The same outcome again costs nothing; a later outcome of the same Bid
// replaces its entry. Requests as for BidActive.
func (r *Recorder) BidEnded(ctx context.Context, bid *onebidv1.Bid, record onebidv1.BidRecord) error {
	return r.change(ctx, bid, func(status *onebidv1.PostingStatus) {
		release(status, bid.UID)
		addRecord(status, record)
	})
}

// change applies an edit to the status of the Bid's Posting, if there is one and the edit changes it.
func (r *Recorder) change(ctx context.Context, bid *onebidv1.Bid, edit func(*onebidv1.PostingStatus)) error {
	name, err := onebidv1.Key{Marketplace: bid.Spec.Marketplace, PostingID: bid.Spec.PostingID}.Name()
	if err != nil {
		return fmt.Errorf("naming the Posting of Bid %s/%s: %w", bid.Namespace, bid.Name, err)
	}
	posting := &onebidv1.Posting{}
	if err := r.client.Get(ctx, types.NamespacedName{Namespace: bid.Namespace, Name: name}, posting); err != nil {
		return client.IgnoreNotFound(err)
	}
	edited := posting.Status.DeepCopy()
	edit(edited)
	if equality.Semantic.DeepEqual(edited, &posting.Status) {
		return nil
	}
	_, err = r.write(ctx, posting, edit)
	return err
}

// write applies an edit, observes the Posting anew and writes the status if that differs, starting from what the caller
// has read. After a conflict it starts over from an uncached read. It returns the freshness that the status now has.
func (r *Recorder) write(
	ctx context.Context, posting *onebidv1.Posting, edit func(*onebidv1.PostingStatus),
) (bidding.FreshnessVerdict, error) {
	var verdict bidding.FreshnessVerdict
	var conflict error
	uid, name := posting.UID, client.ObjectKeyFromObject(posting)
	err := wait.ExponentialBackoffWithContext(ctx, r.Backoff, func(ctx context.Context) (bool, error) {
		if conflict != nil {
			posting = &onebidv1.Posting{} // a reader may leave fields of the old read
			if err := r.reader.Get(ctx, name, posting); err != nil || posting.UID != uid {
				return true, client.IgnoreNotFound(err) // a Posting that was created anew is reconciled by itself
			}
		}
		var err error
		verdict, err = r.writeOnce(ctx, posting, edit)
		if apierrors.IsConflict(err) {
			conflict = err
			return false, nil
		}
		return true, client.IgnoreNotFound(err)
	})
	if wait.Interrupted(err) && conflict != nil {
		err = conflict
	}
	if err != nil {
		return verdict, fmt.Errorf("recording on Posting %s: %w", name, err)
	}
	return verdict, nil
}

func (r *Recorder) writeOnce(
	ctx context.Context, posting *onebidv1.Posting, edit func(*onebidv1.PostingStatus),
) (bidding.FreshnessVerdict, error) {
	before := posting.Status.DeepCopy()
	edit(&posting.Status)
	ttl, err := r.defaultTTL(ctx, posting)
	if err != nil {
		return bidding.FreshnessVerdict{}, err
	}
	verdict := bidding.Freshness(bidding.FreshnessInput{Posting: posting, DefaultTTL: ttl}, r.clock.Now())
	observe(posting, verdict)
	if equality.Semantic.DeepEqual(before, &posting.Status) {
		return verdict, nil
	}
	// The object carries the UID and resourceVersion that were read: both are preconditions.
	failpoint.Before(failpoint.History)
	err = r.client.Status().Update(ctx, posting)
	failpoint.After(failpoint.History, err)
	return verdict, err
}

// defaultTTL is the Marketplace's, 0 when there is none.
func (r *Recorder) defaultTTL(ctx context.Context, posting *onebidv1.Posting) (time.Duration, error) {
	if posting.Spec.TTLSeconds > 0 {
		return 0, nil
	}
	market := &onebidv1.Marketplace{}
	key := types.NamespacedName{Namespace: posting.Namespace, Name: posting.Spec.Marketplace}
	if err := r.client.Get(ctx, key, market, client.UnsafeDisableDeepCopy); err != nil {
		return 0, client.IgnoreNotFound(err)
	}
	return time.Duration(market.Spec.PostingTTLSeconds) * time.Second, nil
}
