package scanner

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/onebid-dev/onebid/internal/collectors"
)

// Metrics counts what a process's scanners do, by marketplace and lock backend. It is a prometheus.Collector: register it,
// and give it to each Scanner.
type Metrics struct {
	group

	attempts, successes, conflicts, timeouts *prometheus.CounterVec
	acquisition                              *prometheus.HistogramVec
	created, duplicates, fallbacks           *prometheus.CounterVec
	degraded                                 *prometheus.GaugeVec
}

type group = collectors.Group

// NewMetrics returns Metrics that are not registered yet.
func NewMetrics() *Metrics {
	labels := []string{"marketplace", "backend"}
	counter := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "onebid_" + name, Help: help}, labels)
	}
	m := &Metrics{
		attempts:  counter("lock_attempts_total", "Attempts to lock a posting."),
		successes: counter("lock_successes_total", "Locks on postings that were acquired."),
		conflicts: counter("lock_conflicts_total", "Attempts that met a lock of another scanner."),
		timeouts:  counter("lock_timeouts_total", "Attempts that gave up waiting for a lock."),
		acquisition: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "onebid_lock_acquisition_duration_seconds", Help: "Time until a lock on a posting was acquired.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 12),
		}, labels),
		created:    counter("bids_created_total", "Bids that were created."),
		duplicates: counter("duplicates_prevented_total", "Postings that already had a Bid."),
		fallbacks:  counter("lock_fallbacks_total", "How often a lock backend could not be reached any more."),
		degraded: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "onebid_lock_degraded", Help: "1 while a lock backend cannot be reached and another one is used instead.",
		}, labels),
	}
	m.group = group{
		m.attempts, m.successes, m.conflicts, m.timeouts, m.acquisition, m.created, m.duplicates, m.fallbacks, m.degraded,
	}
	return m
}

func (m *Metrics) acquired(marketplace, backend string, took time.Duration) {
	m.successes.WithLabelValues(marketplace, backend).Inc()
	m.acquisition.WithLabelValues(marketplace, backend).Observe(took.Seconds())
}

func (m *Metrics) processed(marketplace, backend string, outcome Outcome) {
	switch outcome {
	case Created:
		m.created.WithLabelValues(marketplace, backend).Inc()
	case Duplicate:
		m.duplicates.WithLabelValues(marketplace, backend).Inc()
	default:
	}
}

func (m *Metrics) switched(marketplace, backend string, degraded bool) {
	value := 0.0
	if degraded {
		m.fallbacks.WithLabelValues(marketplace, backend).Inc()
		value = 1
	}
	m.degraded.WithLabelValues(marketplace, backend).Set(value)
}
