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

// A finalizer keeps the credentials as long as a Bid needs them: the deletion of a namespace deletes its Secrets at once, and
// without them nothing could be withdrawn after a restart. status.heldSecret names the Secret before it gets the finalizer,
// so that the finalizer is removed after a crash in between; the controller may not list Secrets.

// releaseSecret removes the finalizer from a Secret that no Bid of the Marketplace needs any more.
func (r *Reconciler) releaseSecret(ctx context.Context, s *state) error {
	if s.held == "" || s.held == s.wantedSecret() {
		return nil
	}
	confirmed, err := confirm(ctx, r.APIReader, s.marketplace)
	if err != nil {
		return err
	}
	s.counts, s.entry.counts = confirmed, confirmed
	if s.held == s.wantedSecret() {
		return nil
	}
	shared, err := r.neededByOthers(ctx, s)
	if err != nil {
		return err
	}
	if !shared {
		if err := client.IgnoreNotFound(r.editSecret(ctx, s, s.held, controllerutil.RemoveFinalizer)); err != nil {
			return err
		}
	}
	s.held, s.entry.secretHeld = "", false // holdSecret reads whether the wanted one carries it
	return nil
}

// neededByOthers is true while unfinished Bids of another Marketplace need the Secret; that one releases it.
func (r *Reconciler) neededByOthers(ctx context.Context, s *state) (bool, error) {
	marketplaces := &onebidv1.MarketplaceList{}
	if err := r.APIReader.List(ctx, marketplaces, client.InNamespace(s.marketplace.Namespace)); err != nil {
		return false, err
	}
	for i := range marketplaces.Items {
		other := &marketplaces.Items[i]
		ref := other.Spec.CredentialsSecretRef
		if other.Name == s.marketplace.Name || ref == nil || ref.Name != s.held {
			continue
		}
		if counted, err := confirm(ctx, r.APIReader, other); err != nil || counted.unfinished > 0 {
			return true, err
		}
	}
	return false, nil
}

// holdSecret adds the finalizer to the Secret that unfinished Bids need. The API server adds none to one being deleted.
func (r *Reconciler) holdSecret(ctx context.Context, s *state) error {
	wanted := s.wantedSecret()
	r.tracker.await(s.name(), s.marketplace.Spec.CredentialsSecretRef != nil && wanted == "", wanted != "")
	if wanted == "" || s.missing != "" || s.entry.secretHeld || s.entry.secretDeleting {
		return nil
	}
	if err := r.editSecret(ctx, s, wanted, controllerutil.AddFinalizer); err != nil {
		return client.IgnoreNotFound(err)
	}
	s.entry.secretHeld = true
	return nil
}

func (r *Reconciler) editSecret(ctx context.Context, s *state, name string, edit func(client.Object, string) bool) error {
	secret := &corev1.Secret{}
	if err := r.APIReader.Get(ctx, client.ObjectKey{Namespace: s.marketplace.Namespace, Name: name}, secret); err != nil {
		return err
	}
	return patchFinalizer(ctx, r.Client, secret, edit)
}

// patchFinalizer changes our finalizer on an object, if the edit changes anything.
func patchFinalizer(ctx context.Context, to client.Writer, object client.Object, edit func(client.Object, string) bool) error {
	before, ok := object.DeepCopyObject().(client.Object)
	if !ok || !edit(object, onebidv1.FinalizerInUse) {
		return nil
	}
	// Without the lock a merge patch would replace finalizers that others have added meanwhile.
	return to.Patch(ctx, object, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
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
