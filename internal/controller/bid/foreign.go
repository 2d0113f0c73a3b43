package bid

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

// resolveForeign settles the open calls of earlier Bids on the same posting before this one goes on: a live bid of
// theirs is ours and has no home any more.
func (r *Reconciler) resolveForeign(ctx context.Context, o *owned) (reconcile.Result, error) {
	if wait := r.settling(o); wait > 0 {
		return reconcile.Result{RequeueAfter: wait}, nil
	}
	found, err := r.lookup(ctx, o.situation)
	if err != nil {
		return r.hindered(ctx, o, err)
	}
	orphans, certain := r.orphans(o, found)
	if !certain {
		return reconcile.Result{}, r.record(ctx, o.situation, o.live, bidding.Undecidable(
			"An earlier Bid on this posting may have left a bid there that cannot be told from others"))
	}
	for _, id := range orphans {
		if err := r.Leases.Authorize(o.claim, o.timeout()); err != nil {
			return reconcile.Result{}, err
		}
		ref := marketplace.Ref{BidID: id, PostingID: o.bid.Spec.PostingID}
		if _, err := r.retract(ctx, o.situation, ref, "an earlier Bid on this posting is gone"); err != nil {
			return r.hindered(ctx, o, err)
		}
	}
	others, kept := o.foreignIntents(), o.claim.Intents
	for _, intent := range others {
		kept = kept.Without(intent.BidUID)
	}
	if err := r.Leases.SetIntents(ctx, o.claim, kept); err != nil {
		return reconcile.Result{}, err
	}
	for _, intent := range others {
		r.flights.forget(intent.BidUID)
	}
	return reconcile.Result{RequeueAfter: time.Millisecond}, nil
}

// orphans are the IDs of the live bids that earlier Bids left. It is not certain where the marketplace keeps no keys, or
// the Lease cannot be read, and something is live there that nobody told us of, or may be without being shown.
func (r *Reconciler) orphans(o *owned, found []marketplace.Bid) (ids []string, certain bool) {
	keys, told := r.leftBy(o)
	_, unreadable := o.foreignIntents().Of("")
	shown := 0
	for _, b := range found {
		switch {
		case !b.Open():
		case told[b.ID] || keys[b.IdempotencyKey]:
			ids = append(ids, b.ID)
		default:
			shown++
		}
	}
	if o.conn.Capabilities().StoresKey && !unreadable || len(told) == len(o.foreignIntents()) {
		return ids, true
	}
	return ids, shown == 0 && o.conn.Spec().Class != onebidv1.ClassNone
}

// leftBy collects by what earlier Bids' bids are known: their keys, and the IDs that this process was told.
func (r *Reconciler) leftBy(o *owned) (keys, told map[string]bool) {
	keys, told = map[string]bool{}, map[string]bool{}
	for _, intent := range o.foreignIntents() {
		keys[keyOf(o.bid, intent.BidUID)] = true
		if flight, ok := r.flights.get(intent.BidUID); ok && flight.learned != nil {
			told[flight.learned.ID] = true
		}
	}
	return keys, told
}

// keyOf is the idempotency key of a Bid on the same posting. An intent may lack it: one that stands for a bare claim.
func keyOf(bid *onebidv1.Bid, uid types.UID) string {
	return bidding.IdempotencyKey(bid.Namespace, bidding.KeyOf(bid), uid)
}

// hindered says on the Bid why it has to wait for what an earlier one left.
func (r *Reconciler) hindered(ctx context.Context, o *owned, err error) (reconcile.Result, error) {
	class := marketplace.ClassOf(err)
	delay := bidding.RetryDelay(o.marketplace.Spec.Retry, class, waited, marketplace.RetryAfter(err), r.Jitter())
	if class == onebidv1.ErrorNotWithdrawable {
		delay = o.longestWait()
	}
	return reconcile.Result{RequeueAfter: delay}, r.record(ctx, o.situation, o.live, bidding.Hindered(class, err.Error()))
}

// waited stands for the number of tries where none is counted: not at once, and not as seldom as possible.
const waited = 5
