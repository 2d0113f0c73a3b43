package account_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	clocktesting "k8s.io/utils/clock/testing"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/account"
)

// later runs a wait that must not return by itself, and gives its result.
func later(ctx context.Context, l *account.Limiter) <-chan error {
	done := make(chan error, 1)
	go func() { done <- l.Wait(ctx, account.Priority{}) }()
	return done
}

func connect(c *clocktesting.FakeClock, replicas int, m *onebidv1.Marketplace) *account.Account {
	r := account.NewRegistry(account.Options{Clock: c, Replicas: func() int { return replicas }})
	return r.Connect(m, &fakeDriver{}, time.Minute)
}

func TestLimiterSharesTheRateAmongReplicas(t *testing.T) {
	for _, c := range []struct {
		replicas, burst int
		step            time.Duration
		why             string
	}{
		{1, 2, 100 * time.Millisecond, "alone: ten a second, two at once"},
		{2, 1, 200 * time.Millisecond, "half of each"},
		{5, 1, 500 * time.Millisecond, "never less than one at once, or nobody could call"},
		{0, 2, 100 * time.Millisecond, "nobody counted yet: this process exists"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			clock := newClock()
			conn := connect(clock, c.replicas, shop(nil))
			for range c.burst {
				g.Expect(conn.Limiter().Wait(t.Context(), account.Priority{})).To(Succeed())
			}
			next := later(t.Context(), conn.Limiter())
			g.Eventually(clock.HasWaiters).Should(BeTrue())
			clock.Step(c.step - time.Millisecond)
			g.Consistently(next, 20*time.Millisecond).ShouldNot(Receive())
			clock.Step(2 * time.Millisecond)
			g.Eventually(next).Should(Receive(BeNil()))
		})
	}
}

func TestLimiterWithoutALimitNeverWaits(t *testing.T) {
	g := NewWithT(t)
	conn := connect(newClock(), 3, shop(func(m *onebidv1.Marketplace) { m.Spec.RateLimit = nil }))
	for range 1000 {
		g.Expect(conn.Limiter().Wait(t.Context(), account.Priority{})).To(Succeed())
	}
}

func TestPauseHoldsEveryCall(t *testing.T) {
	g := NewWithT(t)
	clock := newClock()
	conn := connect(clock, 1, shop(nil))
	conn.Limiter().Pause(epoch.Add(30*time.Second), "RateLimited")
	conn.Limiter().Pause(epoch.Add(10*time.Second), "RateLimited")
	g.Expect(conn.Limiter().Health().PausedUntil).To(Equal(epoch.Add(30*time.Second)), "a shorter one changes nothing")

	held := later(t.Context(), conn.Limiter())
	g.Eventually(clock.HasWaiters).Should(BeTrue())
	conn.Limiter().Pause(epoch.Add(50*time.Second), "RateLimited")
	clock.Step(31 * time.Second)
	g.Eventually(clock.HasWaiters).Should(BeTrue())
	g.Consistently(held, 20*time.Millisecond).ShouldNot(Receive(), "it was made longer")
	clock.Step(20 * time.Second)
	g.Eventually(held).Should(Receive(BeNil()))
}

func TestWaitSaysAtOnceWhenTheTurnComesTooLate(t *testing.T) {
	g := NewWithT(t)
	conn := connect(newClock(), 1, shop(nil))
	conn.Limiter().Pause(epoch.Add(time.Hour), "RateLimited")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := conn.Limiter().Wait(ctx, account.Priority{})
	g.Expect(marketplace.ClassOf(err)).To(Equal(onebidv1.ErrorTransient), "nothing was sent, and the marketplace said nothing")
	g.Expect(marketplace.RetryAfter(err)).To(Equal(time.Hour))
}

func TestWaitGivesItsTurnBack(t *testing.T) {
	g := NewWithT(t)
	clock := newClock()
	conn := connect(clock, 1, shop(nil))
	for range 2 {
		g.Expect(conn.Limiter().Wait(t.Context(), account.Priority{})).To(Succeed())
	}
	ctx, cancel := context.WithCancel(t.Context())
	gone := later(ctx, conn.Limiter())
	g.Eventually(clock.HasWaiters).Should(BeTrue())
	cancel()
	g.Eventually(gone).Should(Receive(MatchError(context.Canceled)))
	clock.Step(100 * time.Millisecond)
	g.Expect(conn.Limiter().Wait(t.Context(), account.Priority{})).To(Succeed(), "whoever gave up must not hold the others up")
}

func TestReadsWaitForTheRateLimitAndWritesDoNot(t *testing.T) {
	g := NewWithT(t)
	clock := newClock()
	r := account.NewRegistry(account.Options{Clock: clock})
	driver := &fakeDriver{pages: 3, bids: liveBids(1)}
	conn := r.Connect(shop(nil), driver, time.Minute)
	for range 20 {
		_, err := conn.Place(t.Context(), account.Priority{}, marketplace.PlaceRequest{})
		g.Expect(err).NotTo(HaveOccurred())
	}
	done := make(chan error, 1)
	go func() {
		_, err := conn.List(t.Context())
		done <- err
	}()
	g.Eventually(clock.HasWaiters).Should(BeTrue(), "the third page is one more than the burst")
	clock.Step(100 * time.Millisecond)
	g.Eventually(done).Should(Receive(BeNil()))
}

func TestAnAnswerOfTooManyPausesTheAccount(t *testing.T) {
	for operation, do := range map[string]func(*account.Account) error{
		"place":    func(a *account.Account) error { return place(t.Context(), a) },
		"withdraw": func(a *account.Account) error { return withdraw(t.Context(), a) },
		"get":      func(a *account.Account) error { return read(t.Context(), a) },
		"lookup":   func(a *account.Account) error { return find(t.Context(), a) },
		"list": func(a *account.Account) error {
			_, err := a.List(t.Context())
			return err
		},
		"account": func(a *account.Account) error {
			_, err := a.Identify(t.Context())
			return err
		},
	} {
		t.Run(operation, func(t *testing.T) {
			g := NewWithT(t)
			r := account.NewRegistry(account.Options{Clock: newClock()})
			driver := &fakeDriver{}
			conn := r.Connect(shop(nil), driver, time.Minute)
			driver.fail(operation, failure(onebidv1.ErrorTransient, time.Hour))
			g.Expect(do(conn)).NotTo(Succeed())
			g.Expect(conn.Limiter().Health().PausedUntil).To(BeZero(), "that is about one call")
			driver.fail(operation, failure(onebidv1.ErrorRateLimited, 42*time.Second))
			g.Expect(do(conn)).NotTo(Succeed())
			g.Expect(conn.Limiter().Health().PausedUntil).To(Equal(epoch.Add(42 * time.Second)))
		})
	}
}

func TestAPauseReachesThoseWhoQueueAlready(t *testing.T) {
	g := NewWithT(t)
	clock := newClock()
	conn := connect(clock, 1, shop(nil))
	for range 2 {
		g.Expect(conn.Limiter().Wait(t.Context(), account.Priority{})).To(Succeed())
	}
	queued := later(t.Context(), conn.Limiter())
	g.Eventually(clock.HasWaiters).Should(BeTrue())
	conn.Limiter().Pause(epoch.Add(time.Minute), "RateLimited")
	clock.Step(200 * time.Millisecond)
	g.Consistently(queued, 20*time.Millisecond).ShouldNot(Receive())
	g.Eventually(clock.HasWaiters).Should(BeTrue())
	clock.Step(time.Minute)
	g.Eventually(queued).Should(Receive(BeNil()))
}
