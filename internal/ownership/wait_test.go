package ownership

import (
	"context"
	"errors"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"

	"github.com/onebid-dev/onebid/internal/testenv/fakeapi"
)

// waiting is an AcquireWait in a goroutine of its own.
type waiting struct {
	claim *Claim
	err   error
	done  chan struct{}
}

// waitFor starts AcquireWait and returns once it waits: it has a watch, and its timers are set.
func (w *world) waitFor(ctx context.Context, c *Client, req Request, timeout time.Duration) *waiting {
	w.Helper()
	watching, timers := w.api.server.Watches(), w.clock.Waiters()
	result := &waiting{done: make(chan struct{})}
	go func() {
		defer close(result.done)
		result.claim, result.err = c.AcquireWait(ctx, req, timeout)
	}()
	w.until(func() bool { return w.api.server.Watches() > watching && w.clock.Waiters() == timers+2 })
	return result
}

func (w *world) ended(result *waiting) (*Claim, error) {
	w.Helper()
	w.Eventually(result.done, "10s").Should(BeClosed())
	return result.claim, result.err
}

// timerSpy tells which timers were set, once they are.
type timerSpy struct {
	*clocktesting.FakeClock
	set chan time.Duration
}

func (c *timerSpy) NewTimer(d time.Duration) clock.Timer {
	timer := c.FakeClock.NewTimer(d)
	c.set <- d
	return timer
}

// pausing breaks all watches and returns once the client pauses before it watches again.
func (w *world) pausing(c *Client, event *watch.Event) {
	w.Helper()
	spy := c.clock.(*timerSpy)
	for len(spy.set) > 0 {
		<-spy.set
	}
	w.api.server.EndWatches(event)
	w.Eventually(spy.set, "10s").Should(Receive(Equal(watchPause)))
}

func (w *world) spied(host string) *Client {
	s := w.scanner(host)
	s.clock = &timerSpy{FakeClock: w.clock, set: make(chan time.Duration, 100)}
	return s
}

func (w *world) foreign() {
	w.api.Edit(namespace+"/"+leaseName, func(l *coordinationv1.Lease) {
		*l = coordinationv1.Lease{ObjectMeta: l.ObjectMeta, Spec: heldBy("pod_1", "").Spec}
		l.Namespace, l.Name = namespace, leaseName
	})
}

func TestAcquireWaitIsAcquireWhenItIsFree(t *testing.T) {
	w := newWorld(t)
	_, err := w.scanner("s").AcquireWait(t.Context(), request("", nil), time.Second)
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(w.api.Requests()).To(Equal([]string{"create"}))
	w.Expect(w.clock.HasWaiters()).To(BeFalse())
}

func TestAcquireWaitIsWokenByTheWatch(t *testing.T) {
	ref := namespace + "/" + leaseName
	for _, c := range []struct {
		why  string
		free func(*world)
		want []string
	}{
		{"released", func(w *world) {
			w.api.Edit(ref, func(l *coordinationv1.Lease) { l.Spec.HolderIdentity = nil })
		}, []string{"update"}},
		{"deleted", func(w *world) { w.api.Remove(ref) }, []string{"create"}},
	} {
		w := newWorld(t)
		w.foreign()
		s := w.scanner("s")
		result := w.waitFor(t.Context(), s, request("", nil), 10*time.Second)
		w.api.Requests()
		w.api.Edit(ref, func(*coordinationv1.Lease) {}) // a renewal is no chance
		c.free(w)
		claim, err := w.ended(result)
		w.Expect(err).NotTo(HaveOccurred(), c.why)
		w.Expect(s.Authorize(claim, time.Second)).To(Succeed())
		w.Expect(w.api.Requests()).To(Equal(c.want), "%s: one write, and no look before it", c.why)
		w.Expect(w.clock.HasWaiters()).To(BeFalse(), "timers must be stopped")
		w.Expect(w.api.server.Watches()).To(BeZero(), "and the watch too")
	}
}

// What becomes free between the first refusal and the watch is found by looking again after the watch has begun.
func TestAcquireWaitMissesNoRelease(t *testing.T) {
	w := newWorld(t)
	w.foreign()
	w.api.Hook(func(r fakeapi.Request) {
		if r.Verb == "watch" {
			w.api.Hook(nil)
			w.api.Remove(namespace + "/" + leaseName)
		}
	})
	_, err := w.scanner("s").AcquireWait(t.Context(), request("", nil), time.Hour)
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(w.api.Requests()).To(Equal([]string{"create", "get", "watch", "get", "create"}))
}

