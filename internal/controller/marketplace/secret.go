package marketplace

import (
	"cmp"
	"context"
	"crypto/sha256"
	"maps"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// The credentials are kept as long as a Bid needs them: a namespace that is deleted takes its Secrets at once, and without
// them nobody could withdraw what is live, once the processes that have them in memory are gone. Which Secret carries our
// finalizer is in the Marketplace's status before the finalizer is on the Secret, so that it comes off again, whatever
// happens in between: nobody may list all Secrets for that.

// wantedSecret is the Secret that unsettled Bids need; "" for none.
func (v *visit) wantedSecret() string {
	if ref := v.marketplace.Spec.CredentialsSecretRef; ref != nil && v.counts.unsettled > 0 {
		return ref.Name
	}
	return ""
}

// releaseSecret lets go of a Secret that no Bid of the Marketplace needs any more.
func (r *Reconciler) releaseSecret(ctx context.Context, v *visit) error {
	if v.held == "" || v.held == v.wantedSecret() {
		return nil
	}
	confirmed, err := r.confirm(ctx, v.marketplace)
	if err != nil {
		return err
	}
	v.counts, v.entry.counts = confirmed, confirmed
	if v.held == v.wantedSecret() {
		return nil
	}
	shared, err := r.neededByOthers(ctx, v)
	if err != nil {
		return err
	}
	if !shared {
		if err := client.IgnoreNotFound(r.editSecret(ctx, v, v.held, controllerutil.RemoveFinalizer)); err != nil {
			return err
		}
	}
	v.held, v.entry.secretHeld = "", false // of another one that is held already, holdSecret finds out
	return nil
}

// neededByOthers is true while unsettled Bids of another Marketplace need the Secret, which then is that one's to let go.
func (r *Reconciler) neededByOthers(ctx context.Context, v *visit) (bool, error) {
	marketplaces := &onebidv1.MarketplaceList{}
	if err := r.live.List(ctx, marketplaces, client.InNamespace(v.marketplace.Namespace)); err != nil {
		return false, err
	}
	for i := range marketplaces.Items {
		other := &marketplaces.Items[i]
		ref := other.Spec.CredentialsSecretRef
		if other.Name == v.marketplace.Name || ref == nil || ref.Name != v.held {
			continue
		}
		if counted, err := r.confirm(ctx, other); err != nil || counted.unsettled > 0 {
			return true, err
		}
	}
	return false, nil
}

// holdSecret puts the finalizer on the Secret that unsettled Bids need. One that is being deleted takes no new finalizer.
func (r *Reconciler) holdSecret(ctx context.Context, v *visit) error {
	wanted := v.wantedSecret()
	r.tracker.await(v.name(), v.marketplace.Spec.CredentialsSecretRef != nil && wanted == "", wanted != "")
	if wanted == "" || v.missing != "" || v.entry.secretHeld || v.entry.secretDeleting {
		return nil
	}
	if err := r.editSecret(ctx, v, wanted, controllerutil.AddFinalizer); err != nil {
		return client.IgnoreNotFound(err)
	}
	v.entry.secretHeld = true
	return nil
}

func (r *Reconciler) editSecret(ctx context.Context, v *visit, name string, edit func(client.Object, string) bool) error {
	secret := &corev1.Secret{}
	if err := r.live.Get(ctx, client.ObjectKey{Namespace: v.marketplace.Namespace, Name: name}, secret); err != nil {
		return err
	}
	before := secret.DeepCopy()
	if !edit(secret, onebidv1.FinalizerInUse) {
		return nil
	}
	return r.client.Patch(ctx, secret, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}

// fingerprint tells whether the data of a Secret changed. Sizes keep what belongs to one entry apart from the next.
func fingerprint(data map[string][]byte) [sha256.Size]byte {
	hash := sha256.New()
	for _, key := range slices.SortedFunc(maps.Keys(data), cmp.Compare[string]) {
		_, _ = hash.Write([]byte(strconv.Itoa(len(key)) + ":" + key + strconv.Itoa(len(data[key])) + ":")) // never fails
		_, _ = hash.Write(data[key])
	}
	return [sha256.Size]byte(hash.Sum(nil))
}
