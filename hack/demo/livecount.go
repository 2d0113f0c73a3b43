package main

import (
	"context"
	"sync"
	"time"

	"github.com/onebid-dev/onebid/internal/marketsim"
)

// ledgerReader counts live bids and calls under way, reading only what is new in the ledger. It is safe for concurrent use.
type ledgerReader struct {
	client *marketsim.Client

	mu      sync.Mutex
	seq     int64
	summary *marketsim.Summarizer
	calls   openCalls
}

// follow keeps reading until the context ends.
func (l *ledgerReader) follow(ctx context.Context) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		l.read(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// read takes in what is new. What fails now comes with the next reading: this is for the screen only, and the verdict
// reads the file itself.
func (l *ledgerReader) read(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	records, _ := l.client.Ledger(ctx, l.seq)
	for _, r := range records {
		l.summary.Add(r)
		l.calls.add(r)
		l.seq = r.Seq
	}
}

// underWay is the number of place calls that had not been answered at the last reading.
func (l *ledgerReader) underWay() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.calls)
}

func (l *ledgerReader) live() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.summary.Summary("").Totals.Live
}
