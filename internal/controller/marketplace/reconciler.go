package marketplace

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// Reconciler keeps one driver for each Marketplace in memory, and the Marketplaces' status. Every replica does the
// first; the second is for the one that acts.
type Reconciler struct {
	Options
	client  client.Client
	live    client.Reader
	tracker *tracker
}

// visit is what one Reconcile has learned.
type visit struct {
	marketplace *onebidv1.Marketplace
	entry       *entry
	acts        bool
	// missing says why the credentials could not be read; "" when they were, or none are named.
	missing string
	counts  counts
	// held is the Secret that carries our finalizer, or may.
	held string
}

func (v *visit) name() types.NamespacedName { return client.ObjectKeyFromObject(v.marketplace) }

func (v *visit) deleting() bool { return !v.marketplace.DeletionTimestamp.IsZero() }

// ShardKey is the key by which replicas share Marketplaces.
func ShardKey(namespace, name string) string { return "marketplace/" + namespace + "/" + name }

// Reconcile brings the driver of one Marketplace up to date, and its status if this replica acts for it.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	marketplace := &onebidv1.Marketplace{}
	if err := r.client.Get(ctx, req.NamespacedName, marketplace); err != nil {
		if apierrors.IsNotFound(err) {
			r.forget(req.NamespacedName)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	v := &visit{
		marketplace: marketplace,
		entry:       r.tracker.visit(req.NamespacedName, !marketplace.DeletionTimestamp.IsZero()),
		acts:        r.Members.Owns(ShardKey(req.Namespace, req.Name)),
	}
	if err := r.refreshDriver(ctx, v); err != nil {
		return ctrl.Result{}, err
	}
	if v.acts {
		r.probe(ctx, v)
	} else {
		v.entry.account = identification{} // whoever acts asks; what this process once heard may be over
	}
	r.connect(v)
	if !v.acts {
		r.Metrics.forget(v.name())
		r.tracker.await(v.name(), false, false)
		return ctrl.Result{}, nil // a change of the members brings every Marketplace back
	}
	return r.report(ctx, v)
}

// report is the acting replica's part.
func (r *Reconciler) report(ctx context.Context, v *visit) (ctrl.Result, error) {
	if err := r.refreshCounts(ctx, v); err != nil {
		return ctrl.Result{}, err
	}
	v.held = v.marketplace.Status.HeldSecret
	if err := r.releaseSecret(ctx, v); err != nil {
		return ctrl.Result{}, err
	}
	gone, err := r.finalize(ctx, v)
	if err != nil || gone {
		return ctrl.Result{}, ignoreLate(err)
	}
	before := v.marketplace.Status.DeepCopy()
	r.describe(v)
	r.Metrics.show(v.name(), v.marketplace.Spec.Limits, v.counts.taken)
	r.tracker.healthTold(v.name())
	if worthWriting(before, &v.marketplace.Status) {
		if err := r.client.Status().Update(ctx, v.marketplace); err != nil {
			return ctrl.Result{}, ignoreLate(err)
		}
	}
	if err := r.holdSecret(ctx, v); err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: r.comeBack(v)}, nil
}

// comeBack is how long until something is due that no event announces; 0 when nothing is.
func (r *Reconciler) comeBack(v *visit) time.Duration {
	now := r.Clock.Now()
	var wait time.Duration
	if next := v.entry.account.next; !next.IsZero() && !v.deleting() {
		wait = max(next.Sub(now), 1)
	}
	if recount, dirty := r.tracker.recountIn(v.name(), now); dirty && (wait == 0 || recount < wait) {
		wait = max(recount, 1)
	}
	if back := r.healthBack(v, now); back > 0 && (wait == 0 || back < wait) {
		wait = back
	}
	return wait
}

func (r *Reconciler) forget(name types.NamespacedName) {
	r.Secrets.Release(name)
	r.Connections.Forget(name)
	r.Metrics.forget(name)
	if e := r.tracker.forget(name); e != nil {
		e.discard()
	}
}

// ignoreLate drops the errors of a write that came too late: the cache is about to tell of whatever was faster.
func ignoreLate(err error) error {
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
