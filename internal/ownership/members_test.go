package ownership

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	"go.uber.org/goleak"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/testenv/fakeapi"
)

func TestHeartbeatLease(t *testing.T) {
	w := newWorld(t)
	a := w.replica("Host.1")
	lease := w.api.Lease(a.members.own.ref())
	w.Expect(lease.Name).To(Equal("onebid-heartbeat.host-1." + a.me.ID))
	w.Expect(lease.Labels).To(Equal(map[string]string{onebidv1.LabelLease: onebidv1.LeaseKindHeartbeat}))
	w.Expect(lease.Spec.LeaseDurationSeconds).To(HaveValue(BeEquivalentTo(5)))
	w.Expect(HolderOf(lease)).To(Equal(a.me.String()))
}

// Validity counts from before the heartbeat was sent: an observer may have seen the write at any moment after that.
func TestValidityCountsFromTheSend(t *testing.T) {
	w := newWorld(t)
	a := w.replica("a")
	w.api.Hook(func(r fakeapi.Request) {
		if r.Verb == "update" {
			w.clock.Step(2 * time.Second)
		}
	})
	w.Expect(a.members.own.renew(t.Context())).To(Succeed())
	epoch, err := a.members.own.current()
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(a.members.own.until).To(Equal(epochStart.Add(5 * time.Second)))
	w.Expect(epoch).To(BeEquivalentTo(1))
}

func TestEpochRisesAfterALapse(t *testing.T) {
	w := newWorld(t)
	a := w.replica("a")
	notified := 0
	a.members.Subscribe(func() { notified++ })
	for _, c := range []struct {
		step  time.Duration
		epoch uint64
		why   string
	}{
		{4 * time.Second, 1, "the margin is not yet used"},
		{4*time.Second + 1, 2, "it is"},
		{time.Hour, 3, "long after"},
		{time.Second, 3, "on time"},
	} {
		w.clock.Step(c.step)
		w.Expect(a.members.own.renew(t.Context())).To(Succeed())
		epoch, _ := a.members.own.current()
		w.Expect(epoch).To(Equal(c.epoch), c.why)
	}
	w.Expect(notified).To(Equal(2), "what waits for the heartbeat is notified")

	// The reply to a renewal that was sent in time may come too late.
	w.api.Hook(func(r fakeapi.Request) {
		if r.Verb == "update" {
			w.clock.Step(4*time.Second + 1)
		}
	})
	w.Expect(a.members.own.renew(t.Context())).To(Succeed())
	epoch, _ := a.members.own.current()
	w.Expect(epoch).To(BeEquivalentTo(4))
	w.Expect(a.members.Ready()).To(MatchError(ContainSubstring("heartbeat is not acknowledged")), "and is of no use")
}

func TestHeartbeatRecovers(t *testing.T) {
	w := newWorld(t)
	a := w.replica("a")
	ref := a.members.own.ref()

	w.api.Lose("update")
	w.Expect(a.members.own.renew(t.Context())).To(MatchError(context.DeadlineExceeded))
	w.clock.Step(time.Second)
	w.api.Requests()
	w.Expect(a.members.own.renew(t.Context())).To(Succeed())
	w.Expect(w.api.Requests()).To(Equal([]string{"update", "get", "update"}))

	w.api.Remove(ref)
	w.Expect(a.members.own.renew(t.Context())).To(Succeed(), "a person deleted it")
	w.Expect(w.api.Requests()).To(Equal([]string{"update", "get", "create"}))

	w.api.Edit(ref, func(*coordinationv1.Lease) {})
	w.api.Fail("get", apierrors.NewInternalError(errors.New("etcd")))
	w.Expect(apierrors.IsInternalError(a.members.own.renew(t.Context()))).To(BeTrue())
	w.api.Hook(func(r fakeapi.Request) {
		if r.Verb == "update" {
			w.api.Edit(ref, func(*coordinationv1.Lease) {})
		}
	})
	w.Expect(apierrors.IsConflict(a.members.own.renew(t.Context()))).To(BeTrue(), "a fight ends")
}

