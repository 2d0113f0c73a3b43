package marketplace_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace/account"
	"github.com/onebid-dev/onebid/internal/marketplace/ratelimit"
	"github.com/onebid-dev/onebid/internal/testenv/build"
)

// healthy sets the account's health and reports the change.
func (f *fixture) healthy(health account.Health) {
	f.t.Helper()
	f.site.set(func() { f.site.health = health })
	f.site.changed(types.NamespacedName{Namespace: f.ns, Name: "m"})
}

func wholeSeconds(t time.Time) *metav1.Time {
	at := metav1.NewTime(t.Truncate(time.Second))
	return &at
}

func TestStatusFollowsPausesAndTheBreaker(t *testing.T) {
	f := start(t)
	f.clock.SetTime(time.Now().Truncate(time.Second))
	f.site.set(func() { f.site.health = account.Health{Breaker: onebidv1.BreakerClosed} })
	f.create(build.Marketplace(f.ns, "m", "https://example.com", anonymous))
	f.Eventually(f.condition("Reachable")).Should(Equal("Unknown NotProbed: No call has had a reply yet"))
	f.Expect(f.get().Status.Breaker).To(Equal(&onebidv1.BreakerStatus{State: onebidv1.BreakerClosed}))
	f.Expect(f.get().Status.RateLimit).To(BeNil())
	f.clock.Step(6 * time.Second)

	closed := account.Health{Breaker: onebidv1.BreakerClosed, Answered: true}
	f.healthy(closed)
	f.Eventually(f.condition("Reachable")).Should(Equal("True Answering: The marketplace answers"))
	f.clock.Step(6 * time.Second)

	now := f.clock.Now()
	open := account.Health{
		Breaker: onebidv1.BreakerOpen, Since: now, NextProbe: now.Add(time.Hour), Failures: 5, Answered: true,
	}
	f.healthy(open)
	f.Eventually(f.condition("Reachable")).Should(HavePrefix("False CircuitOpen: Too many calls in a row got no reply"))
	f.Expect(f.get().Status.Breaker).To(Equal(&onebidv1.BreakerStatus{
		State: onebidv1.BreakerOpen, Since: wholeSeconds(now), NextProbe: wholeSeconds(now.Add(time.Hour)), Failures: 5,
	}))
	f.Expect(f.condition("Ready")()).To(Equal(readyText), "it is as configured as it was")

	writes := f.writes()
	for i := range 20 { // a marketplace that comes and goes all the time
		open.Failures = 6 + i
		f.healthy(open)
	}
	// The controller looks again after each write of its own, which may be as late as this.
	f.Consistently(func() int { return f.writes().Since(writes).Total() }, 200*time.Millisecond).Should(BeNumerically("<", 5),
		"not more often than every few seconds")
	f.clock.Step(6 * time.Second)
	f.Eventually(func() int32 { return f.get().Status.Breaker.Failures }).Should(Equal(int32(25)))
	f.clock.Step(6 * time.Second)

	limit := ratelimit.State{Limit: 60}
	f.healthy(account.Health{
		Breaker: onebidv1.BreakerClosed, Since: now, Answered: true, Reported: &limit,
		PausedUntil: f.clock.Now().Add(90 * time.Second), PauseReason: onebidv1.ReasonRateLimited,
	})
	f.Eventually(f.condition("Reachable")).Should(HavePrefix("False RateLimited: No calls are made until"))
	f.Expect(f.get().Status.RateLimit).To(Equal(&onebidv1.RateLimitStatus{
		Limit: new(int64(60)), Remaining: new(int64(0)), Reason: onebidv1.ReasonRateLimited,
		PausedUntil: wholeSeconds(f.clock.Now().Add(90 * time.Second)),
	}))
	f.Eventually(func() string { // whatever is put into the queue after one step is due at the next
		f.clock.Step(90 * time.Second)
		return f.condition("Reachable")()
	}).Should(Equal("True Answering: The marketplace answers"), "when it is over, without an event")
	f.Expect(f.get().Status.RateLimit.PausedUntil).To(BeNil())

	f.clock.Step(6 * time.Second)
	f.healthy(account.Health{
		Breaker: onebidv1.BreakerClosed, Since: now, Answered: true, Reported: &limit, QuotaUntil: f.clock.Now().Add(90 * time.Second),
	})
	f.Eventually(f.condition("Reachable")).Should(HavePrefix(
		"True Answering: The marketplace answers, but the account's quota of bids is used up"))
	f.Expect(f.get().Status.RateLimit.Reason).To(Equal(onebidv1.ReasonQuotaExhausted))
	f.Expect(f.get().Status.RateLimit.PausedUntil).To(Equal(wholeSeconds(f.clock.Now().Add(90 * time.Second))))
	f.Eventually(f.clock.HasWaiters).Should(BeTrue())
	f.clock.Step(90 * time.Second)
	f.Eventually(f.condition("Reachable")).Should(Equal("True Answering: The marketplace answers"))

	f.clock.Step(6 * time.Second)
	writes = f.writes()
	few := ratelimit.State{Limit: 60, Remaining: 3}
	f.healthy(account.Health{Breaker: onebidv1.BreakerClosed, Since: now, Answered: true, Reported: &few})
	f.Consistently(f.writes, 200*time.Millisecond).Should(Equal(writes), "no write for the sake of a number that changes with every call")

	f.clock.Step(6 * time.Second)
	f.healthy(account.Health{Breaker: onebidv1.BreakerClosed})
	f.Consistently(f.writes, 200*time.Millisecond).Should(Equal(writes), "a process that begins anew has nothing to add")
}

// TestTheAccountIsAskedWithinItsPace lets the real registry pause the account.
func TestTheAccountIsAskedWithinItsPace(t *testing.T) {
	f := start(t)
	registry := account.NewRegistry(account.Options{Clock: f.clock})
	m := build.Marketplace(f.ns, "m", "https://example.com", anonymous)
	f.site.set(func() { f.site.registry, f.site.down = registry, true })
	f.create(m)
	f.Eventually(f.asked).Should(Equal(1))
	f.Eventually(func() int {
		health, _ := registry.Health(types.NamespacedName{Namespace: f.ns, Name: "m"})
		return health.Failures
	}).Should(Equal(1), "the request for the account counts like any other call")
}
