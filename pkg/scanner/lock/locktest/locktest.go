// Package locktest is what every lock backend must do, as a test suite. It uses the real clock, with TTLs of a second.
package locktest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onsi/gomega"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/pkg/scanner/lock"
)

const (
	short = time.Second
	long  = 5 * time.Minute
	// patience is longer than anything should take on a busy machine.
	patience = time.Minute
)

// Suite says what to test.
type Suite struct {
	// Name that the backend must have.
	Name string
	// Process returns the backend as another process would have it. One that knows a single process returns the same.
	Process func(t *testing.T) lock.Backend
	// Namespace that may be used; it must be new in each test.
	Namespace func(t *testing.T) string
	// Stays is set for a backend whose lock is still there after HandOver, for somebody else to take.
	Stays bool
}

// Run runs the suite.
func Run(t *testing.T, s Suite) {
	for name, test := range map[string]func(*testing.T, *bench){
		"Free":        free,
		"Held":        held,
		"Apart":       apart,
		"HandOver":    handOver,
		"Woken":       woken,
		"GivesUp":     givesUp,
		"DeadHolder":  deadHolder,
		"Renewed":     renewed,
		"LateRelease": lateRelease,
		"OneAtATime":  oneAtATime,
	} {
		t.Run(name, func(t *testing.T) {
			b := &bench{WithT: gomega.NewWithT(t), t: t, suite: s, namespace: s.Namespace(t)}
			test(t, b)
		})
	}
}

type bench struct {
	*gomega.WithT
	t         *testing.T
	suite     Suite
	namespace string
}

func (b *bench) request(id string, options ...func(*lock.Request)) lock.Request {
	req := lock.Request{
		Namespace: b.namespace, Key: onebidv1.Key{Marketplace: "freelancer", PostingID: id}, TTL: long, Timeout: patience,
	}
	for _, option := range options {
		option(&req)
	}
	return req
}

func atOnce(r *lock.Request)  { r.Timeout = 0 }
func briefly(r *lock.Request) { r.TTL = short }

func (b *bench) acquire(by lock.Backend, req lock.Request) lock.Lock {
	b.t.Helper()
	l, err := by.Acquire(b.t.Context(), req)
	b.Expect(err).NotTo(gomega.HaveOccurred())
	b.Expect(l.Backend()).To(gomega.Equal(b.suite.Name))
	return l
}

func (b *bench) refused(by lock.Backend, req lock.Request) *lock.TimeoutError {
	b.t.Helper()
	_, err := by.Acquire(b.t.Context(), req)
	timeout, ok := errors.AsType[*lock.TimeoutError](err)
	b.Expect(ok).To(gomega.BeTrue(), "%v", err)
	return timeout
}

// waiting starts an Acquire that has to wait, and returns once it does.
func (b *bench) waiting(by lock.Backend, req lock.Request) *attempt {
	b.t.Helper()
	a := &attempt{done: make(chan struct{})}
	waits := make(chan string, 10)
	req.Waiting = func(holder string) { waits <- holder }
	go func() {
		defer close(a.done)
		a.lock, a.err = by.Acquire(b.t.Context(), req)
		a.at = time.Now()
	}()
	b.Eventually(waits, patience).Should(gomega.Receive(&a.holder))
	b.t.Cleanup(func() {
		b.Eventually(a.done, patience).Should(gomega.BeClosed())
		b.Expect(waits).To(gomega.BeEmpty(), "Waiting is called once")
	})
	return a
}

type attempt struct {
	done   chan struct{}
	holder string
	lock   lock.Lock
	err    error
	at     time.Time
}

func (b *bench) got(a *attempt) lock.Lock {
	b.t.Helper()
	b.Eventually(a.done, patience).Should(gomega.BeClosed())
	b.Expect(a.err).NotTo(gomega.HaveOccurred())
	return a.lock
}

