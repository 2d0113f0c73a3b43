package ownership

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"pgregory.net/rapid"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

var (
	controllerA = Identity{RoleController, "a", "1"}
	controllerB = Identity{RoleController, "b", "2"}
	scannerC    = Identity{RoleScanner, "c", "3"}
	scannerD    = Identity{RoleScanner, "d", "4"}
)

func heldBy(holder, heartbeat string) *coordinationv1.Lease {
	lease := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: leaseName, Annotations: map[string]string{}},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: ptr.To(holder), LeaseDurationSeconds: ptr.To[int32](60)},
	}
	if heartbeat != "" {
		lease.Annotations[onebidv1.AnnotationHeartbeat] = heartbeat
	}
	return lease
}

func buried(lease *coordinationv1.Lease, s Tombstone) *coordinationv1.Lease {
	lease = lease.DeepCopy()
	lease.Annotations = mergeInto(lease.Annotations, s.Format())
	return lease
}

func TestDecide(t *testing.T) {
	now := epochStart
	long, short := now.Add(-time.Minute), now.Add(-time.Minute+1)
	beatOfB := "onebid-system/" + controllerB.HeartbeatName()
	alive := Pulse{Readable: true, Until: now.Add(1)}
	over := Pulse{Readable: true, Until: now}
	dead := Pulse{Readable: true, Until: now, Dead: true}
	byB, byC, byPod := heldBy(controllerB.String(), beatOfB), heldBy(scannerC.String(), ""), heldBy("pod_1", "")
	nobody, predecessor := heldBy("", ""), heldBy(Identity{RoleController, "a", "0"}.String(), "")
	minuteAfterShort, inAMinute, never := short.Add(time.Minute), now.Add(time.Minute), time.Time{}
	noDuration := heldBy("pod_1", "")
	noDuration.Spec.LeaseDurationSeconds = nil
	for _, c := range []struct {
		why   string
		lease *coordinationv1.Lease
		me    Identity
		facts Facts
		want  Verdict
		until time.Time
	}{
		{"no Lease", nil, controllerA, Facts{}, Create, never},
		{"nobody holds it", nobody, controllerA, Facts{}, Take, never},
		{"this process holds it", heldBy(controllerA.String(), ""), controllerA, Facts{}, Mine, never},
		{"this process holds it although it looks expired", heldBy(controllerA.String(), ""), controllerA, Facts{Since: long}, Mine, never},
		{"the same host, but another process", predecessor, controllerA, Facts{Since: short}, Held, minuteAfterShort},

		{"a scanner is done once the Bid exists", byC, controllerA, Facts{Since: now, BidExists: true}, Take, never},
		{"a controller without a Bid waits for a scanner", byC, controllerA, Facts{Since: now}, Held, inAMinute},
		{"a scanner waits for a scanner, whatever exists", byC, scannerD, Facts{Since: now, BidExists: true}, Held, inAMinute},
		{"a scanner that was watched for its whole duration", byC, scannerD, Facts{Since: long}, Take, never},

		{"a competitor, not yet watched long enough", byPod, controllerA, Facts{Since: short, BidExists: true}, Held, minuteAfterShort},
		{"a competitor, watched for its whole duration", byPod, controllerA, Facts{Since: long}, Take, never},
		{"no duration is not an expired one", noDuration, controllerA, Facts{Since: long}, Held, long.Add(DefaultTTL)},

		{"a living controller", byB, controllerA, Facts{Since: long, Pulse: alive}, Held, now.Add(1)},
		{"a silent controller must be read live", byB, controllerA, Facts{Since: now, Pulse: over}, Confirm, now},
		{"a controller found dead", byB, controllerA, Facts{Since: now, Pulse: dead}, Take, never},
		{"a heartbeat that cannot be read: the Lease's own duration", byB, controllerA, Facts{Since: short}, Held, minuteAfterShort},
		{"and when that is over", byB, controllerA, Facts{Since: long}, Take, never},
		{"no heartbeat named", heldBy(controllerB.String(), ""), controllerA, Facts{Since: short, Pulse: dead}, Held, minuteAfterShort},
		{
			"a competitor that left the heartbeat of its predecessor in place is not as dead as that",
			heldBy("pod_1", beatOfB), controllerA, Facts{Since: short, Pulse: dead}, Held, minuteAfterShort,
		},
		{
			"nor is a controller that did",
			heldBy(Identity{RoleController, "b", "9"}.String(), beatOfB), controllerA,
			Facts{Since: short, Pulse: dead}, Held, minuteAfterShort,
		},

		{"a scanner goes by the Lease's duration first", byB, scannerC, Facts{Since: short, Pulse: dead}, Held, minuteAfterShort},
		{"then it looks at the heartbeat", byB, scannerC, Facts{Since: long, Pulse: over}, Confirm, now},
		{"and respects it", byB, scannerC, Facts{Since: long, Pulse: alive}, Held, now.Add(1)},
		{"unless it may not read it", byB, scannerC, Facts{Since: long}, Take, never},

		{"a cooldown", tombstoned(stone), controllerA, Facts{Wall: stone.CooldownUntil.Add(-1)}, Cooldown, stone.CooldownUntil},
		{
			"a tombstone that this process took for its own Bid is no hold for the next Bid",
			buried(heldBy(controllerA.String(), ""), stone), controllerA,
			Facts{Wall: stone.EndedAt, BidExists: true, BidUID: "another"}, Cooldown, stone.CooldownUntil,
		},
		{
			"but it is for what is still owed to its own",
			buried(heldBy(controllerA.String(), ""), stone), controllerA,
			Facts{Wall: stone.EndedAt, BidExists: true, BidUID: stone.BidUID, IgnoreCooldown: true}, Mine, never,
		},
		{"a cooldown, for scanners too", tombstoned(stone), scannerC, Facts{Wall: stone.CooldownUntil.Add(-1)}, Cooldown, stone.CooldownUntil},
		{
			"a Bid's own tombstone is final for it, however long ago it was written",
			tombstoned(stone), controllerA,
			Facts{Wall: stone.CooldownUntil.Add(time.Hour), BidExists: true, BidUID: stone.BidUID}, Cooldown, stone.CooldownUntil,
		},
		{
			"but not for the next Bid", tombstoned(stone), controllerA,
			Facts{Wall: stone.CooldownUntil, BidExists: true, BidUID: "another"}, Take, never,
		},
		{"the cooldown is over", tombstoned(stone), controllerA, Facts{Wall: stone.CooldownUntil}, Take, never},
		{
			"a tombstone is final for its own Bid, which somebody saw in an old version",
			tombstoned(stone), controllerA, Facts{Wall: stone.CooldownUntil, BidExists: true, BidUID: stone.BidUID}, Cooldown, stone.CooldownUntil,
		},
		{
			"and not for the next",
			tombstoned(stone), controllerA, Facts{Wall: stone.CooldownUntil, BidExists: true, BidUID: "uid-b"}, Take, never,
		},
		{
			"but what is live of it must be taken back",
			tombstoned(stone), controllerA, Facts{Wall: stone.CooldownUntil, BidUID: stone.BidUID, IgnoreCooldown: true}, Take, never,
		},
		{
			"a late bid must be taken back although it cools down",
			tombstoned(stone), controllerA, Facts{Wall: stone.EndedAt, IgnoreCooldown: true}, Take, never,
		},
		{
			"a scanner on a tombstone is still in the way of nobody, but the cooldown is",
			buried(byC, stone), controllerA, Facts{Wall: stone.EndedAt, BidExists: true}, Cooldown, stone.CooldownUntil,
		},
	} {
		got := Decide(c.lease, c.me, c.facts, now)
		g := NewWithT(t)
		g.Expect(got.Verdict).To(Equal(c.want), c.why)
		g.Expect(got.Until).To(BeTemporally("==", c.until), c.why)
		if c.want == Held || c.want == Confirm {
			g.Expect(got.Holder).To(Equal(HolderOf(c.lease)), c.why)
		}
	}
}

