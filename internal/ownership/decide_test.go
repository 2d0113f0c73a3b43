package ownership

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
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

func ended(lease *coordinationv1.Lease, s Tombstone) *coordinationv1.Lease {
	lease = lease.DeepCopy()
	for name, value := range s.Format() {
		metav1.SetMetaDataAnnotation(&lease.ObjectMeta, name, value)
	}
	return lease
}

func TestDecide(t *testing.T) {
	now := epochStart
	long, short := now.Add(-time.Minute), now.Add(-time.Minute+1)
	heartbeatOfB := "onebid-system/" + controllerB.heartbeatName()
	alive := heartbeatState{readable: true, until: now.Add(1)}
	over := heartbeatState{readable: true, until: now}
	dead := heartbeatState{readable: true, until: now, dead: true}
	byB, byC, byPod := heldBy(controllerB.String(), heartbeatOfB), heldBy(scannerC.String(), ""), heldBy("pod_1", "")
	noHolder, predecessor := heldBy("", ""), heldBy(Identity{RoleController, "a", "0"}.String(), "")
	minuteAfterShort, inAMinute, never := short.Add(time.Minute), now.Add(time.Minute), time.Time{}
	noDuration := heldBy("pod_1", "")
	noDuration.Spec.LeaseDurationSeconds = nil
	for _, c := range []struct {
		why   string
		lease *coordinationv1.Lease
		me    Identity
		facts facts
		want  verdict
		until time.Time
	}{
		{"no Lease", nil, controllerA, facts{}, verdictCreate, never},
		{"no holder", noHolder, controllerA, facts{}, verdictTake, never},
		{"this process holds it", heldBy(controllerA.String(), ""), controllerA, facts{}, verdictOwn, never},
		{"this process holds it although it looks expired", heldBy(controllerA.String(), ""), controllerA, facts{since: long}, verdictOwn, never},
		{"the same host, but another process", predecessor, controllerA, facts{since: short}, verdictHeld, minuteAfterShort},

		{"a scanner is done once the Bid exists", byC, controllerA, facts{since: now, bidUID: "uid-b"}, verdictTake, never},
		{"a controller without a Bid waits for a scanner", byC, controllerA, facts{since: now}, verdictHeld, inAMinute},
		{"a scanner waits for a scanner, whatever exists", byC, scannerD, facts{since: now, bidUID: "uid-b"}, verdictHeld, inAMinute},
		{"a scanner that was watched for its whole duration", byC, scannerD, facts{since: long}, verdictTake, never},

		{"a competitor, not yet watched long enough", byPod, controllerA, facts{since: short, bidUID: "uid-b"}, verdictHeld, minuteAfterShort},
		{"a competitor, watched for its whole duration", byPod, controllerA, facts{since: long}, verdictTake, never},
		{"no duration is not an expired one", noDuration, controllerA, facts{since: long}, verdictHeld, long.Add(defaultTTL)},

		{"a living controller", byB, controllerA, facts{since: long, heartbeat: alive}, verdictHeld, now.Add(1)},
		{"a silent controller must be read live", byB, controllerA, facts{since: now, heartbeat: over}, verdictConfirm, now},
		{"a controller found dead", byB, controllerA, facts{since: now, heartbeat: dead}, verdictTake, never},
		{"a heartbeat that cannot be read: the Lease's own duration", byB, controllerA, facts{since: short}, verdictHeld, minuteAfterShort},
		{"and when that is over", byB, controllerA, facts{since: long}, verdictTake, never},
		{"no heartbeat named", heldBy(controllerB.String(), ""), controllerA, facts{since: short, heartbeat: dead},
			verdictHeld, minuteAfterShort},
		{
			"a competitor that left the heartbeat of its predecessor in place is not as dead as that",
			heldBy("pod_1", heartbeatOfB), controllerA, facts{since: short, heartbeat: dead}, verdictHeld, minuteAfterShort,
		},
		{
			"nor is a controller that did",
			heldBy(Identity{RoleController, "b", "9"}.String(), heartbeatOfB), controllerA,
			facts{since: short, heartbeat: dead}, verdictHeld, minuteAfterShort,
		},

		{"a scanner goes by the Lease's duration first", byB, scannerC, facts{since: short, heartbeat: dead}, verdictHeld, minuteAfterShort},
		{"then it looks at the heartbeat", byB, scannerC, facts{since: long, heartbeat: over}, verdictConfirm, now},
		{"and respects it", byB, scannerC, facts{since: long, heartbeat: alive}, verdictHeld, now.Add(1)},
		{"unless it may not read it", byB, scannerC, facts{since: long}, verdictTake, never},

		{"a cooldown", tombstoned(lostBid), controllerA, facts{wall: lostBid.CooldownUntil.Add(-1)}, verdictCooldown, lostBid.CooldownUntil},
		{
			"a tombstone that this process took for its own Bid is no hold for the next Bid",
			ended(heldBy(controllerA.String(), ""), lostBid), controllerA,
			facts{wall: lostBid.EndedAt, bidUID: "another"}, verdictCooldown, lostBid.CooldownUntil,
		},
		{
			"but it is for what is still owed to its own",
			ended(heldBy(controllerA.String(), ""), lostBid), controllerA,
			facts{wall: lostBid.EndedAt, bidUID: lostBid.BidUID, ignoreCooldown: true}, verdictOwn, never,
		},
		{
			"a cooldown, for scanners too", tombstoned(lostBid), scannerC, facts{wall: lostBid.CooldownUntil.Add(-1)},
			verdictCooldown, lostBid.CooldownUntil,
		},
		{
			"a Bid's own tombstone is final for it, however long ago it was written",
			tombstoned(lostBid), controllerA,
			facts{wall: lostBid.CooldownUntil.Add(time.Hour), bidUID: lostBid.BidUID}, verdictCooldown, lostBid.CooldownUntil,
		},
		{
			"but not for the next Bid", tombstoned(lostBid), controllerA,
			facts{wall: lostBid.CooldownUntil, bidUID: "another"}, verdictTake, never,
		},
		{"the cooldown is over", tombstoned(lostBid), controllerA, facts{wall: lostBid.CooldownUntil}, verdictTake, never},
		{
			"a tombstone is final for its own Bid, which a caller saw in an old version",
			tombstoned(lostBid), controllerA, facts{wall: lostBid.CooldownUntil, bidUID: lostBid.BidUID}, verdictCooldown, lostBid.CooldownUntil,
		},
		{
			"and not for the next",
			tombstoned(lostBid), controllerA, facts{wall: lostBid.CooldownUntil, bidUID: "uid-b"}, verdictTake, never,
		},
		{
			"but what is live of it must be taken back",
			tombstoned(lostBid), controllerA, facts{wall: lostBid.CooldownUntil, bidUID: lostBid.BidUID, ignoreCooldown: true}, verdictTake, never,
		},
		{
			"a late bid must be taken back although it cools down",
			tombstoned(lostBid), controllerA, facts{wall: lostBid.EndedAt, ignoreCooldown: true}, verdictTake, never,
		},
		{
			"a scanner on a tombstone is in no way, but the cooldown is",
			ended(byC, lostBid), controllerA, facts{wall: lostBid.EndedAt, bidUID: "uid-b"}, verdictCooldown, lostBid.CooldownUntil,
		},
	} {
		got, until := decide(c.lease, c.me, c.facts, now)
		g := NewWithT(t)
		g.Expect(got).To(Equal(c.want), c.why)
		g.Expect(until).To(BeTemporally("==", c.until), c.why)
	}
}

