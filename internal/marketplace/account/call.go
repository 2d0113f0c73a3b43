package account

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

const (
	// rateLimitPause is for a marketplace that refuses a call as one too many and does not say for how long.
	rateLimitPause = time.Second
	// authPause is how long no call is made after the credentials were refused. New credentials end it.
	authPause = 30 * time.Second
)

// request is one driver call. Which fields count depends on the operation.
type request struct {
	operation string
	priority  Priority
	postingID string
	ref       marketplace.Ref
	place     marketplace.PlaceRequest
	reason    string
	// anyAnswer is true when refused credentials are an answer like any other, which pauses nothing.
	anyAnswer bool
}

// reply to a request. Which field counts depends on the operation.
type reply struct {
	accountID string
	bid       marketplace.Bid
	bids      []marketplace.Bid
}

func (r *request) reads() bool {
	return r.operation != marketplace.OpPlace && r.operation != marketplace.OpWithdraw
}

// pacer of one call.
type pacer struct {
	limiter *Limiter
	request *request
	replied atomic.Bool
}

// Next implements marketplace.Pacer. A call that writes does not wait: no time may pass between the last check before it
// and its first byte.
func (p *pacer) Next(ctx context.Context) error {
	if !p.request.reads() {
		return ctx.Err()
	}
	return p.limiter.Wait(ctx, p.request.priority)
}

// Observe implements marketplace.Pacer.
func (p *pacer) Observe(h http.Header) {
	p.replied.Store(true)
	p.limiter.observe(h)
}

// call is the one way to the driver. A call is finished, not abandoned, when the process is asked to stop. A list is bounded
// by its context only, as each of its pages waits for the rate limit.
func (a *Account) call(ctx context.Context, r request) (out reply, err error) {
	if r.operation != marketplace.OpList {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), a.Timeout())
		defer cancel()
	}
	begun, pace := a.clock.Now(), &pacer{limiter: a.limiter, request: &r}
	if r.reads() {
		if err := a.limiter.Wait(ctx, r.priority); err != nil {
			return reply{}, named(err, r.operation)
		}
	}
	end, err := a.limiter.begin(&r)
	if err != nil {
		return reply{}, err
	}
	result := noResult
	defer func() { end(result) }()
	sent := time.Now()
	switch r.operation {
	case marketplace.OpAccount:
		out.accountID, err = a.driver.Account(ctx, pace)
	case marketplace.OpPlace:
		out.bid, err = a.driver.Place(ctx, pace, r.place)
	case marketplace.OpLookup:
		out.bids, err = a.driver.Lookup(ctx, pace, r.postingID)
	case marketplace.OpGet:
		out.bid, err = a.driver.Get(ctx, pace, r.ref)
	case marketplace.OpList:
		out.bids, err = a.driver.List(ctx, pace)
	case marketplace.OpWithdraw:
		err = a.driver.Withdraw(ctx, pace, r.ref, r.reason)
	}
	if a.metrics != nil {
		a.metrics.Observe(a.key, r.operation, time.Since(sent), err)
	}
	result = resultOf(err, pace.replied.Load() || r.operation != marketplace.OpAccount)
	if r.operation != marketplace.OpList && !Unsent(err) {
		a.limiter.observeResponse(a.clock.Since(begun) < a.Timeout())
	}
	a.heed(&r, err)
	return out, err
}

// heed does what the answer asks for.
func (a *Account) heed(r *request, err error) {
	now, places := a.clock.Now(), r.operation == marketplace.OpPlace
	class := marketplace.ClassOf(err)
	switch {
	case class == onebidv1.ErrorRateLimited:
		a.limiter.Pause(now.Add(max(marketplace.RetryAfter(err), rateLimitPause)), onebidv1.ReasonRateLimited)
	case class == onebidv1.ErrorAuth && !r.anyAnswer:
		a.limiter.Pause(now.Add(authPause), onebidv1.ReasonAuthenticationFailed)
	}
	switch {
	case !places || class == onebidv1.ErrorRateLimited:
	case class == onebidv1.ErrorQuotaExhausted:
		var e *marketplace.Error
		if errors.As(err, &e) {
			e.RetryAfter = cmp.Or(e.RetryAfter, quotaPause)
		}
		a.limiter.SpendQuota(now.Add(marketplace.RetryAfter(err)))
	case err == nil:
		a.limiter.refill()
	default:
		a.limiter.endQuotaProbe()
	}
}

func named(err error, operation string) error {
	var e *marketplace.Error
	if errors.As(err, &e) {
		e.Operation = operation
	}
	return err
}

// resultOf judges a call by its error, and by whether a request was made: a driver may know the account without one.
func resultOf(err error, called bool) result {
	var e *marketplace.Error
	switch class := marketplace.ClassOf(err); {
	case errors.As(err, &e) && e.Unreadable:
		return unreadable
	case !called && err == nil, Unsent(err), errors.Is(err, context.Canceled):
		return noResult
	case class == onebidv1.ErrorTransient || class == onebidv1.ErrorUnknownOutcome:
		return unanswered
	}
	return answered
}
