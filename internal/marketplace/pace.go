package marketplace

import (
	"context"
	"net/http"
)

type (
	paceKey    struct{}
	headersKey struct{}
)

// WithPace makes a driver call wait before every request of an operation but the first: further pages of a list cost
// the account's rate limit as much as the first one, whose wait is the caller's.
func WithPace(ctx context.Context, wait func(context.Context) error) context.Context {
	return context.WithValue(ctx, paceKey{}, wait)
}

// Pace waits as WithPace says, not at all by default. Drivers call it before each request of an operation but the first.
func Pace(ctx context.Context) error {
	if wait, ok := ctx.Value(paceKey{}).(func(context.Context) error); ok {
		return wait(ctx)
	}
	return ctx.Err()
}

// WithHeaders has a function called with the headers of every reply to a driver call, before the call returns.
func WithHeaders(ctx context.Context, heard func(http.Header)) context.Context {
	return context.WithValue(ctx, headersKey{}, heard)
}

// Headers hands the headers of a reply to whom WithHeaders named, to nobody by default. Drivers call it for every reply,
// whatever it says: that is how a rate limit is noticed before it is exceeded.
func Headers(ctx context.Context, headers http.Header) {
	if heard, ok := ctx.Value(headersKey{}).(func(http.Header)); ok {
		heard(headers)
	}
}
