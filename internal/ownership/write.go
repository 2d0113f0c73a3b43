package ownership

import (
	"math"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// claimSpec is what a claim writes on a Lease.
type claimSpec struct {
	*Request
	subject

	me Identity
	// heartbeat is "<namespace>/<name>" of this replica's, "" for a scanner.
	heartbeat string
	wall      time.Time
}

// history is what earlier claims left on a Lease.
type history struct {
	intents Intents
	// unresolved is true when there may be calls whose outcome this process did not see.
	unresolved bool
}

// historyOf reads a Lease that is about to be written for the claim.
//
// A Lease that names another Bid but has no intent of it is a claim all the same, perhaps of a bid that was placed. It
// becomes an intent, since the annotation for the Bid's UID is about to be overwritten.
func historyOf(lease *coordinationv1.Lease, spec *claimSpec) history {
	intents := intentsOf(lease)
	_, ended := lease.Annotations[onebidv1.AnnotationEndedAt]
	named := types.UID(lease.Annotations[onebidv1.AnnotationBidUID])
	claimed := named != "" && !ended
	if _, noted := intents.Of(named); claimed && !noted && spec.BidUID != "" && named != spec.BidUID {
		intents = intents.With(Intent{Operation: onebidv1.OperationPlace, BidUID: named, Time: lease.CreationTimestamp.Time})
	}
	previous, err := ParseIdentity(HolderOf(lease))
	controlled := err == nil && previous.Role == RoleController && previous != spec.me
	// A person may end a Bid of unknown outcome; its bid may still be open.
	unknown := lease.Annotations[onebidv1.AnnotationOutcome] == string(onebidv1.StateIndeterminate)
	return history{intents: intents, unresolved: len(intents) > 0 || claimed || controlled || unknown}
}

// newLease is the Lease of a posting that had none, with the intents that this process knows of.
func newLease(spec *claimSpec, intents Intents) *coordinationv1.Lease {
	lease := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: spec.Namespace, Name: spec.name},
		Spec:       coordinationv1.LeaseSpec{LeaseTransitions: ptr.To[int32](0)},
	}
	setClaim(lease, spec, intents)
	return lease
}

// taken is the Lease after the claim was written. Without a new term its holder stays, and writes it again: for another
// Bid, with another intent, or only to assert the claim. Scanners leave the annotations of a Bid's claim as they are,
// and policies hold them to it.
func taken(base *coordinationv1.Lease, spec *claimSpec, newTerm bool) (*coordinationv1.Lease, history) {
	past := historyOf(base, spec)
	lease := base.DeepCopy()
	began := lease.Spec.AcquireTime
	setClaim(lease, spec, past.intents)
	if newTerm {
		// A Lease with the largest number must stay writable, and the API server refuses negative ones.
		lease.Spec.LeaseTransitions = ptr.To((tokenOf(base).Transitions + 1) & math.MaxInt32)
	} else if began != nil {
		lease.Spec.AcquireTime = began
	}
	return lease, past
}

func setClaim(lease *coordinationv1.Lease, spec *claimSpec, intents Intents) {
	metav1.SetMetaDataLabel(&lease.ObjectMeta, onebidv1.LabelLease, spec.kind)
	metav1.SetMetaDataAnnotation(&lease.ObjectMeta, onebidv1.AnnotationLockKey, spec.lockKey)
	if spec.owner != nil {
		lease.OwnerReferences = []metav1.OwnerReference{*spec.owner}
	}
	if spec.BidUID != "" {
		// A later attempt may be on the Lease already, by a holder whose outcomes this process's cache does not show yet.
		if spec.Intent != nil && !intents.reached(*spec.Intent) {
			intents = intents.With(*spec.Intent)
		}
		setIntents(lease, intents)
		if _, ended := lease.Annotations[onebidv1.AnnotationEndedAt]; !ended || !spec.IgnoreCooldown {
			for _, name := range []string{onebidv1.AnnotationEndedAt, onebidv1.AnnotationCooldownUntil, onebidv1.AnnotationOutcome} {
				delete(lease.Annotations, name)
			}
			lease.Annotations[onebidv1.AnnotationBidUID] = string(spec.BidUID)
		}
	}
	delete(lease.Annotations, onebidv1.AnnotationHeartbeat)
	if spec.heartbeat != "" {
		lease.Annotations[onebidv1.AnnotationHeartbeat] = spec.heartbeat
	}
	lease.Spec.HolderIdentity = ptr.To(spec.me.String())
	lease.Spec.LeaseDurationSeconds = ptr.To(wholeSeconds(spec.TTL))
	touch(lease, spec.wall)
	lease.Spec.AcquireTime = lease.Spec.RenewTime
}

// touch sets renewTime later than it was, even when the clock stands still or went back: the API server stores no
// version for an update that changes nothing, so other processes would not see a write that was acknowledged.
func touch(lease *coordinationv1.Lease, wall time.Time) {
	if last := lease.Spec.RenewTime; last != nil && wall.Sub(last.Time) < time.Microsecond {
		wall = last.Add(time.Microsecond)
	}
	lease.Spec.RenewTime = ptr.To(metav1.NewMicroTime(wall))
}

func setIntents(lease *coordinationv1.Lease, intents Intents) {
	if len(intents) == 0 {
		delete(lease.Annotations, onebidv1.AnnotationIntent)
		return
	}
	metav1.SetMetaDataAnnotation(&lease.ObjectMeta, onebidv1.AnnotationIntent, intents.Format())
}

// touched is the Lease with a new renewTime and no other change.
func touched(base *coordinationv1.Lease, wall time.Time) *coordinationv1.Lease {
	lease := base.DeepCopy()
	touch(lease, wall)
	return lease
}

// vacated is the Lease without a holder.
func vacated(base *coordinationv1.Lease, wall time.Time) *coordinationv1.Lease {
	lease := touched(base, wall)
	lease.Spec.HolderIdentity = nil
	delete(lease.Annotations, onebidv1.AnnotationHeartbeat)
	return lease
}

// withTombstone is the Lease as a tombstone.
func withTombstone(base *coordinationv1.Lease, t Tombstone, wall time.Time) *coordinationv1.Lease {
	lease := vacated(base, wall)
	setIntents(lease, nil)
	for name, value := range t.Format() {
		metav1.SetMetaDataAnnotation(&lease.ObjectMeta, name, value)
	}
	return lease
}

// protected reports whether the Lease is more than a scanner's lock: it carries an intent, a tombstone or a Bid's claim,
// so it must outlive its holder.
func protected(lease *coordinationv1.Lease) bool {
	return lease.Annotations[onebidv1.AnnotationIntent] != "" || lease.Annotations[onebidv1.AnnotationEndedAt] != "" ||
		lease.Annotations[onebidv1.AnnotationBidUID] != ""
}
