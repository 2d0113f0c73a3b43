package bid

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/failpoint"
	"github.com/onebid-dev/onebid/internal/ownership"
)

// longestWait between two attempts.
func (s *situation) longestWait() time.Duration {
	return time.Duration(s.marketplace.Spec.Retry.MaxSeconds) * time.Second
}

// addFinalizer is for clusters without the admission policy that puts it on at creation. It is a write of its own:
// nothing is sent for a Bid before the API server has it.
func (r *Reconciler) addFinalizer(ctx context.Context, s *situation) error {
	failpoint.Before(failpoint.FinalizerAdd)
	err := r.setFinalizers(ctx, s.bid, append(slices.Clone(s.bid.Finalizers), onebidv1.FinalizerWithdraw))
	failpoint.After(failpoint.FinalizerAdd, err)
	return err
}

func (r *Reconciler) removeFinalizer(ctx context.Context, bid *onebidv1.Bid) error {
	kept := slices.DeleteFunc(slices.Clone(bid.Finalizers), func(f string) bool { return f == onebidv1.FinalizerWithdraw })
	failpoint.Before(failpoint.FinalizerRemove)
	err := r.setFinalizers(ctx, bid, kept)
	failpoint.After(failpoint.FinalizerRemove, err)
	if client.IgnoreNotFound(err) == nil {
		r.flights.forget(bid.UID)
		r.polls.forget(bid.UID)
		r.told.forget(bid.UID)
	}
	return client.IgnoreNotFound(err)
}

// setFinalizers replaces the list, on the very version that was read. A merge patch leaves out the spec, whose proposal
// may be long.
func (r *Reconciler) setFinalizers(ctx context.Context, bid *onebidv1.Bid, finalizers []string) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": bid.UID, "resourceVersion": bid.ResourceVersion, "finalizers": finalizers,
	}})
	if err != nil {
		return err
	}
	target := &onebidv1.Bid{}
	target.Namespace, target.Name = bid.Namespace, bid.Name
	return r.Client.Patch(ctx, target, client.RawPatch(types.MergePatchType, patch))
}

// cancel ends a Bid for which no place is recorded. Only the live Lease tells whether one may have been sent.
func (r *Reconciler) cancel(ctx context.Context, s *situation, change bidding.Change) (reconcile.Result, error) {
	o, result, err := r.unsent(ctx, s)
	switch {
	case o == nil || err != nil:
		return result, err
	case o.live.DeletionTimestamp.IsZero():
		return result, r.conclude(ctx, s, o.live, change)
	case o.live.Status.LastHandledResolve != "":
		// That nothing was placed is what a person said, and the record of it outlives the Bid.
		change.Apply(o.live, r.Wall.Now())
		if err := r.ended(ctx, o.live, o.live.Status.Outcome); err != nil {
			return result, err
		}
	}
	return result, r.release(ctx, o, onebidv1.StateWithdrawn)
}

// unsent makes certain that no place call of the Bid is open. Nothing is returned when something else had to be done
// first. The claim is nil when the posting was never claimed for this Bid.
func (r *Reconciler) unsent(ctx context.Context, s *situation) (*owned, reconcile.Result, error) {
	mine, err := r.leaseIsOurs(ctx, s)
	switch {
	case err != nil:
		return nil, reconcile.Result{}, err
	case !mine:
		return &owned{situation: s, live: s.bid}, reconcile.Result{}, nil
	}
	o, result, err := r.own(ctx, s, nil)
	switch {
	case o == nil || err != nil:
		return nil, result, err
	case r.open(o):
		result, err := r.resolveOwned(ctx, o)
		return nil, result, err
	case o.live.ResourceVersion != s.bid.ResourceVersion && !sameStatus(o.live, s.bid):
		return nil, reconcile.Result{}, errMoved
	}
	return o, reconcile.Result{}, nil
}

