package marketplace

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
)

// The operations, as errors and metrics name them.
const (
	OpAccount  = "account"
	OpPlace    = "place"
	OpLookup   = "lookup"
	OpList     = "list"
	OpGet      = "get"
	OpWithdraw = "withdraw"
)

// classOK is the value of the label class for calls without an error.
const classOK = "OK"

// Metrics counts the calls of drivers and observes how long they take. It is a prometheus.Collector, to be registered by
// its maker. The labels are bounded: the Marketplaces that there are, the operations and the classes.
type Metrics struct {
	calls   *prometheus.CounterVec
	latency *prometheus.HistogramVec
}

// NewMetrics returns metrics without values.
func NewMetrics() *Metrics {
	return &Metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "onebid_marketplace_calls_total",
			Help: "Calls of marketplaces by operation and class of error; class OK is success. A list of several pages is one call.",
		}, []string{"namespace", "marketplace", "operation", "class"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "onebid_marketplace_call_duration_seconds",
			Help:    "How long calls of marketplaces take, waiting for the rate limit between the pages of a list included.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"namespace", "marketplace", "operation"}),
	}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	m.calls.Describe(ch)
	m.latency.Describe(ch)
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	m.calls.Collect(ch)
	m.latency.Collect(ch)
}

// Forget drops the series of a Marketplace that is gone.
func (m *Metrics) Forget(key types.NamespacedName) {
	labels := prometheus.Labels{"namespace": key.Namespace, "marketplace": key.Name}
	m.calls.DeletePartialMatch(labels)
	m.latency.DeletePartialMatch(labels)
}

// Observe counts a call that took so long.
func (m *Metrics) Observe(key types.NamespacedName, operation string, took time.Duration, err error) {
	class := string(ClassOf(err))
	if class == "" {
		class = classOK
	}
	m.calls.WithLabelValues(key.Namespace, key.Name, operation, class).Inc()
	m.latency.WithLabelValues(key.Namespace, key.Name, operation).Observe(took.Seconds())
}
