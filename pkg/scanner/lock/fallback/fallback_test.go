package fallback_test

import (
	"context"
	"errors"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/pkg/scanner/lock"
	"github.com/onebid-dev/onebid/pkg/scanner/lock/fallback"
	"github.com/onebid-dev/onebid/pkg/scanner/lock/memory"
)

// broken is a backend in memory that may be out of reach. It takes its time to fail.
type broken struct {
	lock.Backend
	clock *clocktesting.FakeClock
	err   error
	asked int
}

func (*broken) Name() string { return "first" }

func (b *broken) Acquire(ctx context.Context, req lock.Request) (lock.Lock, error) {
	b.asked++
	if b.err != nil {
		b.clock.Step(time.Second)
		return nil, b.err
	}
	return b.Backend.Acquire(ctx, req)
}

type second struct {
	lock.Backend
	timeouts []time.Duration
}

func (s *second) Acquire(ctx context.Context, req lock.Request) (lock.Lock, error) {
	s.timeouts = append(s.timeouts, req.Timeout)
	return s.Backend.Acquire(ctx, req)
}

func TestSwitching(t *testing.T) {
	g := NewWithT(t)
	clk := clocktesting.NewFakeClock(time.Now())
	down := &lock.UnavailableError{Backend: "first", Err: errors.New("no route")}
	first := &broken{Backend: memory.New(clock.RealClock{}), clock: clk}
	other := &second{Backend: memory.New(clock.RealClock{})}
	var pinged int
	var changes []error
	backend := fallback.New(fallback.Options{
		First: first, Second: other, Interval: time.Second, PingTimeout: time.Second, Clock: clk,
		Ping: func(ctx context.Context) error {
			pinged++
			_, bounded := ctx.Deadline()
			g.Expect(bounded).To(BeTrue())
			return first.err
		},
		Changed: func(cause error) { changes = append(changes, cause) },
	})
	request := lock.Request{
		Key: onebidv1.Key{Marketplace: "m", PostingID: "1"}, TTL: time.Minute, Timeout: 10 * time.Second,
	}
	use := func() error {
		l, err := backend.Acquire(t.Context(), request)
		if err == nil {
			g.Expect(l.Release(t.Context())).To(Succeed())
		}
		return err
	}

	g.Expect(use()).To(Succeed())
	g.Expect(backend.Name()).To(Equal("first"))
	first.err = errors.New("an answer")
	g.Expect(use()).To(MatchError("an answer"), "only a backend that is out of reach is given up")

	first.err = down
	g.Expect(use()).To(Succeed())
	g.Expect(backend.Name()).To(Equal(lock.Memory))
	g.Expect(other.timeouts).To(Equal([]time.Duration{9 * time.Second}), "what the first one took is not spent twice")
	g.Expect(changes).To(Equal([]error{down}))

	g.Expect(use()).To(Succeed())
	g.Expect(pinged).To(BeZero(), "it is asked once in an interval")
	clk.Step(time.Second)
	g.Expect(use()).To(Succeed())
	g.Expect(use()).To(Succeed())
	g.Expect(pinged).To(Equal(1))
	g.Expect(changes).To(HaveLen(1))
	g.Expect(first.asked).To(Equal(3))

	first.err = nil
	clk.Step(time.Second)
	g.Expect(use()).To(Succeed())
	g.Expect(backend.Name()).To(Equal("first"))
	g.Expect(changes).To(Equal([]error{down, nil}))
	g.Expect(first.asked).To(Equal(4))

	first.err = down
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := backend.Acquire(ctx, request)
	g.Expect(err).To(HaveOccurred())
	g.Expect(backend.Name()).To(Equal("first"), "the caller gave up, not the backend")
}

func TestChangedMayBeLeftOut(t *testing.T) {
	clk := clocktesting.NewFakeClock(time.Now())
	first := &broken{Backend: memory.New(clk), clock: clk, err: &lock.UnavailableError{Err: errors.New("gone")}}
	backend := fallback.New(fallback.Options{First: first, Second: memory.New(clk), Clock: clk})
	_, err := backend.Acquire(t.Context(), lock.Request{Key: onebidv1.Key{Marketplace: "m", PostingID: "1"}, TTL: time.Minute})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
}
