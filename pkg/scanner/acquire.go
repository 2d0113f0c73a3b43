package scanner

import (
	"context"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/pkg/scanner/lock"
)

const (
	// releaseTimeout bounds the release of a lock, which goes on when the context of the work has ended.
	releaseTimeout = 5 * time.Second
	// renewals is how often a lock is renewed while its TTL lasts.
	renewals = 3
)

// Acquire locks a posting for programs that compose their own Process. End the lock with Release, or with its HandOver once
// the Bid was created. It is not renewed by itself.
//
// Requests with Leases: one when the posting is not locked; two reads and a watch more when it is. It blocks for the lock's
// timeout at most.
//
// Errors: *lock.TimeoutError, *lock.CooldownError, *lock.UnavailableError, *MarketplaceNotFoundError, *onebidv1.KeyError,
// the context's, and those of the API server.
func (s *Scanner) Acquire(ctx context.Context, postingID string) (lock.Lock, error) {
	market, err := s.readMarket(ctx)
	if err != nil {
		return nil, err
	}
	return s.acquire(ctx, market, lock.Request{Key: s.keyOf(postingID)})
}

// Release ends a lock. It costs one request with Leases, and goes on for a few seconds when the context has ended. That the
// lock had run out is no error.
func (s *Scanner) Release(ctx context.Context, held lock.Lock) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	err := held.Release(ctx)
	if errors.Is(err, lock.ErrLost) {
		s.log.V(1).Info("A lock on a posting had run out before it was released", "marketplace", s.marketplace)
		return nil
	}
	return err
}

// WithLock runs work while it holds the posting's lock, which it renews and releases in the end. It costs what Acquire and
// Release cost. The error is that of Acquire, after which work was not run, or that of work.
func (s *Scanner) WithLock(ctx context.Context, postingID string, work func(context.Context) error) error {
	market, err := s.readMarket(ctx)
	if err != nil {
		return err
	}
	held, err := s.acquire(ctx, market, lock.Request{Key: s.keyOf(postingID)})
	if err != nil {
		return err
	}
	defer s.giveBack(ctx, held.Release)
	stop := s.keep(ctx, held, s.ttl(market))
	defer stop()
	return work(ctx)
}

func (s *Scanner) keyOf(postingID string) onebidv1.Key {
	return onebidv1.Key{Marketplace: s.marketplace, PostingID: postingID}
}

// acquire locks, counts, and retries when the backend fails. Waiting of the request may be called several times.
func (s *Scanner) acquire(ctx context.Context, market *onebidv1.Marketplace, req lock.Request) (lock.Lock, error) {
	req.Namespace, req.TTL, req.Timeout = s.namespace, s.ttl(market), s.timeout(market)
	given, contended := req, false
	req.Waiting = func(holder string) {
		contended = true
		given.Wait(holder)
	}
	backoff := wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: s.retries()}
	for {
		started := s.clock.Now()
		backend := s.backend.Name()
		s.metrics.attempts.WithLabelValues(s.marketplace, backend).Inc()
		held, err := s.backend.Acquire(ctx, req)
		if is[*lock.TimeoutError](err) && !req.GaveUp() {
			contended = true
			s.metrics.timeouts.WithLabelValues(s.marketplace, backend).Inc()
		}
		if contended {
			s.metrics.conflicts.WithLabelValues(s.marketplace, backend).Inc()
		}
		if err == nil {
			s.metrics.acquired(s.marketplace, held.Backend(), s.clock.Since(started))
			return held, nil
		}
		if backoff.Steps <= 0 || !retryable(ctx, err) || s.pause(ctx, backoff.Step()) != nil {
			return nil, err
		}
	}
}

func (s *Scanner) retries() int {
	if s.locks.Retries == 0 {
		return DefaultRetries
	}
	return s.locks.Retries
}

// retryable is true when the backend failed in a way that may pass, and false when it answered.
func retryable(ctx context.Context, err error) bool {
	if is[*lock.TimeoutError](err) || is[*lock.CooldownError](err) || is[*onebidv1.KeyError](err) {
		return false
	}
	return mayPass(ctx, err)
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// keep renews a lock until the returned function is called. When the lock is lost the work goes on all the same: it was
// begun, and the Bid's name decides whose bid counts.
func (s *Scanner) keep(ctx context.Context, held lock.Lock, ttl time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for s.pause(ctx, ttl/renewals) == nil {
			err := held.Renew(ctx)
			if err != nil && ctx.Err() == nil {
				s.log.Info("Could not renew the lock on a posting", "marketplace", s.marketplace, "reason", err.Error())
			}
			if errors.Is(err, lock.ErrLost) {
				return
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// giveBack ends a lock by its Release or HandOver. After a failure the lock runs out.
func (s *Scanner) giveBack(ctx context.Context, end func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	if err := end(ctx); err != nil {
		s.log.V(1).Info("Could not release a lock", "marketplace", s.marketplace, "reason", err.Error())
	}
}
