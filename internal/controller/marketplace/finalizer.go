package marketplace

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// finalize adds the finalizer to a Marketplace that has none, and takes it from one that is being deleted once no Bid
// needs it. It says whether the Marketplace is gone for us.
func (r *Reconciler) finalize(ctx context.Context, v *visit) (gone bool, err error) {
	held := controllerutil.ContainsFinalizer(v.marketplace, onebidv1.FinalizerInUse)
	switch {
	case !v.deleting() && !held:
		return false, r.patchFinalizer(ctx, v.marketplace, controllerutil.AddFinalizer)
	case !v.deleting():
		return false, nil
	case !held:
		return true, nil
	case v.counts.unsettled > 0:
		return false, nil
	}
	confirmed, err := r.confirm(ctx, v.marketplace)
	if err != nil {
		return false, err
	}
	if confirmed.unsettled > 0 {
		v.counts, v.entry.counts = confirmed, confirmed
		return false, nil
	}
	return true, r.patchFinalizer(ctx, v.marketplace, controllerutil.RemoveFinalizer)
}

func (r *Reconciler) patchFinalizer(
	ctx context.Context, marketplace *onebidv1.Marketplace, edit func(client.Object, string) bool,
) error {
	before := marketplace.DeepCopy()
	edit(marketplace, onebidv1.FinalizerInUse)
	// Without the lock a merge patch would replace finalizers that others have added meanwhile.
	return r.client.Patch(ctx, marketplace, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}
