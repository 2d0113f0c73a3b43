package account_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"k8s.io/apimachinery/pkg/types"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/account"
)

// TestTheHighestPriorityGoesFirst lets many wait for one request slot each, and sees in which order they get it.
func TestTheHighestPriorityGoesFirst(t *testing.T) {
	g := NewWithT(t)
	clock := newClock()
	conn := connect(clock, 1, shop(func(m *onebidv1.Marketplace) { m.Spec.RateLimit = &onebidv1.RateLimit{RequestsPerSecond: 1} }))
	g.Expect(conn.Limiter().Wait(t.Context(), account.Priority{})).To(Succeed())

	background := account.Priority{Class: account.PriorityBackground}
	calls := []struct {
		name     string
		priority account.Priority
	}{
		{"first there", background},
		{"poll", background},
		{"open end", account.Priority{}},
		{"closes late", account.Priority{Deadline: epoch.Add(2 * time.Hour)}},
		{"open end too", account.Priority{}},
		{"closes soon", account.Priority{Deadline: epoch.Add(time.Hour)}},
		{"withdrawal", withdrawal},
	}
	order := make(chan string, len(calls))
	for i, waiting := range calls {
		go func() {
			if conn.Limiter().Wait(context.Background(), waiting.priority) == nil {
				order <- waiting.name
			}
		}()
		g.Eventually(conn.Limiter().Waiting).Should(Equal(i + 1))
	}
	for _, want := range []string{"first there", "withdrawal", "closes soon", "closes late", "open end", "open end too", "poll"} {
		g.Eventually(clock.HasWaiters).Should(BeTrue())
		clock.Step(time.Second)
		g.Eventually(order).Should(Receive(Equal(want)))
	}
	g.Expect(conn.Limiter().Waiting()).To(BeZero())
}

// TestAListLetsBidsGoFirst: it only learns something, however long it is.
func TestAListLetsBidsGoFirst(t *testing.T) {
	g := NewWithT(t)
	clock := newClock()
	r := account.NewRegistry(account.Options{Clock: clock})
	conn := r.Connect(shop(func(m *onebidv1.Marketplace) {
		m.Spec.RateLimit = &onebidv1.RateLimit{RequestsPerSecond: 1}
	}), &fakeDriver{}, time.Minute)
	g.Expect(conn.Limiter().Wait(t.Context(), account.Priority{})).To(Succeed())
	order := make(chan string, 3)
	for i, waiting := range []struct {
		name string
		wait func() error
	}{
		{"first there", func() error { return conn.Limiter().Wait(context.Background(), account.Priority{}) }},
		{"list", func() error {
			_, err := conn.List(context.Background())
			return err
		}},
		{"bid", func() error { return conn.Limiter().Wait(context.Background(), account.Priority{}) }},
	} {
		go func() {
			if waiting.wait() == nil {
				order <- waiting.name
			}
		}()
		g.Eventually(conn.Limiter().Waiting).Should(Equal(i + 1))
	}
	for _, want := range []string{"first there", "bid", "list"} {
		g.Eventually(func() string {
			clock.Step(time.Second)
			select {
			case name := <-order:
				return name
			default:
				return ""
			}
		}).Should(Equal(want))
	}
}

var errWaiting = errors.New("it waits")

func TestACallThatWouldBeTooLateDoesNotQueue(t *testing.T) {
	g := NewWithT(t)
	clock := newClock()
	conn := connect(clock, 1, shop(func(m *onebidv1.Marketplace) { m.Spec.RateLimit = &onebidv1.RateLimit{RequestsPerSecond: 1} }))
	g.Expect(conn.Limiter().Wait(t.Context(), account.Priority{})).To(Succeed())
	ctx, cancel := context.WithCancel(t.Context())
	for range 90 {
		go func() { _ = conn.Limiter().Wait(ctx, account.Priority{}) }()
	}
	g.Eventually(conn.Limiter().Waiting).Should(Equal(90))
	soon, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	err := conn.Limiter().Wait(soon, account.Priority{})
	g.Expect(account.Unsent(err)).To(BeTrue())
	g.Expect(marketplace.RetryAfter(err)).To(BeNumerically("~", 90*time.Second, 2*time.Second))

	done := make(chan error, 1)
	go func() { done <- conn.Limiter().Wait(soon, withdrawal) }()
	g.Eventually(func() error {
		clock.Step(time.Second)
		select {
		case err := <-done:
			return err
		default:
			return errWaiting
		}
	}).Should(Succeed(), "only those count who go before it")
	g.Expect(conn.Limiter().Waiting()).To(BeNumerically(">", 0), "it did not wait for all of them")
	cancel()
	g.Eventually(conn.Limiter().Waiting).Should(BeZero())
}

