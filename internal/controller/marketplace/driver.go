package marketplace

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// refreshDriver builds the driver when the spec or the Secret changed since it was built. What is wrong with either is in
// s.missing and the entry; an error is the API server's.
func (r *Reconciler) refreshDriver(ctx context.Context, s *state) error {
	ref := s.marketplace.Spec.CredentialsSecretRef
	wanted := identity{uid: s.marketplace.UID, generation: s.marketplace.Generation}
	if ref == nil {
		r.Secrets.Release(s.name())
		r.build(ctx, s, wanted, nil)
		return nil
	}
	secret := types.NamespacedName{Namespace: s.marketplace.Namespace, Name: ref.Name}
	if err := r.Secrets.Watch(s.name(), secret); err != nil {
		return err
	}
	if version, known := r.Secrets.Version(secret); known && version != "" {
		wanted.secretVersion = version
		if wanted == s.entry.built {
			return nil
		}
	}
	credentials := &corev1.Secret{}
	switch err := r.APIReader.Get(ctx, secret, credentials); {
	case apierrors.IsNotFound(err):
		s.missing = fmt.Sprintf("There is no Secret %q in namespace %q, which spec.credentialsSecretRef names: create it there, "+
			"or name another one", secret.Name, secret.Namespace)
	case apierrors.IsForbidden(err):
		s.missing = fmt.Sprintf("The controller may not read Secret %q in namespace %q, which spec.credentialsSecretRef names: "+
			"allow its ServiceAccount to get, list and watch it", secret.Name, secret.Namespace)
	case err != nil:
		return err
	}
	s.entry.secretHeld = controllerutil.ContainsFinalizer(credentials, onebidv1.FinalizerInUse)
	s.entry.secretDeleting = !credentials.DeletionTimestamp.IsZero()
	if s.missing != "" {
		s.drop()
		return nil
	}
	wanted.secretVersion = credentials.ResourceVersion
	r.build(ctx, s, wanted, credentials.Data)
	return nil
}

func (r *Reconciler) build(ctx context.Context, s *state, wanted identity, credentials map[string][]byte) {
	if s.entry.built == wanted {
		return
	}
	sum := fingerprint(credentials)
	same := identity{s.entry.built.uid, s.entry.built.generation, wanted.secretVersion}
	if s.entry.conn != nil && wanted == same && sum == s.entry.fingerprint {
		s.entry.built = wanted // only the Secret's metadata changed, as our own finalizer on it does
		return
	}
	driver, err := r.Factory(ctx, &s.marketplace.Spec, credentials)
	if err != nil {
		s.drop()
		s.entry.built, s.entry.invalid = wanted, err
		return
	}
	s.entry.discard()
	s.entry.conn = r.Connections.Open(s.marketplace, driver, r.SettleTime(&s.marketplace.Spec))
	s.entry.built, s.entry.invalid, s.entry.fingerprint = wanted, nil, sum
	s.entry.connected = false
	s.entry.account = identification{}
}

// connect lets others use the driver unless the marketplace refused its credentials: they would fail for each Bid.
func (r *Reconciler) connect(s *state) {
	usable := s.entry.conn != nil && (s.deleting() || !s.refused())
	switch {
	case !usable:
		r.Connections.Delete(s.name())
		s.entry.connected = false
	case !s.entry.connected:
		r.Connections.Set(s.entry.conn)
		s.entry.connected = true
	}
}
