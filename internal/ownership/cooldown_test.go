package ownership

import (
	"errors"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	clocktesting "k8s.io/utils/clock/testing"
)

func TestTombstoneForbidsUntilItsTime(t *testing.T) {
	w := newWorld(t)
	a, s := w.replica("a"), w.scanner("s")
	w.api.Edit(namespace+"/"+leaseName, func(l *coordinationv1.Lease) {
		*l = *ended(l, lostBid)
		l.Namespace, l.Name = namespace, leaseName
	})
	for _, c := range []*Client{a.Client, s} {
		_, err := c.Acquire(t.Context(), request("uid-b", nil))
		cooling, ok := errors.AsType[*CooldownError](err)
		w.Expect(ok).To(BeTrue())
		w.Expect(*cooling).To(Equal(CooldownError{Until: lostBid.CooldownUntil, Outcome: lostBid.Outcome, BidUID: lostBid.BidUID}))
		w.Expect(cooling).To(MatchError(ContainSubstring("cools down until 2026-11-23T12:05:00Z: Bid uid-a ended as Lost")))
	}

	w.clock.SetTime(lostBid.CooldownUntil)
	w.renew(a)
	_, err := a.Acquire(t.Context(), request(lostBid.BidUID, nil))
	_, ok := errors.AsType[*CooldownError](err)
	w.Expect(ok).To(BeTrue(), "the Bid that ended never comes back")
	w.clock.SetTime(epochStart)
	w.renew(a)

	// Taking back a late bid is owed at any time, and leaves the tombstone as it is.
	late := request("uid-x", nil)
	late.IgnoreCooldown = true
	claim, err := a.Acquire(t.Context(), late)
	w.Expect(err).NotTo(HaveOccurred())
	still, ok := tombstoneOf(w.lease())
	w.Expect(ok).To(BeTrue())
	w.Expect(still).To(Equal(lostBid))
	w.Expect(a.Release(t.Context(), claim)).To(Succeed())

	w.clock.SetTime(lostBid.CooldownUntil)
	w.renew(a)
	scanned, err := s.Acquire(t.Context(), request("", nil))
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(s.Release(t.Context(), scanned)).To(Succeed())
	_, ok = tombstoneOf(w.lease())
	w.Expect(ok).To(BeTrue(), "a scanner that came and went must not take the tombstone with it")
	_, err = a.Acquire(t.Context(), late)
	w.Expect(err).NotTo(HaveOccurred())
}

// Cooldowns are of the API server's clock, whatever the host's says.
func TestCooldownIsJudgedByTheServersClock(t *testing.T) {
	w := newWorld(t)
	ahead := w.scanner("s")
	wall := clocktesting.NewFakePassiveClock(epochStart)
	WithWallClock(wall)(ahead)
	w.api.Edit(namespace+"/"+leaseName, func(l *coordinationv1.Lease) { *l = *ended(l, lostBid) })
	w.clock.Step(24 * time.Hour)
	_, err := ahead.Acquire(t.Context(), request("", nil))
	_, ok := errors.AsType[*CooldownError](err)
	w.Expect(ok).To(BeTrue())
	w.Expect(NewClient(w.api, scannerC, nil, w.clock, ahead.log, WithWallClock(wall)).wall).To(BeIdenticalTo(wall))
}
