package posting

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
)

// Reconciler keeps the status of Postings.
type Reconciler struct{ Options }

// ShardKey is the key by which replicas share Postings. It is the one of the Bid with the same name, so that one replica
// writes for both and they do not meet in conflicts.
func ShardKey(namespace, name string) string { return namespace + "/" + name }

// Reconcile brings one Posting's status up to date, if this replica owns it, and requeues it when its freshness ends.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	if !r.Members.Owns(ShardKey(req.Namespace, req.Name)) {
		return ctrl.Result{}, nil // a change of the members enqueues every Posting
	}
	posting := &onebidv1.Posting{}
	if err := r.Client.Get(ctx, req.NamespacedName, posting); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !posting.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	edit, err := r.activeBid(ctx, posting)
	if err != nil {
		return ctrl.Result{}, err
	}
	verdict, err := r.Recorder.write(ctx, posting, edit)
	if err != nil || verdict.Until.IsZero() {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: max(verdict.Until.Sub(r.Clock.Now()), 1)}, nil
}

// activeBid returns what the Bid of the same name changes. It reads the cache, but believes only the API server that a Bid
// is gone: the cache may lag behind the replica that placed it.
func (r *Reconciler) activeBid(ctx context.Context, posting *onebidv1.Posting) (edit func(*onebidv1.PostingStatus), err error) {
	nothing := func(*onebidv1.PostingStatus) {}
	bid, err := readBid(ctx, r.Client, client.ObjectKeyFromObject(posting))
	if err != nil {
		return nil, err
	}
	if bid != nil && active(bid) {
		return func(status *onebidv1.PostingStatus) { claim(status, bid) }, nil
	}
	known := posting.Status.ActiveBid
	if known == nil {
		return nothing, nil
	}
	if bid == nil || string(bid.UID) != known.UID {
		bid, err = readBid(ctx, r.APIReader, types.NamespacedName{Namespace: posting.Namespace, Name: known.Name})
		if err != nil {
			return nil, err
		}
	}
	if bid == nil || string(bid.UID) != known.UID || bidding.Terminal(bid) {
		return func(status *onebidv1.PostingStatus) { release(status, types.UID(known.UID)) }, nil
	}
	return nothing, nil
}

// readBid returns nil when there is no such Bid.
func readBid(ctx context.Context, from client.Reader, key types.NamespacedName) (*onebidv1.Bid, error) {
	bid := &onebidv1.Bid{}
	if err := from.Get(ctx, key, bid, client.UnsafeDisableDeepCopy); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return bid, nil
}
