package bid

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/ownership"
)

func (r *Reconciler) longest(s *situation) time.Duration {
	return time.Duration(s.marketplace.Spec.Retry.MaxSeconds) * time.Second
}

// addFinalizer is for clusters without the admission policy that puts it on at creation. It is a write of its own:
// nothing is sent for a Bid before the API server has it.
func (r *Reconciler) addFinalizer(ctx context.Context, s *situation) error {
	return r.setFinalizers(ctx, s.bid, append(slices.Clone(s.bid.Finalizers), onebidv1.FinalizerWithdraw))
}

func (r *Reconciler) removeFinalizer(ctx context.Context, bid *onebidv1.Bid) error {
	kept := slices.DeleteFunc(slices.Clone(bid.Finalizers), func(f string) bool { return f == onebidv1.FinalizerWithdraw })
	err := r.setFinalizers(ctx, bid, kept)
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
	claim, live, result, err := r.unsent(ctx, s)
	if live == nil || err != nil {
		return result, err
	}
	return result, r.canceled(ctx, s, live, claim, change)
}

// unsent makes certain that no place call of the Bid is open, and returns the Bid as it may be judged, with the claim
// when there is one. No Bid is returned when something else had to be done first.
func (r *Reconciler) unsent(ctx context.Context, s *situation) (*ownership.Claim, *onebidv1.Bid, reconcile.Result, error) {
	mine, err := r.leaseIsOurs(ctx, s)
	if err != nil || !mine {
		return nil, s.bid, reconcile.Result{}, err
	}
	claim, err := r.claim(ctx, s, nil)
	if err != nil {
		result, err := r.notClaimed(ctx, s, err)
		return nil, nil, result, err
	}
	live, err := r.readLive(ctx, s.bid.UID, nameOf(s.bid))
	if err != nil {
		return nil, nil, reconcile.Result{}, err
	}
	switch {
	case r.openPlace(live, claim) > 0 || len(foreignIntents(claim, live.UID)) > 0:
		result, err := r.resolveClaimed(ctx, s, claim, live)
		return nil, nil, result, err
	case live.Status.Remote != nil || bidding.PlacedStatus(live) != metav1.ConditionFalse:
		return nil, nil, reconcile.Result{}, errMoved
	}
	return claim, live, reconcile.Result{}, nil
}

// leaseIsOurs is true when the posting's Lease was ever claimed for this Bid. Where there is none, nothing was sent:
// the intent is written before the call, and Leases with one are protected.
func (r *Reconciler) leaseIsOurs(ctx context.Context, s *situation) (bool, error) {
	if name, err := bidding.KeyOf(s.bid).Name(); err != nil || name != s.bid.Name {
		return false, nil //nolint:nilerr // a Bid with another name than its key's is never placed
	}
	if r.claimed(s) {
		return true, nil
	}
	lease, err := r.Leases.Get(ctx, s.bid.Namespace, s.leaseName)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	intents, err := ownership.ParseIntents(lease.Annotations[onebidv1.AnnotationIntent])
	if err != nil {
		return true, nil //nolint:nilerr // unreadable means unknown: own it and resolve
	}
	_, intended := intents.Of(s.bid.UID)
	return intended || lease.Annotations[onebidv1.AnnotationBidUID] == string(s.bid.UID) && lease.Annotations[onebidv1.AnnotationSettledAt] == "", nil
}

func (r *Reconciler) canceled(ctx context.Context, s *situation, bid *onebidv1.Bid, claim *ownership.Claim, change bidding.Change) error {
	if bid.DeletionTimestamp.IsZero() {
		return r.conclude(ctx, s, bid, change)
	}
	if claim != nil {
		if err := r.bury(ctx, s, claim, bid, onebidv1.StateWithdrawn); err != nil {
			return err
		}
	}
	return r.removeFinalizer(ctx, bid)
}

// finalize lets a settled Bid go, after its Posting and its Lease know how it ended.
func (r *Reconciler) finalize(ctx context.Context, s *situation) error {
	if err := r.ended(ctx, s.bid, s.bid.Status.Outcome); err != nil {
		return err
	}
	mine, err := r.leaseIsOurs(ctx, s)
	if err != nil {
		return err
	}
	if mine {
		claim, err := r.claim(ctx, s, nil)
		if err != nil {
			return err
		}
		if err := r.bury(ctx, s, claim, s.bid, s.bid.Status.Outcome); err != nil {
			return err
		}
	}
	return r.removeFinalizer(ctx, s.bid)
}

// abandon lets a Bid go because a person with the right to said so: what is at the marketplace is theirs to settle.
func (r *Reconciler) abandon(ctx context.Context, s *situation) error {
	r.Events.Eventf(s.bid, nil, "Warning", EventAbandoned, "Abandon", "Abandoned without withdrawing: %s",
		s.bid.Annotations[onebidv1.AnnotationAbandon])
	outcome := s.bid.Status.Outcome
	if outcome == "" {
		outcome = onebidv1.StateIndeterminate
	}
	if err := r.ended(ctx, s.bid, outcome); err != nil {
		return err
	}
	mine, err := r.leaseIsOurs(ctx, s)
	if err != nil {
		return err
	}
	if mine {
		claim, err := r.claim(ctx, s, nil)
		if err != nil {
			return err
		}
		if err := r.bury(ctx, s, claim, s.bid, outcome); err != nil {
			return err
		}
	}
	return r.removeFinalizer(ctx, s.bid)
}
