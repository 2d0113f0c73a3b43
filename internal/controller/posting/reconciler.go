package posting

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
)

// Members tell which replica writes for a key.
type Members interface {
	// Owns says whether this replica does. It is safe for concurrent use and does not block.
	Owns(key string) bool
	// Subscribe has a function called whenever Owns may answer differently than before.
	Subscribe(changed func())
}

// ShardKey is the key by which replicas share Postings. It is the one of the Bid with the same name, so that one replica
// writes for both and they do not meet in conflicts.
func ShardKey(namespace, name string) string { return namespace + "/" + name }

// Reconciler keeps the status of Postings.
type Reconciler struct {
	client   client.Client
	live     client.Reader
	clock    clock.PassiveClock
	members  Members
	recorder *Recorder
}

// Reconcile brings one Posting's status up to date, if this replica acts for it, and comes back when its freshness ends.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	if !r.members.Owns(ShardKey(req.Namespace, req.Name)) {
		return ctrl.Result{}, nil // a change of the members brings every Posting back
	}
	posting := &onebidv1.Posting{}
	if err := r.client.Get(ctx, req.NamespacedName, posting); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !posting.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	change, err := r.gather(ctx, posting)
	if err != nil {
		return ctrl.Result{}, err
	}
	verdict, err := r.recorder.write(ctx, posting, func(posting *onebidv1.Posting) bool {
		change.apply(&posting.Status)
		return true
	})
	if err != nil || verdict.Until.IsZero() {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: max(verdict.Until.Sub(r.clock.Now()), 1)}, nil
}

// change is what the Bid of the same name makes of activeBid.
type change struct {
	// live is the Bid to name; nil when none is live.
	live *onebidv1.Bid
	// over is the UID of a Bid to name no longer; "" when there is none.
	over types.UID
}

func (c change) apply(status *onebidv1.PostingStatus) {
	release(status, c.over)
	if c.live != nil {
		claim(status, c.live)
	}
}

// gather reads the Bid from the cache. That a Bid is gone it believes only the API server: a cache that lags behind the
// replica which placed the Bid does not know it yet.
func (r *Reconciler) gather(ctx context.Context, posting *onebidv1.Posting) (change, error) {
	bid, err := readBid(ctx, r.client, client.ObjectKeyFromObject(posting))
	if err != nil {
		return change{}, err
	}
	if bid != nil && live(bid) {
		return change{live: bid}, nil
	}
	active := posting.Status.ActiveBid
	if active == nil {
		return change{}, nil
	}
	if bid == nil || string(bid.UID) != active.UID {
		bid, err = readBid(ctx, r.live, types.NamespacedName{Namespace: posting.Namespace, Name: active.Name})
		if err != nil {
			return change{}, err
		}
	}
	if bid == nil || string(bid.UID) != active.UID || bidding.Terminal(bid) {
		return change{over: types.UID(active.UID)}, nil
	}
	return change{}, nil
}

// readBid returns nil when there is no such Bid.
func readBid(ctx context.Context, from client.Reader, key types.NamespacedName) (*onebidv1.Bid, error) {
	bid := &onebidv1.Bid{}
	if err := from.Get(ctx, key, bid, client.UnsafeDisableDeepCopy); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return bid, nil
}
