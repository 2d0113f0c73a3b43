package marketplace

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// state is what one Reconcile knows.
type state struct {
	marketplace *onebidv1.Marketplace
	entry       *entry
	// owned is true in the replica that writes the status.
	owned bool
	// missing says why the credentials could not be read; "" when they were, or none are named.
	missing string
	counts  counts
	// held is the Secret that carries our finalizer, or may.
	held string
}

func (s *state) name() types.NamespacedName { return client.ObjectKeyFromObject(s.marketplace) }

func (s *state) deleting() bool { return !s.marketplace.DeletionTimestamp.IsZero() }

// wantedSecret is the Secret that unfinished Bids need; "" for none.
func (s *state) wantedSecret() string {
	if ref := s.marketplace.Spec.CredentialsSecretRef; ref != nil && s.counts.unfinished > 0 {
		return ref.Name
	}
	return ""
}

// refused says whether the marketplace refused the credentials. Only the owner asks; the others read the status.
func (s *state) refused() bool {
	if s.owned {
		return s.entry.account.class == onebidv1.ErrorAuth
	}
	ready := meta.FindStatusCondition(s.marketplace.Status.Conditions, onebidv1.ConditionReady)
	return ready != nil && ready.Status == metav1.ConditionFalse && ready.Reason == onebidv1.ReasonCredentialsInvalid &&
		ready.ObservedGeneration == s.marketplace.Generation
}

// drop gives the driver up, unless the Marketplace is being deleted: withdrawals go on with the old one.
func (s *state) drop() {
	if s.deleting() && s.entry.conn != nil {
		return
	}
	s.entry.discard()
	s.entry.built, s.entry.conn, s.entry.invalid = identity{}, nil, nil
	s.entry.account = identification{}
}