func TestALimitThatIsUsedUpPausesTheAccount(t *testing.T) {
	g := NewWithT(t)
	clock := newClock()
	driver := &fakeDriver{headers: http.Header{"Ratelimit": {`"default";r=1;t=30`}, "Ratelimit-Limit": {"5"}}}
	r := account.NewRegistry(account.Options{Clock: clock})
	var changed []types.NamespacedName
	r.SubscribeHealth(func(key types.NamespacedName) { changed = append(changed, key) })
	conn := r.Connect(shop(patient), driver, time.Minute)
	g.Expect(read(t.Context(), conn)).To(Succeed())
	g.Expect(conn.Denied(account.Priority{})).To(BeZero())
	g.Expect(conn.Limiter().Health().Reported.Remaining).To(Equal(int64(1)))
	g.Expect(read(t.Context(), conn)).To(Succeed())
	g.Expect(changed).To(HaveLen(1), "that there was an answer at all; not every number is a change")

	driver.headers.Set("RateLimit", `"default";r=0;t=30`)
	g.Expect(read(t.Context(), conn)).To(Succeed())
	g.Expect(conn.Denied(account.Priority{})).To(Equal(account.Denial{Until: epoch.Add(30 * time.Second), Reason: "AccountPaused"}))
	g.Expect(changed).To(Equal([]types.NamespacedName{key, key}))
	clock.Step(30 * time.Second)
	g.Expect(conn.Denied(account.Priority{})).To(BeZero())

	driver.headers = http.Header{"X-Ratelimit-Remaining": {"0"}}
	g.Expect(read(t.Context(), conn)).To(Succeed())
	g.Expect(conn.Limiter().Health().PausedUntil).To(Equal(clock.Now().Add(time.Second)), "it does not say until when")
}

func TestTheLimiterOutlivesConnections(t *testing.T) {
	g := NewWithT(t)
	clock, driver := newClock(), &fakeDriver{}
	r := account.NewRegistry(account.Options{Clock: clock})
	opened := r.Open(shop(patient), driver, time.Minute)
	driver.fail("account", failure(onebidv1.ErrorRateLimited, time.Hour))
	_, err := opened.Identify(t.Context())
	g.Expect(err).To(HaveOccurred())
	_, ok := r.Get(key)
	g.Expect(ok).To(BeFalse(), "it is opened, and not set")
	conn := r.Set(opened)
	g.Expect(conn.Limiter().Health().PausedUntil).To(Equal(epoch.Add(time.Hour)), "what was observed before it was set counts")
	health, ok := r.Health(key)
	g.Expect(ok).To(BeTrue())
	g.Expect(health.PauseReason).To(Equal(onebidv1.ReasonRateLimited))
	r.Delete(key)
	g.Expect(driver.closed).To(Equal(1))
	clock.Step(time.Hour)
	_, _, err = r.Set(opened).Listed(t.Context(), marketplace.Ref{})
	g.Expect(err).NotTo(HaveOccurred(), "it can be set again")
	r.Forget(key)
	_, ok = r.Health(key)
	g.Expect(ok).To(BeFalse())
}

func TestMetricsOfPausesAndBreakers(t *testing.T) {
	g := NewWithT(t)
	clock, driver := newClock(), &fakeDriver{}
	r := account.NewRegistry(account.Options{Clock: clock})
	prometheus.NewPedanticRegistry().MustRegister(r)
	conn := r.Connect(shop(patient), driver, time.Minute)
	silent(g, conn, driver, 5)
	conn.Limiter().Pause(epoch.Add(time.Minute), onebidv1.ReasonRateLimited)
	conn.Limiter().Pause(epoch.Add(2*time.Minute), onebidv1.ReasonRateLimited)
	clock.Step(30 * time.Second)
	g.Expect(testutil.CollectAndCompare(r, strings.NewReader(`
# HELP onebid_marketplace_breaker_opened_total How often the circuit breaker opened.
# TYPE onebid_marketplace_breaker_opened_total counter
onebid_marketplace_breaker_opened_total{marketplace="shop",namespace="team"} 1
# HELP onebid_marketplace_breaker_state The account's circuit breaker in this process: 0 closed, 1 half open, 2 open.
# TYPE onebid_marketplace_breaker_state gauge
onebid_marketplace_breaker_state{marketplace="shop",namespace="team"} 2
# HELP onebid_marketplace_pause_remaining_seconds How long this process still makes no calls because the marketplace wants `+
		`none; 0 when it does.
# TYPE onebid_marketplace_pause_remaining_seconds gauge
onebid_marketplace_pause_remaining_seconds{marketplace="shop",namespace="team"} 90
# HELP onebid_marketplace_pauses_total Pauses of the account by reason.
# TYPE onebid_marketplace_pauses_total counter
onebid_marketplace_pauses_total{marketplace="shop",namespace="team",reason="RateLimited"} 1
`))).To(Succeed())
	clock.Step(time.Hour)
	g.Expect(conn.Denied(account.Priority{})).To(BeZero())
	r.Forget(key)
	g.Expect(testutil.CollectAndCount(r)).To(BeZero())
}