func TestAcquireWaitTimesOutAndRemembers(t *testing.T) {
	w := newWorld(t)
	w.foreign()
	s := w.scanner("s")
	for range 5 {
		result := w.waitFor(t.Context(), s, request("", nil), 10*time.Second)
		w.clock.Step(10 * time.Second)
		_, err := w.ended(result)
		timeout, ok := errors.AsType[*TimeoutError](err)
		w.Expect(ok).To(BeTrue())
		w.Expect(*timeout).To(Equal(TimeoutError{
			HeldError: HeldError{Holder: "pod_1", Until: epochStart.Add(time.Minute)}, Waited: 10 * time.Second,
		}))
		w.Expect(err).To(MatchError("gave up after 10s: the posting is held by pod_1 until 2026-11-23T12:01:00Z at least"))
		_, held := errors.AsType[*HeldError](err)
		w.Expect(held).To(BeTrue())
		w.Expect(w.clock.HasWaiters()).To(BeFalse())
	}
	// Five waits of 10 s have watched 50 s of the holder's minute; the sixth sees it expire.
	result := w.waitFor(t.Context(), s, request("", nil), 20*time.Second)
	w.clock.Step(10*time.Second - 1)
	w.Consistently(result.done, "20ms", "5ms").ShouldNot(BeClosed())
	w.clock.Step(1)
	_, err := w.ended(result)
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(HolderOf(w.lease())).To(Equal(s.me.String()))
}

func TestRenewalMovesTheExpiry(t *testing.T) {
	w := newWorld(t)
	w.foreign()
	s := w.scanner("s")
	result := w.waitFor(t.Context(), s, request("", nil), 100*time.Second)
	w.clock.Step(59 * time.Second)
	renewed := w.api.Edit(namespace+"/"+leaseName, func(l *coordinationv1.Lease) { touch(l, w.clock.Now()) })
	w.until(func() bool {
		last, _ := s.seen.last(namespace + "/" + leaseName)
		return last.record == recordOf(renewed) && w.clock.Waiters() == 2
	})
	w.clock.Step(2 * time.Second)
	w.Consistently(result.done, "20ms", "5ms").ShouldNot(BeClosed())
	w.clock.Step(39 * time.Second)
	_, err := w.ended(result)
	timeout, ok := errors.AsType[*TimeoutError](err)
	w.Expect(ok).To(BeTrue())
	w.Expect(timeout.Until).To(Equal(epochStart.Add(119 * time.Second)))
}

func TestAcquireWaitGoesOnWithAnotherWatch(t *testing.T) {
	for _, event := range []*watch.Event{nil, {Type: watch.Error, Object: &apierrors.NewResourceExpired("too old").ErrStatus}} {
		w := newWorld(t)
		w.foreign()
		s := w.spied("s")
		result := w.waitFor(t.Context(), s, request("", nil), 10*time.Second)
		w.pausing(s, event)
		w.clock.Step(watchPause)
		w.until(func() bool { return w.api.server.Watches() == 1 })
		w.api.Remove(namespace + "/" + leaseName)
		_, err := w.ended(result)
		w.Expect(err).NotTo(HaveOccurred())
	}
}

func TestAcquireWaitEndsWhileItHasNoWatch(t *testing.T) {
	for _, c := range []struct {
		why string
		end func(*world, context.CancelFunc)
	}{
		{"it times out", func(w *world, _ context.CancelFunc) { w.clock.Step(50 * time.Millisecond) }},
		{"it is canceled", func(_ *world, cancel context.CancelFunc) { cancel() }},
	} {
		w := newWorld(t)
		w.foreign()
		ctx, cancel := context.WithCancel(t.Context())
		s := w.spied("s")
		result := w.waitFor(ctx, s, request("", nil), 50*time.Millisecond)
		w.pausing(s, nil)
		c.end(w, cancel)
		_, err := w.ended(result)
		w.Expect(err).To(HaveOccurred(), c.why)
		w.Expect(w.clock.HasWaiters()).To(BeFalse(), c.why)
		cancel()
	}
}

