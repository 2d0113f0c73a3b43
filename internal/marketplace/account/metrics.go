package account

import (
	"github.com/prometheus/client_golang/prometheus"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

var (
	healthLabels = []string{"namespace", "marketplace"}
	pauseSeconds = prometheus.NewDesc("onebid_marketplace_pause_remaining_seconds",
		"How long this process still makes no calls because the marketplace wants none; 0 when it does.", healthLabels, nil)
	pausesTotal = prometheus.NewDesc("onebid_marketplace_pauses_total",
		"Pauses of the account by reason.", append(healthLabels[:2:2], "reason"), nil)
	breakerState = prometheus.NewDesc("onebid_marketplace_breaker_state",
		"The account's circuit breaker in this process: 0 closed, 1 half open, 2 open.", healthLabels, nil)
	breakerOpens = prometheus.NewDesc("onebid_marketplace_breaker_opened_total",
		"How often the circuit breaker opened.", healthLabels, nil)
)

// Describe implements prometheus.Collector.
func (*Registry) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{pauseSeconds, pausesTotal, breakerState, breakerOpens} {
		ch <- d
	}
}

// Collect implements prometheus.Collector: pauses and breakers as they are now.
func (r *Registry) Collect(ch chan<- prometheus.Metric) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for key, s := range r.shared {
		s.limiter.collect(ch, key.Namespace, key.Name)
	}
}

func (l *Limiter) collect(ch chan<- prometheus.Metric, labels ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	state := map[onebidv1.BreakerState]float64{onebidv1.BreakerHalfOpen: 1, onebidv1.BreakerOpen: 2}[l.breaker.state()]
	wait := max(l.paused.until.Sub(l.clock.Now()), 0).Seconds()
	ch <- prometheus.MustNewConstMetric(pauseSeconds, prometheus.GaugeValue, wait, labels...)
	ch <- prometheus.MustNewConstMetric(breakerState, prometheus.GaugeValue, state, labels...)
	ch <- prometheus.MustNewConstMetric(breakerOpens, prometheus.CounterValue, float64(l.breaker.opens), labels...)
	for reason, n := range l.pauses {
		ch <- prometheus.MustNewConstMetric(pausesTotal, prometheus.CounterValue, float64(n), append(labels, reason)...)
	}
}
