package integration_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/ownership"
)

// elector is a competitor in client-go's own manner, as a scanner in another project would be.
type elector struct {
	leading chan struct{}
	stop    context.CancelFunc
	ended   chan struct{}
}

func startElector(t *testing.T, p *process, namespace, id string) *elector {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	e := &elector{leading: make(chan struct{}), stop: cancel, ended: make(chan struct{})}
	config := leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Namespace: namespace, Name: "bid-lock.freelancer." + id},
			Client:     p.leases,
			LockConfig: resourcelock.ResourceLockConfig{Identity: "pod-x_" + p.me.ID},
		},
		LeaseDuration: 2 * time.Second, RenewDeadline: time.Second, RetryPeriod: 100 * time.Millisecond,
		ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) { close(e.leading) }, OnStoppedLeading: func() {},
		},
	}
	le, err := leaderelection.NewLeaderElector(config)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	go func() {
		defer close(e.ended)
		le.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-e.ended })
	return e
}

func TestLeaderElectorHoldsAgainstUs(t *testing.T) {
	noLeaks(t)
	g := NewWithT(t)
	ns := env.Namespace(t)
	s, a := scanner(t, clock.RealClock{}), replica(t, ns, clock.RealClock{})
	e := startElector(t, scanner(t, clock.RealClock{}), ns, "1")
	<-e.leading
	_, err := s.Acquire(t.Context(), posting(ns, "1"))
	g.Expect(isHeld(err)).To(BeTrue(), "%v", err)
	_, err = a.Acquire(t.Context(), bid(ns, "1", "uid", 1))
	g.Expect(isHeld(err)).To(BeTrue(), "%v", err)

	// It renews, so it is not taken for expired however long we watch: longer than its duration here.
	_, err = s.AcquireWait(t.Context(), posting(ns, "1"), 2500*time.Millisecond)
	g.Expect(isHeld(err)).To(BeTrue(), "%v", err)

	won := make(chan error, 1)
	go func() {
		_, err := s.AcquireWait(t.Context(), posting(ns, "1"), time.Minute)
		won <- err
	}()
	e.stop()
	g.Eventually(won, "10s").Should(Receive(BeNil()), "it released, and the watch said so")
}

func TestLeaderElectorWaitsForUs(t *testing.T) {
	noLeaks(t)
	g := NewWithT(t)
	ns := env.Namespace(t)
	fake := clocktesting.NewFakeClock(time.Now())
	a := replica(t, ns, fake)
	req := bid(ns, "1", "uid", 1)
	req.TTL = 3 * time.Second
	claim, err := a.Acquire(t.Context(), req)
	g.Expect(err).NotTo(HaveOccurred())
	written := time.Now()
	e := startElector(t, scanner(t, clock.RealClock{}), ns, "1")
	g.Eventually(e.leading, "20s", "5ms").Should(BeClosed())
	g.Expect(time.Since(written)).To(BeNumerically(">", 2*time.Second), "it watched our Lease for its duration")

	// It knows nothing of intents, and left them in place; we have lost the posting and know it at the next look.
	taken := lease(t, a, ns, "1")
	g.Expect(taken.Annotations).To(HaveKey(onebidv1.AnnotationIntent))
	a.pass(t, fake, 3*time.Second)
	_, lapsed := a.Authorize(claim, time.Second).(*ownership.LapsedError) //nolint:errorlint // Not wrapped.
	g.Expect(lapsed).To(BeTrue(), "the Lease's own duration bounds us too")
	g.Expect(a.Assert(t.Context(), claim)).To(MatchError(ownership.ErrLost))

	// When it has released, what is unresolved is still there.
	e.stop()
	<-e.ended
	again, err := a.Acquire(t.Context(), bid(ns, "1", "uid-2", 1))
	g.Expect(err).NotTo(HaveOccurred())
	prior, found := again.Prior.Of("uid")
	g.Expect(found).To(BeTrue())
	g.Expect(prior.Attempt).To(BeEquivalentTo(1))
}
