package ownership

import (
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/types"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// unreadableCooldown protects a tombstone whose times cannot be read. It is counted from the Lease's renewTime, which is
// written at the settlement too.
const unreadableCooldown = time.Hour

// Tombstone is what a posting's Lease says once its Bid is settled: nobody holds it, and until the cooldown is over no
// new bid may be placed. It stays longer than that, to convict late arrivals.
type Tombstone struct {
	EndedAt       time.Time
	CooldownUntil time.Time
	// Outcome is the state in which the Bid ended.
	Outcome onebidv1.BidState
	// BidUID is the Bid that was settled.
	BidUID types.UID
}

// ParseTombstone reads a Lease's annotations; ok is false when there is no tombstone. With an error the tombstone is
// still one, whose unreadable times are zero.
func ParseTombstone(annotations map[string]string) (stone Tombstone, ok bool, err error) {
	settled, ok := annotations[onebidv1.AnnotationEndedAt]
	if !ok {
		return Tombstone{}, false, nil
	}
	stone = Tombstone{
		Outcome: onebidv1.BidState(annotations[onebidv1.AnnotationOutcome]),
		BidUID:  types.UID(annotations[onebidv1.AnnotationBidUID]),
	}
	if stone.EndedAt, err = time.Parse(time.RFC3339Nano, settled); err != nil {
		return stone, true, fmt.Errorf("annotation %s: %w", onebidv1.AnnotationEndedAt, err)
	}
	cooldown := annotations[onebidv1.AnnotationCooldownUntil]
	if stone.CooldownUntil, err = time.Parse(time.RFC3339Nano, cooldown); err != nil {
		return stone, true, fmt.Errorf("annotation %s: %w", onebidv1.AnnotationCooldownUntil, err)
	}
	return stone, true, nil
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
// hour, since an unreadable prohibition must not become a permission.
func tombstoneOf(lease *coordinationv1.Lease) (Tombstone, bool) {
	stone, ok, err := ParseTombstone(lease.Annotations)
	if err != nil {
		settled := lease.CreationTimestamp.Time
		if lease.Spec.RenewTime != nil {
			settled = lease.Spec.RenewTime.Time
		}
		stone.EndedAt, stone.CooldownUntil = settled, settled.Add(unreadableCooldown)
	}
	return stone, ok
}

// Sweepable reports whether the Lease is a tombstone past its time, and nobody holds it. now is the API server's time.
func Sweepable(lease *coordinationv1.Lease, now time.Time, retention time.Duration) bool {
	return HolderOf(lease) == "" && pastItsTime(lease, now, retention)
}

// pastItsTime reports whether the Lease is a tombstone that nobody needs: nothing is unresolved, its cooldown is over and
// it has been kept for the retention.
func pastItsTime(lease *coordinationv1.Lease, now time.Time, retention time.Duration) bool {
	stone, ok := tombstoneOf(lease)
	return ok && lease.Annotations[onebidv1.AnnotationIntent] == "" &&
		now.After(stone.CooldownUntil) && now.After(stone.EndedAt.Add(retention))
}