func free(t *testing.T, b *bench) {
	one := b.suite.Process(t)
	b.Expect(one.Name()).To(gomega.Equal(b.suite.Name))
	for range 3 {
		l := b.acquire(one, b.request("1", atOnce, func(r *lock.Request) {
			r.Waiting = func(string) { t.Error("there is nothing to wait for") }
		}))
		b.Expect(l.Renew(t.Context())).To(gomega.Succeed())
		b.Expect(l.Release(t.Context())).To(gomega.Succeed())
		b.Expect(l.Release(t.Context())).To(gomega.MatchError(lock.ErrLost))
		b.Expect(l.Renew(t.Context())).To(gomega.MatchError(lock.ErrLost))
	}
	_, err := one.Acquire(t.Context(), b.request(""))
	_, ok := errors.AsType[*onebidv1.KeyError](err)
	b.Expect(ok).To(gomega.BeTrue(), "%v", err)
}

// Who has a lock keeps out other processes and its own goroutines.
func held(t *testing.T, b *bench) {
	one, two := b.suite.Process(t), b.suite.Process(t)
	l := b.acquire(one, b.request("1"))
	for _, other := range []lock.Backend{one, two} {
		timeout := b.refused(other, b.request("1", atOnce))
		b.Expect(timeout.Holder).NotTo(gomega.BeEmpty())
		b.Expect(timeout.Until).To(gomega.BeTemporally("~", time.Now().Add(long), patience))
		b.Expect(timeout).To(gomega.MatchError(gomega.ContainSubstring("the posting is locked by " + timeout.Holder)))
		timeout = b.refused(other, b.request("1", func(r *lock.Request) { r.Timeout = 50 * time.Millisecond }))
		b.Expect(timeout.Waited).To(gomega.BeNumerically(">=", 50*time.Millisecond))
	}
	b.Expect(l.Release(t.Context())).To(gomega.Succeed())
	b.acquire(two, b.request("1", atOnce))
}

func apart(t *testing.T, b *bench) {
	one, two := b.suite.Process(t), b.suite.Process(t)
	b.acquire(one, b.request("1"))
	b.acquire(two, b.request("2", atOnce))
	b.acquire(two, b.request("A/1", atOnce))
	elsewhere := b.suite.Namespace(t)
	b.acquire(two, b.request("1", atOnce, func(r *lock.Request) { r.Namespace = elsewhere }))
	b.acquire(two, b.request("1", atOnce, func(r *lock.Request) { r.Key.Marketplace = "upwork" }))
}

func handOver(t *testing.T, b *bench) {
	one, two := b.suite.Process(t), b.suite.Process(t)
	l := b.acquire(one, b.request("1"))
	b.Expect(l.HandOver(t.Context())).To(gomega.Succeed())
	b.Expect(l.Renew(t.Context())).To(gomega.MatchError(lock.ErrLost))
	if b.suite.Stays {
		b.Expect(b.refused(two, b.request("1", atOnce)).Holder).NotTo(gomega.BeEmpty())
		return
	}
	b.acquire(two, b.request("1", atOnce))
}

// A release wakes who waits, within milliseconds; the latency is logged.
func woken(t *testing.T, b *bench) {
	const rounds = 30
	processes := []lock.Backend{b.suite.Process(t), b.suite.Process(t)}
	l := b.acquire(processes[0], b.request("1"))
	var took []time.Duration
	for i := range rounds {
		next := b.waiting(processes[(i+1)%2], b.request("1"))
		b.Expect(next.holder).NotTo(gomega.BeEmpty())
		released := time.Now()
		b.Expect(l.Release(t.Context())).To(gomega.Succeed())
		l = b.got(next)
		took = append(took, next.at.Sub(released))
	}
	slices.Sort(took)
	t.Logf("hand-over with %s: p50 %s, max %s", b.suite.Name, took[rounds/2].Round(10*time.Microsecond), took[rounds-1])
	// Far above what an idle machine takes, far below any interval of polling that would be worth the name.
	b.Expect(took[0]).To(gomega.BeNumerically("<", 100*time.Millisecond))
}

