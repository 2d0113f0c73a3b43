package ownership

import (
	"context"
	"errors"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
)

func TestRenewMovesTheExpiry(t *testing.T) {
	w := newWorld(t)
	s, other := w.scanner("s"), w.scanner("other")
	claim, err := s.Acquire(t.Context(), request("", nil))
	w.Expect(err).NotTo(HaveOccurred())
	_, err = other.Acquire(t.Context(), request("", nil))
	w.Expect(err).To(HaveOccurred())
	w.clock.Step(defaultTTL - 1)
	w.api.Requests()
	w.Expect(s.Renew(t.Context(), claim)).To(Succeed())
	w.Expect(w.api.Requests()).To(Equal([]string{"update"}))
	w.clock.Step(time.Second)
	_, err = other.Acquire(t.Context(), request("", nil))
	w.Expect(err).To(MatchError(ContainSubstring("held by " + s.me.String())))
	w.Expect(s.Release(t.Context(), claim)).To(Succeed())
	w.Expect(s.Renew(t.Context(), claim)).To(MatchError(ErrLost))
}

func TestRenewAfterItWasTaken(t *testing.T) {
	w := newWorld(t)
	s := w.scanner("s")
	claim, err := s.Acquire(t.Context(), request("", nil))
	w.Expect(err).NotTo(HaveOccurred())
	w.api.Edit(namespace+"/"+leaseName, func(l *coordinationv1.Lease) { l.Spec.HolderIdentity = nil })
	w.Expect(s.Renew(t.Context(), claim)).To(MatchError(ErrLost))

	ctx, cancel := context.WithCancel(t.Context())
	unlock, err := s.locks.lock(ctx, claim.ref())
	w.Expect(err).NotTo(HaveOccurred())
	defer unlock()
	cancel()
	w.Expect(s.Renew(ctx, claim)).To(MatchError(context.Canceled))
}

func TestGiveUpEndsTheWait(t *testing.T) {
	for _, c := range []struct {
		why  string
		with func(*world, *Client)
	}{
		{"it watches", func(*world, *Client) {}},
		{"it has no watch", func(w *world, s *Client) { w.pausing(s, nil) }},
	} {
		w := newWorld(t)
		w.foreign()
		s := w.spied("s")
		req, enough := request("", nil), make(chan struct{})
		req.GiveUp = enough
		result := w.waitFor(t.Context(), s, req, time.Hour)
		c.with(w, s)
		close(enough)
		_, err := w.ended(result)
		timeout, ok := errors.AsType[*TimeoutError](err)
		w.Expect(ok).To(BeTrue(), "%s: %v", c.why, err)
		w.Expect(timeout.Holder).To(Equal("pod_1"), c.why)
		w.Expect(w.clock.HasWaiters()).To(BeFalse(), "timers must be stopped")
	}
}

func TestWaitingIsCalledOnce(t *testing.T) {
	w := newWorld(t)
	s := w.scanner("s")
	var waits []string
	req := request("", nil)
	req.Waiting = func(held HeldError) { waits = append(waits, held.Holder) }
	claim, err := s.AcquireWait(t.Context(), req, time.Second)
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(waits).To(BeEmpty(), "it was free")
	w.Expect(s.Release(t.Context(), claim)).To(Succeed())

	w.foreign()
	result := w.waitFor(t.Context(), s, req, time.Second)
	w.api.Edit(namespace+"/"+leaseName, func(l *coordinationv1.Lease) { touch(l, w.clock.Now()) })
	w.clock.Step(time.Second)
	_, err = w.ended(result)
	w.Expect(err).To(HaveOccurred())
	w.Expect(waits).To(Equal([]string{"pod_1"}))
}

// A caller that learns in time that the Lease exists already decides whether to spend more requests on it.
func TestOccupied(t *testing.T) {
	w := newWorld(t)
	w.foreign()
	me, enough := w.scanner("a"), make(chan struct{})
	calls := 0
	req := request("", nil)
	req.GiveUp, req.Occupied = enough, func() { calls++ }
	w.api.Requests()
	_, err := me.Acquire(t.Context(), req)
	w.Expect(err).To(MatchError(ContainSubstring("pod_1")))
	w.Expect(w.api.Requests()).To(Equal([]string{"create", "get"}))
	w.Expect(calls).To(Equal(1))

	req.Occupied = func() { close(enough) }
	req.Waiting = func(HeldError) { t.Error("it was given up before") }
	_, err = me.AcquireWait(t.Context(), req, time.Hour)
	_, ok := errors.AsType[*TimeoutError](err)
	w.Expect(ok).To(BeTrue(), "%v", err)
	w.Expect(w.api.Requests()).To(Equal([]string{"create"}))

	req.Key.PostingID, req.Occupied = "free", func() { t.Error("there is no Lease") }
	_, err = me.Acquire(t.Context(), req)
	w.Expect(err).NotTo(HaveOccurred())
}
