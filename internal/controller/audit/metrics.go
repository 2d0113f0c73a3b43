package audit

import (
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
)

// Metrics of audits, to be registered by their maker. They implement prometheus.Collector.
type Metrics struct {
	orphans   *prometheus.GaugeVec
	withdrawn *prometheus.CounterVec
}

// NewMetrics returns metrics without values.
func NewMetrics() *Metrics {
	labels := []string{"namespace", "marketplace"}
	return &Metrics{
		orphans: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "onebid_orphans",
			Help: "Live bids of ours that no Bid accounts for, as the last audit left them; from the replica that audits.",
		}, labels),
		withdrawn: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "onebid_orphans_withdrawn_total",
			Help: "Live bids of ours that no Bid accounted for and that an audit withdrew.",
		}, labels),
	}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	m.orphans.Describe(ch)
	m.withdrawn.Describe(ch)
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	m.orphans.Collect(ch)
	m.withdrawn.Collect(ch)
}

func (m *Metrics) setOrphans(key types.NamespacedName, n int) {
	m.orphans.WithLabelValues(key.Namespace, key.Name).Set(float64(n))
}

func (m *Metrics) countWithdrawn(key types.NamespacedName) {
	m.withdrawn.WithLabelValues(key.Namespace, key.Name).Inc()
}

// forget drops the gauge: another replica reports it from now on, or none.
func (m *Metrics) forget(key types.NamespacedName) {
	m.orphans.DeleteLabelValues(key.Namespace, key.Name)
}