// Rule 3: silence proves nothing, a live read at the end of the window does.
func TestDeadReplicaIsTakenOverAfterItsWindowAndNotBefore(t *testing.T) {
	w := newWorld(t)
	a, b := w.replica("a"), w.replica("b")
	w.sees(b, a)
	w.claimed(a, placing("uid-a", 1))
	w.clock.Step(time.Second)
	w.renew(b)

	refused := func() time.Time {
		_, err := b.Acquire(t.Context(), request("uid-a", nil))
		held, ok := errors.AsType[*HeldError](err)
		w.Expect(ok).To(BeTrue(), "%v", err)
		w.Expect(held.Holder).To(Equal(a.me.String()))
		return held.Until
	}
	w.Expect(refused()).To(Equal(epochStart.Add(5 * time.Second)))
	w.clock.Step(4*time.Second - 1)
	w.renew(b)
	w.Expect(refused()).To(Equal(epochStart.Add(5 * time.Second)))

	// b's watch is silent, but a lives.
	w.renew(a)
	w.clock.Step(1)
	w.api.Requests()
	w.Expect(refused()).To(Equal(w.clock.Now().Add(5 * time.Second)))
	w.Expect(w.api.Requests()).To(Equal([]string{"create", "get", "get"}), "the heartbeat was read live")

	w.clock.Step(4 * time.Second)
	w.renew(b)
	w.clock.Step(time.Second)
	claim, err := b.Acquire(t.Context(), request("uid-a", nil))
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(claim.Prior).To(Equal(Intents{*placing("uid-a", 1)}))
	w.Expect(w.lease().Annotations).To(HaveKeyWithValue(onebidv1.AnnotationHeartbeat, b.members.own.ref()))
}

// A heartbeat that is missing is not dead at once: its owner may be about to write it.
func TestMissingHeartbeatHasAWindowOfItsOwn(t *testing.T) {
	w := newWorld(t)
	a, b := w.replica("a"), w.replica("b")
	w.claimed(a, nil)
	w.api.Remove(a.members.own.ref())
	_, err := b.Acquire(t.Context(), request("uid-a", nil))
	held, ok := errors.AsType[*HeldError](err)
	w.Expect(ok).To(BeTrue())
	w.Expect(held.Until).To(Equal(epochStart.Add(5 * time.Second)))

	w.clock.Step(3 * time.Second)
	w.renew(b)
	w.clock.Step(2 * time.Second)
	w.Expect(b.members.state(a.members.own.ref())).To(Equal(heartbeatState{readable: true, until: w.clock.Now()}))
	w.api.Fail("get", nil) // the posting's Lease can be read
	w.api.Fail("get", apierrors.NewInternalError(errors.New("etcd")))
	_, err = b.Acquire(t.Context(), request("uid-a", nil))
	w.Expect(apierrors.IsInternalError(err)).To(BeTrue(), "a read that failed confirms nothing")
	_, err = b.Acquire(t.Context(), request("uid-a", nil))
	w.Expect(err).NotTo(HaveOccurred())
}

// What a read shows may be as old as its request: one that was sent before the end of the window confirms nothing.
func TestAReadBeforeTheEndConfirmsNothing(t *testing.T) {
	w := newWorld(t)
	a, b := w.replica("a"), w.replica("b")
	w.sees(b, a)
	w.clock.Step(5*time.Second - 1)
	w.api.Hook(func(fakeapi.Request) { w.clock.Step(time.Second) })
	dead, err := b.members.confirmDead(t.Context(), a.members.own.ref())
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(dead).To(BeFalse())
	dead, err = b.members.confirmDead(t.Context(), a.members.own.ref())
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(dead).To(BeTrue())
}

func TestAHolderThatComesBackIsNoticed(t *testing.T) {
	w := newWorld(t)
	a, b := w.replica("a"), w.replica("b")
	w.sees(b, a)
	claim := w.claimed(a, nil)
	w.clock.Step(3 * time.Second)
	w.renew(b)
	w.clock.Step(2 * time.Second)
	dead, err := b.members.confirmDead(t.Context(), a.members.own.ref())
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(dead).To(BeTrue())

	// Between b's live read of the heartbeat and its update, a is back and asserts what it holds.
	w.api.Hook(func(r fakeapi.Request) {
		if r.Verb == "update" && r.Name == leaseName {
			w.api.Hook(nil)
			w.Expect(a.members.own.renew(t.Context())).To(Succeed())
			w.Expect(a.Assert(t.Context(), claim)).To(Succeed())
		}
	})
	_, err = b.Acquire(t.Context(), request("uid-a", nil))
	_, held := errors.AsType[*HeldError](err)
	w.Expect(held).To(BeTrue(), "%v", err)
	w.Expect(a.Authorize(claim, time.Second)).To(Succeed())
}

