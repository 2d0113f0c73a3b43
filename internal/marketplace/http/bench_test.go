package httpdriver

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
)

// BenchmarkPage reads a page of so many bids, each with everything that a bid can have.
func BenchmarkPage(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			d := fromSample(b, "taskfast")
			item := `{"id":"%d","task_id":"p","status":"pending","price":"12.50","created_at":"2026-11-01T12:00:00Z"}`
			var items []string
			for i := range n {
				items = append(items, fmt.Sprintf(item, i))
			}
			r := wire.NewReply(http.StatusOK, nil, []byte(`{"data":[`+strings.Join(items, ",")+`],"next_cursor":null}`))
			b.ReportAllocs()
			for b.Loop() {
				read := &reader{operation: &operation{Driver: d, name: marketplace.OpLookup}, list: d.plan.lookup, seen: map[string]int{},
					vars: map[string]any{"bid": map[string]any{"postingID": "p"}}}
				if err := read.take(b.Context(), r); err != nil || len(read.bids) != n {
					b.Fatal(len(read.bids), err)
				}
			}
		})
	}
}

// BenchmarkNew compiles a whole spec.
func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		fromSample(b, "rest")
	}
}
