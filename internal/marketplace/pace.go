package marketplace

import "context"

type paceKey struct{}

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
