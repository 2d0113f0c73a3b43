package registry

import (
	"context"
	"errors"
	"time"

	"k8s.io/utils/clock"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

// rateLimitPause is for a marketplace that refuses a call as one too many and does not say for how long.
const rateLimitPause = time.Second

// paced makes every request of a read wait for its turn. Writes are the caller's: see Connection.
type paced struct {
	marketplace.Driver

	limiter *Limiter
	clock   clock.Clock
}

// turn waits, and lets the driver wait before every further request.
func (p *paced) turn(ctx context.Context, operation string) (context.Context, error) {
	if err := p.limiter.Wait(ctx); err != nil {
		var e *marketplace.Error
		if errors.As(err, &e) {
			e.Operation = operation
		}
		return nil, err
	}
	return marketplace.WithPace(ctx, p.limiter.Wait), nil
}

// heed pauses the whole account when it called too often.
func (p *paced) heed(err error) error {
	if marketplace.ClassOf(err) == onebidv1.ErrorRateLimited {
		p.limiter.Pause(p.clock.Now().Add(max(marketplace.RetryAfter(err), rateLimitPause)))
	}
	return err
}

func (p *paced) Account(ctx context.Context) (string, error) {
	ctx, err := p.turn(ctx, "account")
	if err != nil {
		return "", err
	}
	id, err := p.Driver.Account(ctx)
	return id, p.heed(err)
}

func (p *paced) Place(ctx context.Context, bid marketplace.PlaceRequest) (marketplace.Bid, error) {
	placed, err := p.Driver.Place(ctx, bid)
	return placed, p.heed(err)
}

func (p *paced) Lookup(ctx context.Context, postingID string) ([]marketplace.Bid, error) {
	ctx, err := p.turn(ctx, "lookup")
	if err != nil {
		return nil, err
	}
	bids, err := p.Driver.Lookup(ctx, postingID)
	return bids, p.heed(err)
}

func (p *paced) Get(ctx context.Context, ref marketplace.Ref) (marketplace.Bid, error) {
	ctx, err := p.turn(ctx, "get")
	if err != nil {
		return marketplace.Bid{}, err
	}
	bid, err := p.Driver.Get(ctx, ref)
	return bid, p.heed(err)
}

func (p *paced) List(ctx context.Context) ([]marketplace.Bid, error) {
	ctx, err := p.turn(ctx, "list")
	if err != nil {
		return nil, err
	}
	bids, err := p.Driver.List(ctx)
	return bids, p.heed(err)
}

func (p *paced) Withdraw(ctx context.Context, ref marketplace.Ref, reason string) error {
	return p.heed(p.Driver.Withdraw(ctx, ref, reason))
}
