package loop

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/onebid-dev/onebid/internal/collectors"
	"github.com/onebid-dev/onebid/internal/scanner/feed"
)

// Outcomes of a posting beside those of pkg/scanner.
const (
	outcomeInvalid = "Invalid" // the rules could not deal with the item
	outcomeFailed  = "Failed"  // the API server, or the lock, could not be reached
)

// Results of a reading.
const (
	resultChanged   = "changed"
	resultUnchanged = "unchanged"
	resultFailed    = "failed"
)

// Metrics counts readings and postings. It is a prometheus.Collector.
type Metrics struct {
	collectors.Group

	readings, postings *prometheus.CounterVec
	items, lastRead    prometheus.Gauge
}

// NewMetrics returns Metrics that are not registered yet.
func NewMetrics() *Metrics {
	m := &Metrics{
		readings: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "onebid_scanner_feed_readings_total", Help: "Readings of the feed: changed, unchanged or failed.",
		}, []string{"result"}),
		postings: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "onebid_scanner_postings_total", Help: "Postings that were processed, by outcome.",
		}, []string{"outcome"}),
		items: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "onebid_scanner_feed_items", Help: "Items in the feed when it was last read.",
		}),
		lastRead: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "onebid_scanner_feed_last_read_timestamp_seconds", Help: "When the feed was last read with success.",
		}),
	}
	// A rule that alerts on the increase of a counter needs it to be there before.
	for _, result := range []string{resultChanged, resultUnchanged, resultFailed} {
		m.readings.WithLabelValues(result)
	}
	for _, outcome := range []string{outcomeInvalid, outcomeFailed} {
		m.postings.WithLabelValues(outcome)
	}
	m.Group = collectors.Group{m.readings, m.postings, m.items, m.lastRead}
	return m
}

func (m *Metrics) read(reading feed.Reading, err error) {
	if err != nil {
		m.readings.WithLabelValues(resultFailed).Inc()
		return
	}
	result := resultChanged
	if reading.Unchanged {
		result = resultUnchanged
	}
	m.readings.WithLabelValues(result).Inc()
	m.items.Set(float64(len(reading.Items)))
	m.lastRead.Set(float64(reading.At.UnixMilli()) / 1000)
}
