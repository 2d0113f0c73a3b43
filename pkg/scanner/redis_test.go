package scanner_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/pkg/scanner"
	"github.com/onebid-dev/onebid/pkg/scanner/lock"
	"github.com/onebid-dev/onebid/test/redistest"
)

// A real Redis is stopped and started while a fleet works. In between the scanners use Leases; two may evaluate the same
// posting while some have noticed and some have not, and still each posting gets one Bid. At the end Redis is used again.
func TestRedisStopsAndStarts(t *testing.T) {
	const scanners, postings = 8, 240
	w := newWorld(t)
	server := redistest.Start(t)
	metrics := scanner.NewMetrics()
	registry := prometheus.NewRegistry()
	w.Expect(registry.Register(metrics)).To(Succeed())
	lines := make(chan string, 1000)
	log := funcr.New(func(_, args string) { lines <- args }, funcr.Options{})

	var evaluations, created, done atomic.Int32
	evaluate := func(ctx context.Context, p *onebidv1.Posting) (scanner.Verdict, error) {
		evaluations.Add(1)
		return suitable(ctx, p)
	}
	stopped := make(chan struct{})
	var group errgroup.Group
	fleet := make([]*scanner.Scanner, scanners)
	for i := range fleet {
		fleet[i], _ = w.scanner(func(o *scanner.Options) {
			o.Metrics, o.Log = metrics, log
			o.Locks = &scanner.Locks{Type: lock.Redis, RedisURL: "redis://" + server.Addr, TTL: 5 * time.Second, Timeout: 30 * time.Second}
		})
		group.Go(func() error {
			for number := range postings {
				if number == postings*2/5 {
					<-stopped // however late the test is
				}
				result, err := fleet[i].Process(t.Context(), posting(fmt.Sprint(number)), evaluate)
				if err != nil {
					return err
				}
				if result.Outcome == scanner.Created {
					created.Add(1)
				}
				done.Add(1)
			}
			return nil
		})
	}
	reached := func(share int32) {
		w.Eventually(done.Load, "120s", "1ms").Should(BeNumerically(">=", scanners*postings*share/100))
	}
	reached(20)
	server.Stop()
	close(stopped)
	reached(50)
	w.Eventually(func() float64 { return value(w, registry, "onebid_lock_degraded") }, "60s", "5ms").Should(BeEquivalentTo(1))
	server.Start()
	w.Expect(group.Wait()).To(Succeed())

	w.Expect(w.bids()).To(HaveLen(postings))
	w.Expect(created.Load()).To(BeEquivalentTo(postings))
	t.Logf("%d evaluations of %d postings", evaluations.Load(), postings)
	w.Expect(evaluations.Load()).To(BeNumerically("<", postings*3/2), "only the switch costs evaluations")

	for i := range fleet {
		w.Eventually(func() string {
			l, err := fleet[i].Acquire(t.Context(), fmt.Sprintf("after-%d", i))
			w.Expect(err).NotTo(HaveOccurred())
			defer func() { w.Expect(fleet[i].Release(t.Context(), l)).To(Succeed()) }()
			return l.Backend()
		}, "20s", "50ms").Should(Equal(lock.Redis))
	}
	w.Expect(value(w, registry, "onebid_lock_degraded")).To(BeZero())
	w.Expect(value(w, registry, "onebid_lock_fallbacks_total")).To(BeNumerically(">=", scanners))
	w.Eventually(lines).Should(Receive(ContainSubstring("Redis cannot be reached")), "among what else was lost with it")
	w.Eventually(func() map[string]int { return w.reasons() }, "20s", "50ms").Should(And(
		HaveKeyWithValue("LockBackendUnavailable", BeNumerically(">=", scanners)),
		HaveKeyWithValue("LockBackendRestored", BeNumerically(">=", scanners)),
	))
}

// reasons counts the events on the Marketplace.
func (w *world) reasons() map[string]int {
	w.t.Helper()
	var list eventsv1.EventList
	w.Expect(env.Client.List(w.t.Context(), &list, client.InNamespace(w.ns))).To(Succeed())
	count := map[string]int{}
	for _, event := range list.Items {
		w.Expect(event.Regarding.Kind).To(Equal("Marketplace"))
		w.Expect(event.Regarding.UID).NotTo(BeEmpty())
		count[event.Reason]++
	}
	return count
}

// value sums a metric of the scanners' Marketplace over all backends.
func value(w *world, registry *prometheus.Registry, name string) float64 {
	w.t.Helper()
	families, err := registry.Gather()
	w.Expect(err).NotTo(HaveOccurred())
	sum := 0.0
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, metric := range family.GetMetric() {
			sum += metric.GetCounter().GetValue() + metric.GetGauge().GetValue() + float64(metric.GetHistogram().GetSampleCount())
		}
	}
	return sum
}

// Redis needs not be there when a scanner starts, and an event that cannot be written harms nobody.
func TestRedisIsNotThere(t *testing.T) {
	w := newWorld(t)
	s, wire := w.scanner(locks(scanner.Locks{Type: lock.Redis, RedisURL: "redis://127.0.0.1:1"}))
	wire.Spoil(failing("POST events", errors.New("no")))
	w.Expect(w.process(s, posting("1"), suitable).Outcome).To(Equal(scanner.Created))
	w.Expect(s.Close()).To(Succeed())
	w.Expect(w.reasons()).To(BeEmpty())
	w.Expect(w.leases()).To(HaveLen(1))
}