func TestAcquireWaitErrors(t *testing.T) {
	w := newWorld(t)
	w.foreign()
	ctx, cancel := context.WithCancel(t.Context())
	result := w.waitFor(ctx, w.scanner("s"), request("", nil), time.Hour)
	cancel()
	_, err := w.ended(result)
	w.Expect(err).To(MatchError(context.Canceled))

	w.api.Fail("watch", apierrors.NewForbidden(leaseResource, "", errors.New("no")))
	_, err = w.scanner("s").AcquireWait(t.Context(), request("", nil), time.Hour)
	w.Expect(apierrors.IsForbidden(err)).To(BeTrue())
	w.Expect(err).To(MatchError(ContainSubstring("watch Lease tenant/" + leaseName)))

	result = w.waitFor(t.Context(), w.scanner("s"), request("", nil), time.Hour)
	w.api.Edit(namespace+"/"+leaseName, func(l *coordinationv1.Lease) { *l = *withTombstone(l, lostBid, epochStart) })
	_, err = w.ended(result)
	_, cooling := errors.AsType[*CooldownError](err)
	w.Expect(cooling).To(BeTrue(), "no caller waits for a cooldown")
}

// Goroutines of one process hand over to each other by the watch as well.
func TestAcquireWaitInOneProcess(t *testing.T) {
	w := newWorld(t)
	s := w.scanner("s")
	claim, err := s.Acquire(t.Context(), request("", nil))
	w.Expect(err).NotTo(HaveOccurred())
	result := w.waitFor(t.Context(), s, request("", nil), 10*time.Second)
	w.Expect(s.Release(t.Context(), claim)).To(Succeed())
	second, err := w.ended(result)
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(second.Token).NotTo(Equal(claim.Token))
}

func TestOnEventIgnoresOtherObjects(t *testing.T) {
	w := newWorld(t)
	waiter := &waiter{attempt: &attempt{c: w.scanner("s")}}
	w.Expect(waiter.onEvent(watch.Event{Type: watch.Bookmark, Object: &corev1.Pod{}})).To(BeFalse())
}

// A scanner that finds a dead controller's Lease: first the Lease's own duration, then a look at the heartbeat, which
// must stay as it is for its own duration.
func TestScannerRespectsAControllersHeartbeat(t *testing.T) {
	w := newWorld(t)
	a := w.replica("a")
	w.claimed(a, nil)
	w.api.Edit(namespace+"/"+leaseName, func(l *coordinationv1.Lease) { l.Spec.LeaseDurationSeconds = ptr.To[int32](60) })
	s := w.scanner("s")
	refused := func() time.Time {
		_, err := s.Acquire(t.Context(), request("", nil))
		held, ok := errors.AsType[*HeldError](err)
		w.Expect(ok).To(BeTrue(), "%v", err)
		return held.Until
	}
	w.Expect(refused()).To(Equal(epochStart.Add(time.Minute)))
	w.clock.Step(time.Minute)
	w.Expect(refused()).To(Equal(w.clock.Now().Add(5*time.Second)), "the first look starts a window")
	w.clock.Step(4 * time.Second)
	w.renew(a)
	w.clock.Step(time.Second)
	w.Expect(refused()).To(Equal(w.clock.Now().Add(5*time.Second)), "it was renewed")
	w.clock.Step(5 * time.Second)
	w.api.Requests()
	_, err := s.Acquire(t.Context(), request("", nil))
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(w.api.Requests()).To(Equal([]string{"create", "get", "get", "update"}))
}

func TestScannerThatMayNotReadHeartbeats(t *testing.T) {
	w := newWorld(t)
	w.claimed(w.replica("a"), nil)
	s := w.scanner("s")
	_, err := s.Acquire(t.Context(), request("", nil))
	w.Expect(err).To(HaveOccurred())
	w.clock.Step(defaultTTL)
	w.api.Hook(func(r fakeapi.Request) {
		if r.Verb == "get" && r.Name != leaseName {
			w.api.Fail("get", apierrors.NewForbidden(leaseResource, r.Name, errors.New("no")))
		}
	})
	_, err = s.Acquire(t.Context(), request("", nil))
	w.Expect(err).NotTo(HaveOccurred())
}