func TestHeartbeatsElsewhereAreNotJudged(t *testing.T) {
	w := newWorld(t)
	b := w.replica("b")
	w.Expect(b.members.state("elsewhere/" + controllerA.heartbeatName()).readable).To(BeFalse())
	w.Expect(b.members.state("elsewhere/x").readable).To(BeFalse())
	w.Expect(b.members.state("onebid-system/x").readable).To(BeTrue())
}

func TestLiveSet(t *testing.T) {
	w := newWorld(t)
	a, b := w.replica("a"), w.replica("b")
	notified := 0
	a.members.Subscribe(func() { notified++ })
	tell := func() {
		_, _, notify := a.members.refresh()
		for _, n := range notify {
			n()
		}
	}
	w.Expect(a.members.Live()).To(Equal([]string{a.me.String()}))
	w.Expect(a.members.Owns("tenant/freelancer.1")).To(BeTrue())

	w.sees(a, b)
	tell()
	both := []string{a.me.String(), b.me.String()}
	slices.Sort(both)
	w.Expect(a.members.Live()).To(Equal(both))
	w.Expect(notified).To(Equal(1))
	tell()
	w.Expect(notified).To(Equal(1), "nothing changed")
	w.Expect(a.members.Owns("tenant/freelancer.1")).To(Equal(rendezvous(both, "tenant/freelancer.1") == a.me.String()))

	w.clock.Step(5 * time.Second)
	tell()
	w.Expect(a.members.Live()).To(Equal([]string{a.me.String()}))
	w.renew(b)
	w.sees(a, b)
	tell()
	w.Expect(a.members.Live()).To(Equal(both), "it came back")
	a.members.onDelete(cache.DeletedFinalStateUnknown{Obj: w.api.Lease(b.members.own.ref())})
	tell()
	w.Expect(notified).To(Equal(4))
	w.Expect(a.members.Live()).To(Equal([]string{a.me.String()}))

	// What is not another replica's heartbeat changes nothing.
	for _, object := range []any{&corev1.Pod{}, w.api.Lease(a.members.own.ref())} {
		a.members.onHeartbeat(object)
		a.members.onDelete(object)
	}
	w.Expect(a.members.peers).To(BeEmpty())
}

func TestNotReadyBeforeTheFirstHeartbeat(t *testing.T) {
	w := newWorld(t)
	m := NewMembers(w.api, "onebid-system", controllerA, DefaultTiming(), w.clock, logr.Discard())
	w.Expect(m.Ready()).To(MatchError(ContainSubstring("not known yet")))
	m.setSynced()
	w.Expect(m.Ready()).To(MatchError(ContainSubstring("not acknowledged")))
	again, dead, tell := m.refresh()
	w.Expect(again).To(Equal(5 * time.Second))
	w.Expect(dead).To(BeEmpty())
	w.Expect(tell).To(BeEmpty())
	w.Expect(m.Live()).To(BeEmpty())
	w.Expect(m.Owns("k")).To(BeFalse())
	w.Expect(m.own.renew(t.Context())).To(Succeed())
	w.Expect(m.Ready()).To(Succeed())
}

// The heartbeat of a replica that died long ago is deleted by one of those who live, in the version that was watched.
func TestDeadHeartbeatsAreDeleted(t *testing.T) {
	w := newWorld(t)
	a, b := w.replica("a"), w.replica("b")
	w.sees(a, b)
	w.sees(b, a)
	const gone = "onebid-heartbeat.gone.1"
	ref := "onebid-system/" + gone
	lease := w.api.Edit(ref, func(l *coordinationv1.Lease) {
		l.Namespace, l.Name = "onebid-system", gone
		l.Spec = coordinationv1.LeaseSpec{HolderIdentity: ptr.To("controller/gone_1"), LeaseDurationSeconds: ptr.To[int32](5)}
	})
	a.members.onHeartbeat(lease)
	b.members.onHeartbeat(lease)
	w.clock.Step(5 * time.Second)
	_, dead, _ := a.members.refresh()
	w.Expect(dead).To(BeEmpty())
	w.clock.Step(deleteAfter - 1)
	again, dead, _ := a.members.refresh()
	w.Expect(dead).To(BeEmpty())
	w.Expect(again).To(Equal(time.Duration(1)))
	w.clock.Step(1)
	w.renew(a, b)
	w.sees(a, b)
	w.sees(b, a)
	_, byA, _ := a.members.refresh()
	_, byB, _ := b.members.refresh()
	w.Expect(append(byA, byB...)).To(HaveLen(1), "by exactly one")

	w.api.Edit(ref, func(*coordinationv1.Lease) {})
	a.members.deleteDead(t.Context(), lease)
	w.Expect(w.api.Lease(ref)).NotTo(BeNil(), "it was alive after all")
	a.members.deleteDead(t.Context(), w.api.Lease(ref))
	w.Expect(w.api.Lease(ref)).To(BeNil())
	a.members.deleteDead(t.Context(), lease)
}