func givesUp(t *testing.T, b *bench) {
	one, two := b.suite.Process(t), b.suite.Process(t)
	l := b.acquire(one, b.request("1"))
	enough := make(chan struct{})
	a := b.waiting(two, b.request("1", func(r *lock.Request) { r.GiveUp = enough }))
	close(enough)
	b.Eventually(a.done, patience).Should(gomega.BeClosed())
	timeout, ok := errors.AsType[*lock.TimeoutError](a.err)
	b.Expect(ok).To(gomega.BeTrue(), "%v", a.err)
	b.Expect(timeout.Waited).To(gomega.BeNumerically("<", patience))

	ctx, cancel := context.WithCancel(t.Context())
	_, err := two.Acquire(ctx, b.request("1", func(r *lock.Request) { r.Waiting = func(string) { cancel() } }))
	b.Expect(err).To(gomega.MatchError(context.Canceled))
	b.Expect(l.Release(t.Context())).To(gomega.Succeed())
	b.acquire(two, b.request("1", atOnce))
}

// Who dies keeps a posting for its TTL, and not for longer.
func deadHolder(t *testing.T, b *bench) {
	one, two := b.suite.Process(t), b.suite.Process(t)
	started := time.Now()
	dead := b.acquire(one, b.request("1", briefly))
	b.acquire(two, b.request("1", briefly))
	b.Expect(time.Since(started)).To(gomega.BeNumerically(">=", short-50*time.Millisecond))
	b.Expect(dead.Renew(t.Context())).To(gomega.MatchError(lock.ErrLost))
	b.Expect(dead.Release(t.Context())).To(gomega.MatchError(lock.ErrLost))
}

// Who renews keeps it, for longer than a TTL, which is one that a busy machine can keep up with.
func renewed(t *testing.T, b *bench) {
	const ttl, times = 4 * short, 12
	lasting := func(r *lock.Request) { r.TTL = ttl }
	one, two := b.suite.Process(t), b.suite.Process(t)
	l := b.acquire(one, b.request("1", lasting))
	other := b.waiting(two, b.request("1", lasting))
	ticker := time.NewTicker(ttl / 8)
	defer ticker.Stop()
	for range times {
		<-ticker.C
		b.Expect(l.Renew(t.Context())).To(gomega.Succeed())
		b.Expect(other.done).NotTo(gomega.BeClosed())
	}
	b.Expect(l.Release(t.Context())).To(gomega.Succeed())
	b.got(other)
}

// Whoever comes back late does not release what is somebody else's by now.
func lateRelease(t *testing.T, b *bench) {
	one, two, three := b.suite.Process(t), b.suite.Process(t), b.suite.Process(t)
	late := b.acquire(one, b.request("1", briefly))
	b.acquire(two, b.request("1"))
	b.Expect(late.Release(t.Context())).To(gomega.MatchError(lock.ErrLost))
	b.Expect(late.HandOver(t.Context())).To(gomega.Or(gomega.Succeed(), gomega.MatchError(lock.ErrLost)))
	b.Expect(b.refused(three, b.request("1", atOnce)).Holder).NotTo(gomega.BeEmpty())
}

// Many, in several processes: never two inside, and everybody gets in.
func oneAtATime(t *testing.T, b *bench) {
	const processes, goroutines = 4, 4
	var inside, entered atomic.Int32
	var group sync.WaitGroup
	failed := make(chan error, processes*goroutines)
	for range processes {
		backend := b.suite.Process(t)
		for range goroutines {
			group.Go(func() { failed <- enter(t.Context(), backend, b.request("1"), &inside, &entered) })
		}
	}
	group.Wait()
	close(failed)
	for err := range failed {
		b.Expect(err).NotTo(gomega.HaveOccurred())
	}
	b.Expect(entered.Load()).To(gomega.BeEquivalentTo(processes * goroutines))
}

func enter(ctx context.Context, by lock.Backend, req lock.Request, inside, entered *atomic.Int32) error {
	l, err := by.Acquire(ctx, req)
	if err != nil {
		return err
	}
	if now := inside.Add(1); now != 1 {
		return fmt.Errorf("%d are inside", now)
	}
	entered.Add(1)
	// Other goroutines get their chance to break in.
	if err := l.Renew(ctx); err != nil {
		return err
	}
	inside.Add(-1)
	return l.Release(ctx)
}