// The wall clocks inside a Lease are of other hosts: whatever they say, the verdict is the same.
func TestDecideReadsNoWallClockOfOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		holder := rapid.SampledFrom([]string{"pod_1", controllerB.String(), scannerC.String()}).Draw(t, "holder")
		lease := heldBy(holder, "onebid-system/"+controllerB.HeartbeatName())
		facts := Facts{
			Since: epochStart.Add(-time.Duration(rapid.Int64Range(0, 120).Draw(t, "watched")) * time.Second),
			Pulse: Pulse{
				Readable: rapid.Bool().Draw(t, "readable"), Dead: rapid.Bool().Draw(t, "dead"),
				Until: epochStart.Add(time.Duration(rapid.Int64Range(-9, 9).Draw(t, "until")) * time.Second),
			},
			BidExists: rapid.Bool().Draw(t, "exists"),
		}
		want := Decide(lease, controllerA, facts, epochStart)
		skewed := lease.DeepCopy()
		skew := time.Duration(rapid.Int64Range(-1e9, 1e9).Draw(t, "skew")) * time.Millisecond
		skewed.Spec.RenewTime = ptr.To(metav1.NewMicroTime(epochStart.Add(skew)))
		skewed.Spec.AcquireTime = skewed.Spec.RenewTime
		NewWithT(t).Expect(Decide(skewed, controllerA, facts, epochStart)).To(Equal(want))
	})
}
