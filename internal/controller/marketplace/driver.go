package marketplace

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// refreshDriver builds the driver when the spec or the Secret changed since it was built. What is wrong with either is
// in the visit and its entry; an error is the API server's.
func (r *Reconciler) refreshDriver(ctx context.Context, v *visit) error {
	ref := v.marketplace.Spec.CredentialsSecretRef
	wanted := identity{uid: v.marketplace.UID, generation: v.marketplace.Generation}
	if ref == nil {
		r.Secrets.Release(v.name())
		r.build(ctx, v, wanted, nil)
		return nil
	}
	secret := types.NamespacedName{Namespace: v.marketplace.Namespace, Name: ref.Name}
	if err := r.Secrets.Watch(v.name(), secret); err != nil {
		return err
	}
	if version, known := r.Secrets.Version(secret); known && version != "" {
		wanted.secretVersion = version
		if wanted == v.entry.built {
			return nil
		}
	}
	credentials := &corev1.Secret{}
	switch err := r.live.Get(ctx, secret, credentials); {
	case apierrors.IsNotFound(err):
		v.missing = fmt.Sprintf("There is no Secret %q in namespace %q, which spec.credentialsSecretRef names: create it there, "+
			"or name another one", secret.Name, secret.Namespace)
	case apierrors.IsForbidden(err):
		v.missing = fmt.Sprintf("The controller may not read Secret %q in namespace %q, which spec.credentialsSecretRef names: "+
			"allow its ServiceAccount to get, list and watch it", secret.Name, secret.Namespace)
	case err != nil:
		return err
	}
	v.entry.secretHeld = controllerutil.ContainsFinalizer(credentials, onebidv1.FinalizerInUse)
	v.entry.secretDeleting = !credentials.DeletionTimestamp.IsZero()
	if v.missing != "" {
		r.drop(v)
		return nil
	}
	wanted.secretVersion = credentials.ResourceVersion
	r.build(ctx, v, wanted, credentials.Data)
	return nil
}

func (r *Reconciler) build(ctx context.Context, v *visit, wanted identity, credentials map[string][]byte) {
	if v.entry.built == wanted {
		return
	}
	credible := fingerprint(credentials)
	same := identity{v.entry.built.uid, v.entry.built.generation, wanted.secretVersion}
	if v.entry.conn != nil && wanted == same && credible == v.entry.fingerprint {
		v.entry.built = wanted // only the Secret's metadata changed, as our own finalizer on it does
		return
	}
	driver, err := r.Factory(ctx, &v.marketplace.Spec, credentials)
	if err != nil {
		r.drop(v)
		v.entry.built, v.entry.invalid = wanted, err
		return
	}
	v.entry.discard()
	v.entry.conn = r.Connections.Open(v.marketplace, driver, r.Settle(&v.marketplace.Spec))
	v.entry.built, v.entry.invalid, v.entry.fingerprint = wanted, nil, credible
	v.entry.connected = false
	v.entry.account = identification{}
}

// drop gives the driver up, unless the Marketplace is being deleted: then the old one is all that withdrawals have.
func (*Reconciler) drop(v *visit) {
	if v.deleting() && v.entry.conn != nil {
		return
	}
	v.entry.discard()
	v.entry.built, v.entry.conn, v.entry.invalid = identity{}, nil, nil
	v.entry.account = identification{}
}

// discard closes an account that only this controller has.
func (e *entry) discard() {
	if e.conn != nil && !e.connected {
		e.conn.Close()
	}
}

// connect lets others use the driver as long as there is one whose credentials the marketplace has not refused. Refused
// ones would only fail on each Bid anew.
func (r *Reconciler) connect(v *visit) {
	usable := v.entry.conn != nil && (v.deleting() || !r.refused(v))
	switch {
	case !usable:
		r.Connections.Delete(v.name())
		v.entry.connected = false
	case !v.entry.connected:
		r.Connections.Set(v.entry.conn)
		v.entry.connected = true
	}
}

// refused is what the acting replica found out, which the others read from the status.
func (*Reconciler) refused(v *visit) bool {
	if v.acts {
		return v.entry.account.class == onebidv1.ErrorAuth
	}
	ready := meta.FindStatusCondition(v.marketplace.Status.Conditions, onebidv1.ConditionReady)
	return ready != nil && ready.Status == metav1.ConditionFalse && ready.Reason == onebidv1.ReasonCredentialsInvalid &&
		ready.ObservedGeneration == v.marketplace.Generation
}
