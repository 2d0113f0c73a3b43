package registry_test

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
	"github.com/onebid-dev/onebid/internal/marketplace/registry"
)

// TestTheMostUrgentGoesFirst lets many wait for one turn each, and sees in which order they get it.
func TestTheMostUrgentGoesFirst(t *testing.T) {
	g := NewWithT(t)
	clock := newClock()
	conn := connect(clock, 1, shop(func(m *onebidv1.Marketplace) { m.Spec.RateLimit = &onebidv1.RateLimit{RequestsPerSecond: 1} }))
	g.Expect(conn.Limiter.Wait(t.Context())).To(Succeed())

	turns := []struct {
		name string
		turn registry.Turn
	}{
		{"first there", registry.Turn{Rank: registry.Idle}},
		{"poll", registry.Turn{Rank: registry.Idle}},
		{"open end", registry.Turn{}},
		{"closes late", registry.Turn{By: epoch.Add(2 * time.Hour)}},
		{"open end too", registry.Turn{}},
		{"closes soon", registry.Turn{By: epoch.Add(time.Hour)}},
		{"withdrawal", registry.Turn{Rank: registry.Urgent}},
	}
	order := make(chan string, len(turns))
	for i, waiting := range turns {
		go func() {
			if conn.Limiter.Wait(registry.WithTurn(context.Background(), waiting.turn)) == nil {
				order <- waiting.name
			}
		}()
		g.Eventually(conn.Limiter.Waiting).Should(Equal(i + 1))
	}
	for _, want := range []string{"first there", "withdrawal", "closes soon", "closes late", "open end", "open end too", "poll"} {
		g.Eventually(clock.HasWaiters).Should(BeTrue())
		clock.Step(time.Second)
		g.Eventually(order).Should(Receive(Equal(want)))
	}
	g.Expect(conn.Limiter.Waiting()).To(BeZero())
}

