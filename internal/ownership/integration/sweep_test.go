package integration_test

import (
	"context"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/onebid-dev/onebid/internal/ownership"
)

// A sweeper deletes the Lease of a scanner that died, once it has seen it unchanged for long enough, and not one that its
// scanner renews between the sweeper's look and its delete.
func TestSweepOfWhatScannersLeft(t *testing.T) {
	noLeaks(t)
	g := NewWithT(t)
	ns := env.Namespace(t)
	s := scanner(t, clock.RealClock{})
	dead, err := s.Acquire(t.Context(), posting(ns, "dead"))
	g.Expect(err).NotTo(HaveOccurred())
	late, err := s.Acquire(t.Context(), posting(ns, "late"))
	g.Expect(err).NotTo(HaveOccurred())

	clk, sweeps := clocktesting.NewFakeClock(time.Now()), 0
	sweeper := &ownership.Sweeper{
		Leases: s.leases, Clock: clk, Wall: clk, Log: logr.Discard(), Interval: 10 * time.Minute,
		Pause: time.Second, Owns: func(string) bool { return true },
		List: func(ctx context.Context) ([]*coordinationv1.Lease, error) {
			var listed []*coordinationv1.Lease
			for _, claim := range []*ownership.Claim{late, dead} {
				found, err := s.Get(ctx, ns, claim.Name)
				if err != nil {
					return nil, err
				}
				listed = append(listed, found)
			}
			sweeps++
			if sweeps < 2 {
				return listed, nil
			}
			return listed, s.Renew(ctx, late)
		},
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- sweeper.Start(ctx) }()
	for range 2 {
		g.Expect(lease(t, s, ns, "dead").UID).NotTo(BeEmpty(), "it was seen for no time yet")
		g.Eventually(clk.HasWaiters, "10s", "1ms").Should(BeTrue())
		clk.Step(sweeper.Interval)
	}
	g.Eventually(func() bool {
		clk.Step(sweeper.Pause)
		_, err := s.Get(t.Context(), ns, dead.Name)
		return apierrors.IsNotFound(err)
	}, "10s", "5ms").Should(BeTrue())
	g.Expect(lease(t, s, ns, "late").Spec.RenewTime).NotTo(BeNil())
	stop()
	g.Expect(<-ended).To(Succeed())
	g.Expect(s.Release(t.Context(), late)).To(Succeed(), "its scanner still has it")
}

// Old tombstones are deleted in the version listed: one that was taken since stays.
func TestSweepOfTombstones(t *testing.T) {
	noLeaks(t)
	g := NewWithT(t)
	ns := env.Namespace(t)
	a := replica(t, ns, clock.RealClock{})
	old := ownership.Tombstone{EndedAt: time.Now().Add(-48 * time.Hour), CooldownUntil: time.Now().Add(-47 * time.Hour)}
	for _, id := range []string{"1", "2"} {
		claim, err := a.Acquire(t.Context(), bid(ns, id, "uid", 1))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(a.WriteTombstone(t.Context(), claim, old)).To(Succeed())
	}
	listed := []*coordinationv1.Lease{lease(t, a, ns, "2"), lease(t, a, ns, "1")}
	_, err := a.Acquire(t.Context(), bid(ns, "2", "uid-2", 1))
	g.Expect(err).NotTo(HaveOccurred())
	clk := clocktesting.NewFakeClock(time.Now())
	sweeper := &ownership.Sweeper{
		Leases: a.leases, Clock: clk, Wall: clk, Log: logr.Discard(), Interval: time.Minute, Retention: 24 * time.Hour,
		Owns: func(string) bool { return true },
		List: func(context.Context) ([]*coordinationv1.Lease, error) { return listed, nil },
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- sweeper.Start(ctx) }()
	g.Eventually(func() bool {
		clk.Step(sweeper.Interval)
		_, err := a.Get(t.Context(), ns, listed[1].Name)
		return apierrors.IsNotFound(err)
	}, "10s", "5ms").Should(BeTrue())
	stop()
	g.Expect(<-ended).To(Succeed())
	g.Expect(ownership.HolderOf(lease(t, a, ns, "2"))).To(Equal(a.me.String()), "taken since it was listed")
}
