package scanner

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what a process's scanners do, by marketplace and lock backend. It is a prometheus.Collector: register it,
// and give it to each Scanner.
type Metrics struct {
	attempts, successes, conflicts, timeouts *prometheus.CounterVec
	acquisition                              *prometheus.HistogramVec
	created, duplicates, fallbacks           *prometheus.CounterVec
	degraded                                 *prometheus.GaugeVec
}

var _ prometheus.Collector = (*Metrics)(nil)

// NewMetrics returns Metrics that are not registered yet.
func NewMetrics() *Metrics {
	labels := []string{"marketplace", "backend"}
	counter := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "onebid_" + name, Help: help}, labels)
	}
	return &Metrics{
		attempts:  counter("lock_attempts_total", "Locks on postings that were asked for."),
		successes: counter("lock_successes_total", "Locks on postings that were obtained."),
		conflicts: counter("lock_conflicts_total", "Locks on postings that somebody else had when they were asked for."),
		timeouts:  counter("lock_timeouts_total", "Locks on postings that somebody else kept for too long."),
		acquisition: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "onebid_lock_acquisition_duration_seconds", Help: "Time until a lock on a posting was obtained.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 12),
		}, labels),
		created:    counter("bids_created_total", "Bids that were created."),
		duplicates: counter("duplicates_prevented_total", "Postings that were left alone because they have a Bid."),
		fallbacks:  counter("lock_fallbacks_total", "How often a lock backend could not be reached any more."),
		degraded: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "onebid_lock_degraded", Help: "1 while a lock backend cannot be reached and another one is used instead.",
		}, labels),
	}
}

func (m *Metrics) all() []prometheus.Collector {
	return []prometheus.Collector{
		m.attempts, m.successes, m.conflicts, m.timeouts, m.acquisition, m.created, m.duplicates, m.fallbacks, m.degraded,
	}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(out chan<- *prometheus.Desc) {
	for _, collector := range m.all() {
		collector.Describe(out)
	}
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(out chan<- prometheus.Metric) {
	for _, collector := range m.all() {
		collector.Collect(out)
	}
}

func (m *Metrics) acquired(marketplace, backend string, took time.Duration) {
	m.successes.WithLabelValues(marketplace, backend).Inc()
	m.acquisition.WithLabelValues(marketplace, backend).Observe(took.Seconds())
}

func (m *Metrics) ended(marketplace, backend string, outcome Outcome) {
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
