package registry

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"k8s.io/utils/clock"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

// rateLimitPause is for a marketplace that refuses a call as one too many and does not say for how long.
const rateLimitPause = time.Second

// paced makes every request of a read wait for its turn, keeps calls from a marketplace that does not answer, and heeds
// what it says. The turns of writes are the caller's matter: see Connection.
type paced struct {
	marketplace.Driver

	inner   marketplace.Driver // as it was given
	limiter *Limiter
	clock   clock.Clock
}

// Close closes the driver, if it can be closed.
func (p *paced) Close() error {
	if closer, ok := p.inner.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

// kind of a call.
type kind int

const (
	// readCall changes nothing, and each of its requests waits for its turn.
	readCall kind = iota
	// withdrawCall can do no harm when there is no answer to it: it is read back, and made again.
	withdrawCall
	// placeCall is for a marketplace that answers.
	placeCall
)

// do makes a call, if it may be made now.
func do[T any](ctx context.Context, p *paced, operation string, k kind, call func(context.Context) (T, error)) (T, error) {
	var none T
	if k == readCall {
		if err := p.limiter.Wait(ctx); err != nil {
			return none, named(err, operation)
		}
		ctx = marketplace.WithPace(ctx, p.limiter.Wait)
	}
	end, err := p.limiter.begin(ctx, operation, k != placeCall)
	if err != nil {
		return none, err
	}
	var replied atomic.Bool
	outcome := nothing
	defer func() { end(outcome) }()
	out, err := call(marketplace.WithHeaders(ctx, func(h http.Header) {
		replied.Store(true)
		p.limiter.heard(h)
	}))
	outcome = resultOf(err, replied.Load() || operation != "account")
	p.heed(k, err)
	return out, err
}

// heed does what the answer to a call asks for.
func (p *paced) heed(k kind, err error) {
	switch class := marketplace.ClassOf(err); {
	case class == onebidv1.ErrorRateLimited:
		p.limiter.Pause(p.clock.Now().Add(max(marketplace.RetryAfter(err), rateLimitPause)), onebidv1.ReasonRateLimited)
	case class == onebidv1.ErrorQuotaExhausted && k == placeCall:
		p.limiter.SpendQuota(p.clock.Now().Add(cmp.Or(marketplace.RetryAfter(err), quotaPause)))
	case err == nil && k == placeCall:
		p.limiter.refill()
	case k == placeCall:
		p.limiter.nextLeads()
	}
}

func named(err error, operation string) error {
	var e *marketplace.Error
	if errors.As(err, &e) {
		e.Operation = operation
	}
	return err
}

// resultOf judges a call by its error, and by whether there was one: a driver may know the account without asking.
func resultOf(err error, called bool) result {
	var e *marketplace.Error
	switch class := marketplace.ClassOf(err); {
	case errors.As(err, &e) && e.Unreadable:
		return garbled
	case !called && err == nil, Unsent(err), errors.Is(err, context.Canceled):
		return nothing
	case class == onebidv1.ErrorTransient || class == onebidv1.ErrorUnknownOutcome:
		return silence
	}
	return answer
}

func (p *paced) Account(ctx context.Context) (string, error) {
	return do(ctx, p, "account", readCall, p.Driver.Account)
}

func (p *paced) Place(ctx context.Context, bid marketplace.PlaceRequest) (marketplace.Bid, error) {
	return do(ctx, p, "place", placeCall, func(ctx context.Context) (marketplace.Bid, error) { return p.Driver.Place(ctx, bid) })
}

func (p *paced) Lookup(ctx context.Context, postingID string) ([]marketplace.Bid, error) {
	return do(ctx, p, "lookup", readCall, func(ctx context.Context) ([]marketplace.Bid, error) { return p.Driver.Lookup(ctx, postingID) })
}

func (p *paced) Get(ctx context.Context, ref marketplace.Ref) (marketplace.Bid, error) {
	return do(ctx, p, "get", readCall, func(ctx context.Context) (marketplace.Bid, error) { return p.Driver.Get(ctx, ref) })
}

func (p *paced) List(ctx context.Context) ([]marketplace.Bid, error) {
	return do(ctx, p, "list", readCall, p.Driver.List)
}

func (p *paced) Withdraw(ctx context.Context, ref marketplace.Ref, reason string) error {
	_, err := do(ctx, p, "withdraw", withdrawCall, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, p.Driver.Withdraw(ctx, ref, reason)
	})
	return err
}
