package marketplace

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// Reconciler keeps one driver for each Marketplace in memory, in every replica, and the status of the Marketplaces that this
// replica owns.
type Reconciler struct {
	Options
	tracker *tracker
}

// ShardKey is the key by which replicas share Marketplaces.
func ShardKey(namespace, name string) string { return "marketplace/" + namespace + "/" + name }

// Reconcile brings the driver of one Marketplace up to date, and its status if this replica owns it.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	marketplace := &onebidv1.Marketplace{}
	if err := r.Client.Get(ctx, req.NamespacedName, marketplace); err != nil {
		if apierrors.IsNotFound(err) {
			r.forget(req.NamespacedName)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	s := &state{
		marketplace: marketplace,
		entry:       r.tracker.get(req.NamespacedName, !marketplace.DeletionTimestamp.IsZero()),
		owned:       r.Members.Owns(ShardKey(req.Namespace, req.Name)),
		held:        marketplace.Status.HeldSecret,
	}
	if err := r.refreshDriver(ctx, s); err != nil {
		return ctrl.Result{}, err
	}
	if s.owned {
		r.probe(ctx, s)
	} else {
		s.entry.account = identification{} // the owner asks; an answer to this process may be outdated
	}
	r.connect(s)
	if !s.owned {
		r.Metrics.forget(s.name())
		r.tracker.await(s.name(), false, false)
		return ctrl.Result{}, nil // a change of the members enqueues every Marketplace
	}
	return r.reconcileStatus(ctx, s)
}

// reconcileStatus is the owner's part. status.heldSecret is written before the Secret gets the finalizer.
func (r *Reconciler) reconcileStatus(ctx context.Context, s *state) (ctrl.Result, error) {
	recount, err := r.refreshCounts(ctx, s)
	if err != nil {
		return ctrl.Result{}, err
	}
	if err := r.releaseSecret(ctx, s); err != nil {
		return ctrl.Result{}, err
	}
	gone, err := r.finalize(ctx, s)
	if err != nil || gone {
		return ctrl.Result{}, ignoreLate(err)
	}
	health, known := r.Connections.Health(s.name())
	now := r.Clock.Now()
	before := s.marketplace.Status.DeepCopy()
	describe(s, r.SettleTime(&s.marketplace.Spec))
	describeHealth(s.marketplace, health, known, now)
	r.Metrics.show(s.name(), s.marketplace.Spec.Limits, s.counts.taken)
	r.tracker.healthReported(s.name())
	if worthWriting(before, &s.marketplace.Status) {
		if err := r.Client.Status().Update(ctx, s.marketplace); err != nil {
			return ctrl.Result{}, ignoreLate(err)
		}
	}
	if err := r.holdSecret(ctx, s); err != nil {
		return ctrl.Result{}, err
	}
	wait := earliest(recount, healthWait(health, s.deleting(), now))
	if next := s.entry.account.next; !next.IsZero() && !s.deleting() {
		wait = earliest(wait, max(next.Sub(now), 1))
	}
	return ctrl.Result{RequeueAfter: wait}, nil
}

// finalize adds the finalizer to a Marketplace that has none, and removes it from one that is being deleted once no Bid
// needs it; then it is gone for us.
func (r *Reconciler) finalize(ctx context.Context, s *state) (gone bool, err error) {
	held := controllerutil.ContainsFinalizer(s.marketplace, onebidv1.FinalizerInUse)
	switch {
	case !s.deleting() && !held:
		return false, patchFinalizer(ctx, r.Client, s.marketplace, controllerutil.AddFinalizer)
	case !s.deleting():
		return false, nil
	case !held:
		return true, nil
	case s.counts.unfinished > 0:
		return false, nil
	}
	confirmed, err := confirm(ctx, r.APIReader, s.marketplace)
	if err != nil {
		return false, err
	}
	if confirmed.unfinished > 0 {
		s.counts, s.entry.counts = confirmed, confirmed
		return false, nil
	}
	return true, patchFinalizer(ctx, r.Client, s.marketplace, controllerutil.RemoveFinalizer)
}

func (r *Reconciler) forget(name types.NamespacedName) {
	r.Secrets.Release(name)
	r.Connections.Forget(name)
	r.Metrics.forget(name)
	if e := r.tracker.forget(name); e != nil {
		e.discard()
	}
}

// ignoreLate drops the errors of a write that came too late: the cache will show what was faster.
func ignoreLate(err error) error {
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