func TestMembersRun(t *testing.T) {
	defer goleak.VerifyNone(t)
	w := newWorld(t)
	me := NewIdentity(RoleController, "a")
	m := NewMembers(w.api, "onebid-system", me, DefaultTiming(), w.clock, logr.Discard())
	changed := make(chan struct{}, 10)
	m.Subscribe(func() { changed <- struct{}{} })
	peer := func(edit func(*coordinationv1.Lease)) {
		w.api.Edit("onebid-system/onebid-heartbeat.b.2", func(l *coordinationv1.Lease) {
			l.Namespace, l.Name = "onebid-system", "onebid-heartbeat.b.2"
			l.Labels = map[string]string{onebidv1.LabelLease: onebidv1.LeaseKindHeartbeat}
			l.Spec = heldBy(controllerB.String(), "").Spec
			edit(l)
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- m.Run(ctx) }()
	w.until(func() bool { return len(m.Live()) == 1 && w.clock.Waiters() == 2 })
	w.Expect(m.Ready()).To(Succeed())
	<-changed

	peer(func(*coordinationv1.Lease) {})
	w.until(func() bool { return len(m.Live()) == 2 })
	<-changed
	peer(func(l *coordinationv1.Lease) { touch(l, w.clock.Now()) })

	// The heartbeat goes on by the clock, sooner after a failure.
	w.until(func() bool { return w.clock.Waiters() == 2 })
	w.api.Fail("update", apierrors.NewInternalError(errors.New("etcd")))
	w.clock.Step(1500 * time.Millisecond)
	w.until(func() bool { return slices.Contains(w.api.Requests(), "update") })
	w.until(func() bool { return w.clock.Waiters() == 2 })
	w.clock.Step(500 * time.Millisecond)
	w.until(func() bool {
		m.own.mu.Lock()
		defer m.own.mu.Unlock()
		return m.own.until.Equal(epochStart.Add(7 * time.Second))
	})

	// The loop deletes the dead heartbeat in its own time.
	w.until(func() bool { return w.clock.Waiters() == 2 })
	w.clock.Step(2 * deleteAfter)
	w.until(func() bool { return w.api.Lease("onebid-system/onebid-heartbeat.b.2") == nil })

	w.api.Fail("delete", apierrors.NewInternalError(errors.New("etcd")))
	cancel()
	w.Expect(<-ended).To(Succeed())
	w.Expect(m.Live()).To(BeEmpty())
	w.Expect(m.Ready()).To(HaveOccurred(), "nothing is authorised from here on")
	w.Expect(w.api.Lease(m.own.ref())).NotTo(BeNil(), "others will see it expire")
	m.own.stop(t.Context())
	w.Expect(w.api.Lease(m.own.ref())).To(BeNil())
}

func TestMembersRunWithoutAnAPIServer(t *testing.T) {
	defer goleak.VerifyNone(t)
	w := newWorld(t)
	w.api.Hook(func(r fakeapi.Request) { w.api.Fail(r.Verb, apierrors.NewServiceUnavailable("starting")) })
	m := NewMembers(w.api, "onebid-system", controllerA, DefaultTiming(), w.clock, logr.Discard())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- m.Run(ctx) }()
	w.until(func() bool { return w.clock.Waiters() == 2 })
	cancel()
	w.Expect(<-ended).To(Succeed())
	w.Expect(w.api.Requests()).NotTo(ContainElement("delete"), "there is nothing to delete")
}
