package ownership

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"pgregory.net/rapid"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

var lostBid = Tombstone{
	EndedAt: epochStart, CooldownUntil: epochStart.Add(5 * time.Minute), Outcome: onebidv1.StateLost, BidUID: "uid-a",
}

func tombstoned(t Tombstone) *coordinationv1.Lease {
	return withTombstone(&coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: leaseName}}, t, t.EndedAt)
}

func TestTombstoneRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := NewWithT(t)
		s := lostBid
		s.EndedAt = s.EndedAt.Add(time.Duration(rapid.Int64Range(-1e18, 1e18).Draw(t, "ended")))
		s.CooldownUntil = s.EndedAt.Add(time.Duration(rapid.Int64Range(0, 1e15).Draw(t, "cooldown")))
		parsed, ok, err := ParseTombstone(s.Format())
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(ok).To(BeTrue())
		g.Expect(parsed).To(Equal(s))
	})
}

func TestTombstoneNone(t *testing.T) {
	_, ok, err := ParseTombstone(map[string]string{onebidv1.AnnotationBidUID: "a"})
	NewWithT(t).Expect(ok, err).To(BeFalse())
}

func TestUnreadableTombstoneStillForbids(t *testing.T) {
	for _, broken := range []string{onebidv1.AnnotationEndedAt, onebidv1.AnnotationCooldownUntil} {
		g := NewWithT(t)
		lease := tombstoned(lostBid)
		lease.Annotations[broken] = "yesterday"
		_, ok, err := ParseTombstone(lease.Annotations)
		g.Expect(err).To(MatchError(ContainSubstring(broken)))
		g.Expect(ok).To(BeTrue())

		read, ok := tombstoneOf(lease)
		g.Expect(ok).To(BeTrue())
		g.Expect(read.CooldownUntil).To(Equal(lease.Spec.RenewTime.Add(time.Hour)))
		lease.Spec.RenewTime, lease.CreationTimestamp = nil, metav1.NewTime(epochStart)
		read, _ = tombstoneOf(lease)
		g.Expect(read.CooldownUntil).To(Equal(epochStart.Add(time.Hour)), "an old hand may have removed renewTime")
	}
}

func TestTombstonesPastTheirTime(t *testing.T) {
	late := epochStart.Add(48 * time.Hour)
	for _, c := range []struct {
		why  string
		edit func(*coordinationv1.Lease)
		now  time.Time
		want bool
	}{
		{"past its time", func(*coordinationv1.Lease) {}, late, true},
		{"the cooldown is over but late arrivals may still come", func(*coordinationv1.Lease) {}, epochStart.Add(time.Hour), false},
		{"a long cooldown outlasts the retention", func(l *coordinationv1.Lease) {
			l.Annotations[onebidv1.AnnotationCooldownUntil] = late.Format(time.RFC3339)
		}, late, false},
		{"another process took it", func(l *coordinationv1.Lease) { l.Spec.HolderIdentity = ptr.To("scanner/a_1") }, late, false},
		{"something is unresolved", func(l *coordinationv1.Lease) { setIntents(l, Intents{*placing("b", 1)}) }, late, false},
		{"a claim and no tombstone", func(l *coordinationv1.Lease) { delete(l.Annotations, onebidv1.AnnotationEndedAt) }, late, false},
	} {
		lease := tombstoned(lostBid)
		c.edit(lease)
		now := clocktesting.NewFakeClock(c.now)
		s := &Sweeper{Clock: now, Wall: now, Retention: 24 * time.Hour}
		unneeded := s.unneeded([]*coordinationv1.Lease{lease})
		if c.want {
			NewWithT(t).Expect(unneeded).To(HaveLen(1), c.why)
		} else {
			NewWithT(t).Expect(unneeded).To(BeEmpty(), c.why)
		}
	}
}

func TestCoolingDown(t *testing.T) {
	g := NewWithT(t)
	before, after := lostBid.CooldownUntil.Add(-1), lostBid.CooldownUntil
	stone, cooling := CoolingDown(tombstoned(lostBid), before)
	g.Expect(cooling).To(BeTrue())
	g.Expect(stone.Outcome).To(Equal(lostBid.Outcome))
	_, cooling = CoolingDown(tombstoned(lostBid), after)
	g.Expect(cooling).To(BeFalse())
	_, cooling = CoolingDown(nil, before)
	g.Expect(cooling).To(BeFalse(), "without a Lease nothing is forbidden")
	held := tombstoned(lostBid)
	held.Spec.HolderIdentity = new("scanner/a_b")
	_, cooling = CoolingDown(held, before)
	g.Expect(cooling).To(BeFalse(), "a holder has looked at it already")
}