func sameStatus(a, b *onebidv1.Bid) bool { return equality.Semantic.DeepEqual(a.Status, b.Status) }

// leaseIsOurs is true when the posting's Lease was ever claimed for this Bid. Where there is none, nothing was sent:
// the intent is written before the call, and Leases with one are protected. Only a namespace takes them with it.
func (r *Reconciler) leaseIsOurs(ctx context.Context, s *situation) (bool, error) {
	if name, err := bidding.KeyOf(s.bid).Name(); err != nil || name != s.bid.Name {
		return false, nil //nolint:nilerr // a Bid with another name than its key's is never placed
	}
	if r.claimed(s) || r.flights.open(s.bid.UID) {
		return true, nil // what this process sent is not undone by losing the Lease
	}
	lease, err := r.Leases.Get(ctx, s.bid.Namespace, s.leaseName)
	if apierrors.IsNotFound(err) {
		return r.maybeLost(ctx, s)
	}
	if err != nil {
		return false, err
	}
	intents, err := ownership.ParseIntents(lease.Annotations[onebidv1.AnnotationIntent])
	if err != nil {
		return true, nil //nolint:nilerr // unreadable means unknown: own it and resolve
	}
	_, intended := intents.Of(s.bid.UID)
	claimed := lease.Annotations[onebidv1.AnnotationBidUID] == string(s.bid.UID)
	return intended || claimed && lease.Annotations[onebidv1.AnnotationEndedAt] == "", nil
}

// release lets a Bid go: the tombstone first, then the finalizer.
func (r *Reconciler) release(ctx context.Context, o *owned, outcome onebidv1.BidState) error {
	if o.claim != nil {
		if err := r.bury(ctx, o, outcome); err != nil {
			return err
		}
	}
	return r.removeFinalizer(ctx, o.live)
}

// tidy buries the claim of a settled Bid that was not buried when its end was recorded. A verdict of somebody else does
// not hide a call of which nobody knows what became.
func (r *Reconciler) tidy(ctx context.Context, s *situation) (reconcile.Result, error) {
	o, result, err := r.unsent(ctx, s)
	if o == nil || err != nil {
		return result, err
	}
	return result, r.settle(ctx, s, o.live)
}

// finalize lets a settled Bid go, after its Posting and its Lease know how it ended. A verdict does not hide a call of
// which nobody knows what became.
func (r *Reconciler) finalize(ctx context.Context, s *situation) (reconcile.Result, error) {
	o, result, err := r.unsent(ctx, s)
	if o == nil || err != nil {
		return result, err
	}
	if err := r.ended(ctx, o.live, o.live.Status.Outcome); err != nil {
		return result, err
	}
	return result, r.release(ctx, o, o.live.Status.Outcome)
}

// abandon lets a Bid go because a person with the right to said so: what is at the marketplace is theirs to settle.
func (r *Reconciler) abandon(ctx context.Context, s *situation) (reconcile.Result, error) {
	o := &owned{situation: s, live: s.bid}
	mine, err := r.leaseIsOurs(ctx, s)
	if err != nil {
		return reconcile.Result{}, err
	}
	if mine {
		var result reconcile.Result
		if o, result, err = r.own(ctx, s, nil); o == nil || err != nil {
			return result, err
		}
	}
	if o.live.Annotations[onebidv1.AnnotationAbandon] == "" {
		return reconcile.Result{}, errMoved // the person took it back
	}
	outcome := o.live.Status.Outcome
	if outcome == "" {
		outcome = onebidv1.StateIndeterminate
	}
	if err := r.ended(ctx, o.live, outcome); err != nil {
		return reconcile.Result{}, err
	}
	r.Events.Eventf(s.bid, nil, corev1.EventTypeWarning, EventAbandoned, "Abandon", "Abandoned without withdrawing: %s",
		s.bid.Annotations[onebidv1.AnnotationAbandon])
	return reconcile.Result{}, r.release(ctx, o, outcome)
}
