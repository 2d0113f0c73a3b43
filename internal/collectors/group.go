// Package collectors registers the metrics of one component together.
package collectors

import "github.com/prometheus/client_golang/prometheus"

// Group is several collectors that are registered as one.
type Group []prometheus.Collector

// Describe implements prometheus.Collector.
func (g Group) Describe(out chan<- *prometheus.Desc) {
	for _, collector := range g {
		collector.Describe(out)
	}
}

// Collect implements prometheus.Collector.
func (g Group) Collect(out chan<- prometheus.Metric) {
	for _, collector := range g {
		collector.Collect(out)
	}
}
