package marketplace

import (
	"context"
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

// Wrap returns the driver with its calls measured under the name of its Marketplace.
func (m *Metrics) Wrap(key types.NamespacedName, d Driver) Driver {
	return &measured{Driver: d, metrics: m, key: key}
}

type measured struct {
	Driver // for what makes no call

	metrics *Metrics
	key     types.NamespacedName
}

// begin starts the watch, which stops it with the call's error.
func (m *measured) begin(operation string) (end func(error)) {
	start := time.Now()
	return func(err error) {
		class := string(ClassOf(err))
		if class == "" {
			class = classOK
		}
		m.metrics.calls.WithLabelValues(m.key.Namespace, m.key.Name, operation, class).Inc()
		m.metrics.latency.WithLabelValues(m.key.Namespace, m.key.Name, operation).Observe(time.Since(start).Seconds())
	}
}

func (m *measured) Account(ctx context.Context) (string, error) {
	end := m.begin(OpAccount)
	id, err := m.Driver.Account(ctx)
	end(err)
	return id, err
}

func (m *measured) Place(ctx context.Context, bid PlaceRequest) (Bid, error) {
	end := m.begin(OpPlace)
	placed, err := m.Driver.Place(ctx, bid)
	end(err)
	return placed, err
}

func (m *measured) Lookup(ctx context.Context, postingID string) ([]Bid, error) {
	end := m.begin(OpLookup)
	bids, err := m.Driver.Lookup(ctx, postingID)
	end(err)
	return bids, err
}

func (m *measured) Get(ctx context.Context, ref Ref) (Bid, error) {
	end := m.begin(OpGet)
	bid, err := m.Driver.Get(ctx, ref)
	end(err)
	return bid, err
}

func (m *measured) List(ctx context.Context) ([]Bid, error) {
	end := m.begin(OpList)
	bids, err := m.Driver.List(ctx)
	end(err)
	return bids, err
}

func (m *measured) Withdraw(ctx context.Context, ref Ref, reason string) error {
	end := m.begin(OpWithdraw)
	err := m.Driver.Withdraw(ctx, ref, reason)
	end(err)
	return err
}
