package ownership

import (
	"maps"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// tenure is what a claim writes on a Lease.
type tenure struct {
	me        Identity
	heartbeat string
	subject   subject
	bidUID    types.UID
	ttl       time.Duration
	intent    *Intent
	// keepTombstone is set for work on a posting that stays settled.
	keepTombstone bool
	// recalled are intents that this process knows of although the Lease is gone.
	recalled Intents
	wall     time.Time
}

// history is what an earlier tenure left on a Lease.
type history struct {
	intents Intents
	// unresolved is true when there may be calls whose outcome this process did not see.
	unresolved bool
}

// historyOf reads a Lease that this process is about to hold for a Bid, or for none.
//
// A Lease that names another Bid but has no intent of it is a claim all the same: perhaps a live bid. It is kept as an
// intent, since the Lease's one place for a Bid's UID is about to be reused.
func historyOf(lease *coordinationv1.Lease, t *tenure) history {
	intents := intentsOf(lease)
	_, settled := lease.Annotations[onebidv1.AnnotationEndedAt]
	named := types.UID(lease.Annotations[onebidv1.AnnotationBidUID])
	claimed := named != "" && !settled
	if _, noted := intents.Of(named); claimed && !noted && t.bidUID != "" && named != t.bidUID {
		intents = intents.With(Intent{Operation: onebidv1.OperationPlace, BidUID: named, Time: lease.CreationTimestamp.Time})
	}
	previous, err := ParseIdentity(HolderOf(lease))
	controlled := err == nil && previous.Role == RoleController && previous != t.me
	return history{intents: intents, unresolved: len(intents) > 0 || claimed || controlled || givenUp(lease)}
}

// givenUp is true for the tombstone of a Bid of which nobody knew what became when a person let it go: a bid of it may be
// live.
func givenUp(lease *coordinationv1.Lease) bool {
	return lease.Annotations[onebidv1.AnnotationOutcome] == string(onebidv1.StateIndeterminate)
}

// newLease is the Lease of a posting that had none.
func newLease(namespace, name string, t *tenure) *coordinationv1.Lease {
	lease := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       coordinationv1.LeaseSpec{LeaseTransitions: ptr.To[int32](0)},
	}
	occupy(lease, t, t.recalled)
	return lease
}

// taken is the Lease after a change of holder. Scanners leave annotations as they are: what a Bid's claim wrote there is
// not theirs to change, and policies hold them to it.
func taken(base *coordinationv1.Lease, t *tenure) (*coordinationv1.Lease, history) {
	past := historyOf(base, t)
	lease := base.DeepCopy()
	lease.Spec.LeaseTransitions = ptr.To(TokenOf(base).Transitions + 1)
	occupy(lease, t, past.intents)
	return lease, past
}

// retaken is the Lease after its present holder, this process, has written it again: for another Bid, with another
// intent, or only to prove that it still can.
func retaken(base *coordinationv1.Lease, t *tenure) (*coordinationv1.Lease, history) {
	past := historyOf(base, t)
	lease := base.DeepCopy()
	acquired := lease.Spec.AcquireTime
	occupy(lease, t, past.intents)
	if acquired != nil {
		lease.Spec.AcquireTime = acquired
	}
	return lease, past
}

func occupy(lease *coordinationv1.Lease, t *tenure, intents Intents) {
	metav1.SetMetaDataLabel(&lease.ObjectMeta, onebidv1.LabelLease, t.subject.kind)
	metav1.SetMetaDataAnnotation(&lease.ObjectMeta, onebidv1.AnnotationLockKey, t.subject.lockKey)
	if t.subject.owner != nil {
		lease.OwnerReferences = []metav1.OwnerReference{*t.subject.owner}
	}
	if t.bidUID != "" {
		// An attempt that is noted already may have been sent by somebody whom this process's cache does not show yet.
		if t.intent != nil && !intents.reached(*t.intent) {
			intents = intents.With(*t.intent)
		}
		setIntents(lease, intents)
		_, dead := lease.Annotations[onebidv1.AnnotationEndedAt]
		if !dead || !t.keepTombstone {
			dropTombstone(lease)
			metav1.SetMetaDataAnnotation(&lease.ObjectMeta, onebidv1.AnnotationBidUID, string(t.bidUID))
		}
	}
	delete(lease.Annotations, onebidv1.AnnotationHeartbeat)
	if t.heartbeat != "" {
		lease.Annotations[onebidv1.AnnotationHeartbeat] = t.heartbeat
	}
	lease.Spec.HolderIdentity = ptr.To(t.me.String())
	lease.Spec.LeaseDurationSeconds = ptr.To(wholeSeconds(t.ttl))
	touch(lease, t.wall)
	lease.Spec.AcquireTime = lease.Spec.RenewTime
}

// touch sets renewTime later than it was, even when the clock stands still or went back: the API server stores no
// version for an update that changes nothing, and others would then see no sign of life although it was acknowledged.
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

func dropTombstone(lease *coordinationv1.Lease) {
	for _, name := range []string{
		onebidv1.AnnotationEndedAt, onebidv1.AnnotationCooldownUntil, onebidv1.AnnotationOutcome,
	} {
		delete(lease.Annotations, name)
	}
}

// asserted is the Lease with nothing new but the time.
func asserted(base *coordinationv1.Lease, wall time.Time) *coordinationv1.Lease {
	lease := base.DeepCopy()
	touch(lease, wall)
	return lease
}

// vacated is the Lease without a holder.
func vacated(base *coordinationv1.Lease, wall time.Time) *coordinationv1.Lease {
	lease := asserted(base, wall)
	lease.Spec.HolderIdentity = nil
	delete(lease.Annotations, onebidv1.AnnotationHeartbeat)
	return lease
}

// settled is the Lease as a tombstone.
func settled(base *coordinationv1.Lease, stone Tombstone, wall time.Time) *coordinationv1.Lease {
	lease := vacated(base, wall)
	setIntents(lease, nil)
	lease.Annotations = mergeInto(lease.Annotations, stone.Format())
	return lease
}

func mergeInto(into, from map[string]string) map[string]string {
	if into == nil {
		into = map[string]string{}
	}
	maps.Copy(into, from)
	return into
}

// protected reports whether the Lease is more than a scanner's lock: it carries an intent, a tombstone or a Bid's claim,
// so it must outlive its holder.
func protected(lease *coordinationv1.Lease) bool {
	for _, name := range []string{
		onebidv1.AnnotationIntent, onebidv1.AnnotationEndedAt, onebidv1.AnnotationBidUID,
	} {
		if lease.Annotations[name] != "" {
			return true
		}
	}
	return false
}
