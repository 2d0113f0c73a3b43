package ownership

import (
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/types"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// unreadableCooldown protects a tombstone whose times cannot be read. It counts from the Lease's renewTime, which was
// written together with the tombstone.
const unreadableCooldown = time.Hour

// Tombstone is what a posting's Lease says once its Bid has ended: it has no holder, and no bid may be placed until the
// cooldown is over. It stays longer than that, to recognise late arrivals.
type Tombstone struct {
	EndedAt       time.Time
	CooldownUntil time.Time
	// Outcome is the state in which the Bid ended.
	Outcome onebidv1.BidState
	// BidUID is the Bid that ended.
	BidUID types.UID
}

// ParseTombstone reads a Lease's annotations; ok is false when there is no tombstone. With an error the tombstone is
// still one, whose unreadable times are zero.
func ParseTombstone(annotations map[string]string) (t Tombstone, ok bool, err error) {
	ended, ok := annotations[onebidv1.AnnotationEndedAt]
	if !ok {
		return Tombstone{}, false, nil
	}
	t = Tombstone{
		Outcome: onebidv1.BidState(annotations[onebidv1.AnnotationOutcome]),
		BidUID:  types.UID(annotations[onebidv1.AnnotationBidUID]),
	}
	if t.EndedAt, err = time.Parse(time.RFC3339Nano, ended); err != nil {
		return t, true, fmt.Errorf("annotation %s: %w", onebidv1.AnnotationEndedAt, err)
	}
	if t.CooldownUntil, err = time.Parse(time.RFC3339Nano, annotations[onebidv1.AnnotationCooldownUntil]); err != nil {
		return t, true, fmt.Errorf("annotation %s: %w", onebidv1.AnnotationCooldownUntil, err)
	}
	return t, true, nil
}

// Format writes the tombstone as annotations, which ParseTombstone reads.
func (t Tombstone) Format() map[string]string {
	return map[string]string{
		onebidv1.AnnotationEndedAt:       t.EndedAt.UTC().Format(time.RFC3339Nano),
		onebidv1.AnnotationCooldownUntil: t.CooldownUntil.UTC().Format(time.RFC3339Nano),
		onebidv1.AnnotationOutcome:       string(t.Outcome),
		onebidv1.AnnotationBidUID:        string(t.BidUID),
	}
}

// tombstoneOf returns the Lease's tombstone with times that can be judged. One that cannot be read cools down for an
// hour: an unreadable prohibition must not become a permission.
func tombstoneOf(lease *coordinationv1.Lease) (Tombstone, bool) {
	t, ok, err := ParseTombstone(lease.Annotations)
	if err != nil {
		ended := lease.CreationTimestamp.Time
		if lease.Spec.RenewTime != nil {
			ended = lease.Spec.RenewTime.Time
		}
		t.EndedAt, t.CooldownUntil = ended, ended.Add(unreadableCooldown)
	}
	return t, ok
}

// CoolingDown returns the tombstone of a Lease without a holder while it forbids another bid. A nil Lease forbids
// nothing. now is the API server's time.
func CoolingDown(lease *coordinationv1.Lease, now time.Time) (Tombstone, bool) {
	if lease == nil || HolderOf(lease) != "" {
		return Tombstone{}, false
	}
	t, found := tombstoneOf(lease)
	return t, found && now.Before(t.CooldownUntil)
}

// expired reports whether the Lease is a tombstone that is not needed any more: no intent is unresolved, the cooldown is
// over, and it has been kept for the retention.
func expired(lease *coordinationv1.Lease, now time.Time, retention time.Duration) bool {
	t, ok := tombstoneOf(lease)
	return ok && lease.Annotations[onebidv1.AnnotationIntent] == "" &&
		now.After(t.CooldownUntil) && now.After(t.EndedAt.Add(retention))
}
