package marketplace

import (
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/collectors"
)

// Metrics show what Marketplaces' limits have room for. They are a prometheus.Collector, and have values in the replica that
// writes the Marketplace's status.
type Metrics struct {
	collectors.Group

	bids, money *prometheus.GaugeVec
}

// NewMetrics returns metrics without values.
func NewMetrics() *Metrics {
	labels := []string{"namespace", "marketplace"}
	m := &Metrics{
		bids: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "onebid_marketplace_remaining_bids",
			Help: "Bids that maxActiveBids has room for; none without that limit.",
		}, labels),
		money: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "onebid_marketplace_remaining_budget",
			Help: "Money that maxCommitted has room for, in the limit's currency; none without that limit.",
		}, append(labels, "currency")),
	}
	m.Group = collectors.Group{m.bids, m.money}
	return m
}

// show replaces what was shown of the Marketplace.
func (m *Metrics) show(key types.NamespacedName, limits *onebidv1.MarketplaceLimits, taken bidding.Totals) {
	m.forget(key)
	if limits == nil {
		return
	}
	if limits.MaxActiveBids > 0 {
		m.bids.WithLabelValues(key.Namespace, key.Name).Set(float64(max(int(limits.MaxActiveBids)-taken.Active, 0)))
	}
	if most := limits.MaxCommitted; most != nil {
		m.money.WithLabelValues(key.Namespace, key.Name, most.Currency).Set(moneyLeft(most, taken).InexactFloat64())
	}
}

// forget drops what another replica shows from now on, or none.
func (m *Metrics) forget(key types.NamespacedName) {
	labels := prometheus.Labels{"namespace": key.Namespace, "marketplace": key.Name}
	m.bids.DeletePartialMatch(labels)
	m.money.DeletePartialMatch(labels)
}
