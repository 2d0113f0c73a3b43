package marketplace

import (
	"context"
	"net/http"
)

// Pacer spaces the requests of one driver call by the account's rate limit.
type Pacer interface {
	// Next waits until one more request may be sent. A driver calls it before each request but the first, for which the
	// caller has waited.
	Next(ctx context.Context) error
	// Observe takes in the headers of a reply. A driver calls it for each reply, whatever that says: so a rate limit is
	// noticed before it is exceeded.
	Observe(headers http.Header)
}

// Unpaced waits for nothing.
type Unpaced struct{}

// Next implements Pacer.
func (Unpaced) Next(ctx context.Context) error { return ctx.Err() }

// Observe implements Pacer.
func (Unpaced) Observe(http.Header) {}
