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
	go func() { ended <- sweeper.Run(ctx) }()
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