// TestAListOfOutcomesLetsBidsGoFirst: it only learns something, however long it is.
func TestAListOfOutcomesLetsBidsGoFirst(t *testing.T) {
	g := NewWithT(t)
	clock := newClock()
	r := registry.New(registry.Options{Clock: clock})
	conn := r.Connect(shop(func(m *onebidv1.Marketplace) {
		m.Spec.RateLimit = &onebidv1.RateLimit{RequestsPerSecond: 1}
	}), &fakeDriver{}, time.Minute)
	g.Expect(conn.Limiter.Wait(t.Context())).To(Succeed())
	order := make(chan string, 3)
	for i, waiting := range []struct {
		name string
		wait func() error
	}{
		{"first there", func() error { return conn.Limiter.Wait(context.Background()) }},
		{"list", func() error {
			_, err := conn.Outcomes.Snapshot(context.Background())
			return err
		}},
		{"bid", func() error { return conn.Limiter.Wait(context.Background()) }},
	} {
		go func() {
			if waiting.wait() == nil {
				order <- waiting.name
			}
		}()
		g.Eventually(conn.Limiter.Waiting).Should(Equal(i + 1))
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

func TestWhoCannotHaveATurnInTimeDoesNotQueue(t *testing.T) {
	g := NewWithT(t)
	clock := newClock()
	conn := connect(clock, 1, shop(func(m *onebidv1.Marketplace) { m.Spec.RateLimit = &onebidv1.RateLimit{RequestsPerSecond: 1} }))
	g.Expect(conn.Limiter.Wait(t.Context())).To(Succeed())
	ctx, cancel := context.WithCancel(t.Context())
	for range 90 {
		go func() { _ = conn.Limiter.Wait(ctx) }()
	}
	g.Eventually(conn.Limiter.Waiting).Should(Equal(90))
	soon, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	err := conn.Limiter.Wait(soon)
	g.Expect(registry.Unsent(err)).To(BeTrue())
	g.Expect(marketplace.RetryAfter(err)).To(BeNumerically("~", 90*time.Second, 2*time.Second))

	withdrawal := make(chan error, 1)
	go func() { withdrawal <- conn.Limiter.Wait(registry.WithTurn(soon, registry.Turn{Rank: registry.Urgent})) }()
	g.Eventually(func() error {
		clock.Step(time.Second)
		select {
		case err := <-withdrawal:
			return err
		default:
			return errWaiting
		}
	}).Should(Succeed(), "only those count who go before it")
	g.Expect(conn.Limiter.Waiting()).To(BeNumerically(">", 0), "it did not wait for all of them")
	cancel()
	g.Eventually(conn.Limiter.Waiting).Should(BeZero())
}

// talkative tells its rate limit with each look-up.
type talkative struct {
	fakeDriver
	headers http.Header
}

func (d *talkative) Lookup(ctx context.Context, _ string) ([]marketplace.Bid, error) {
	marketplace.Headers(ctx, d.headers)
	return nil, nil
}

func TestALimitThatIsUsedUpPausesTheAccount(t *testing.T) {
	g := NewWithT(t)
	clock := newClock()
	driver := &talkative{headers: http.Header{"Ratelimit": {`"default";r=1;t=30`}, "Ratelimit-Limit": {"5"}}}
	r := registry.New(registry.Options{Clock: clock})
	var told []types.NamespacedName
	r.SubscribeHealth(func(key types.NamespacedName) { told = append(told, key) })
	conn := r.Connect(shop(patient), driver, time.Minute)
	g.Expect(look(t.Context(), conn)).To(Succeed())
	g.Expect(conn.Limiter.Blocked(registry.Normal)).To(BeZero())
	g.Expect(conn.Limiter.Health().Told.Remaining).To(Equal(int64(1)))
	g.Expect(look(t.Context(), conn)).To(Succeed())
	g.Expect(told).To(HaveLen(1), "that there was an answer at all; nobody is told of every number")

	driver.headers.Set("RateLimit", `"default";r=0;t=30`)
	g.Expect(look(t.Context(), conn)).To(Succeed())
	g.Expect(conn.Limiter.Blocked(registry.Normal)).To(Equal(registry.Block{Until: epoch.Add(30 * time.Second), Reason: "RateLimited"}))
	g.Expect(told).To(Equal([]types.NamespacedName{key, key}))
	clock.Step(30 * time.Second)
	g.Expect(conn.Limiter.Blocked(registry.Normal)).To(BeZero())

	driver.headers = http.Header{"X-Ratelimit-Remaining": {"0"}}
	g.Expect(look(t.Context(), conn)).To(Succeed())
	g.Expect(conn.Limiter.Health().PausedUntil).To(Equal(clock.Now().Add(time.Second)), "it does not say until when")
}

func TestADriverIsWrappedOnceAndItsAccountOutlivesIt(t *testing.T) {
	g := NewWithT(t)
	clock, driver := newClock(), &fakeDriver{}
	r := registry.New(registry.Options{Clock: clock})
	wrapped := r.Wrap(shop(patient), driver)
	driver.fail("account", failure(onebidv1.ErrorRateLimited, time.Hour))
	_, err := wrapped.Account(t.Context())
	g.Expect(err).To(HaveOccurred())
	conn := r.Connect(shop(patient), wrapped, time.Minute)
	g.Expect(conn.Limiter.Health().PausedUntil).To(Equal(epoch.Add(time.Hour)), "what was heard before it was connected counts")
	health, ok := r.Health(key)
	g.Expect(ok).To(BeTrue())
	g.Expect(health.PauseReason).To(Equal(onebidv1.ReasonRateLimited))
	r.Delete(key)
	g.Expect(driver.closed).To(Equal(1))
	r.Forget(key)
	_, ok = r.Health(key)
	g.Expect(ok).To(BeFalse())
}

func TestMetricsOfPausesAndBreakers(t *testing.T) {
	g := NewWithT(t)
	clock, driver := newClock(), &fakeDriver{}
	r := registry.New(registry.Options{Clock: clock})
	prometheus.NewPedanticRegistry().MustRegister(r)
	conn := r.Connect(shop(patient), driver, time.Minute)
	silent(g, conn, driver, 5)
	conn.Limiter.Pause(epoch.Add(time.Minute), onebidv1.ReasonRateLimited)
	conn.Limiter.Pause(epoch.Add(2*time.Minute), onebidv1.ReasonRateLimited)
	clock.Step(30 * time.Second)
	g.Expect(testutil.CollectAndCompare(r, strings.NewReader(`
# HELP onebid_marketplace_breaker_opened_total How often the circuit breaker opened.
# TYPE onebid_marketplace_breaker_opened_total counter
onebid_marketplace_breaker_opened_total{marketplace="shop",namespace="team"} 1
# HELP onebid_marketplace_breaker_state The account's circuit breaker in this process: 0 closed, 1 half open, 2 open.
# TYPE onebid_marketplace_breaker_state gauge
onebid_marketplace_breaker_state{marketplace="shop",namespace="team"} 2
# HELP onebid_marketplace_pause_remaining_seconds How long this process still makes no calls because the marketplace wants none; 0 when it does.
# TYPE onebid_marketplace_pause_remaining_seconds gauge
onebid_marketplace_pause_remaining_seconds{marketplace="shop",namespace="team"} 90
# HELP onebid_marketplace_pauses_total Pauses of the account by reason.
# TYPE onebid_marketplace_pauses_total counter
onebid_marketplace_pauses_total{marketplace="shop",namespace="team",reason="RateLimited"} 1
`))).To(Succeed())
	clock.Step(time.Hour)
	g.Expect(conn.Limiter.Blocked(registry.Normal)).To(BeZero())
	r.Forget(key)
	g.Expect(testutil.CollectAndCount(r)).To(BeZero())
}