// The wall clocks inside a Lease are of other hosts: whatever they say, the verdict is the same.
func TestDecideReadsNoWallClockOfOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		holder := rapid.SampledFrom([]string{"pod_1", controllerB.String(), scannerC.String()}).Draw(t, "holder")
		lease := heldBy(holder, "onebid-system/"+controllerB.heartbeatName())
		facts := facts{
			since: epochStart.Add(-time.Duration(rapid.Int64Range(0, 120).Draw(t, "watched")) * time.Second),
			heartbeat: heartbeatState{
				readable: rapid.Bool().Draw(t, "readable"), dead: rapid.Bool().Draw(t, "dead"),
				until: epochStart.Add(time.Duration(rapid.Int64Range(-9, 9).Draw(t, "until")) * time.Second),
			},
			bidUID: types.UID(rapid.SampledFrom([]string{"", "uid-b"}).Draw(t, "bid")),
		}
		want, until := decide(lease, controllerA, facts, epochStart)
		skewed := lease.DeepCopy()
		skew := time.Duration(rapid.Int64Range(-1e9, 1e9).Draw(t, "skew")) * time.Millisecond
		skewed.Spec.RenewTime = ptr.To(metav1.NewMicroTime(epochStart.Add(skew)))
		skewed.Spec.AcquireTime = skewed.Spec.RenewTime
		got, untilSkewed := decide(skewed, controllerA, facts, epochStart)
		g := NewWithT(t)
		g.Expect(got).To(Equal(want))
		g.Expect(untilSkewed).To(Equal(until))
	})
}
