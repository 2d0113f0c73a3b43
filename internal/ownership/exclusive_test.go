package ownership

import (
	"context"
	"errors"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

func TestScannersOfOneProcessExcludeEachOther(t *testing.T) {
	w := newWorld(t)
	s := w.scanner("s")
	first, err := s.Acquire(t.Context(), request("", nil))
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(s.Authorize(first, time.Second)).To(Succeed())
	w.Expect(w.lease().Annotations).NotTo(HaveKey(onebidv1.AnnotationHeartbeat))
	w.api.Requests()
	_, err = s.Acquire(t.Context(), request("", nil))
	held, ok := errors.AsType[*HeldError](err)
	w.Expect(ok).To(BeTrue())
	w.Expect(held.Holder).To(Equal(s.me.String()))
	w.Expect(held.Until).To(Equal(epochStart.Add(defaultTTL)))
	w.Expect(w.api.Requests()).To(BeEmpty())

	// A goroutine that never released is not in the way for longer than its Lease, and can end nothing after that.
	w.clock.Step(defaultTTL)
	second, err := s.Acquire(t.Context(), request("", nil))
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(second.Token).NotTo(Equal(first.Token))
	w.Expect(s.Release(t.Context(), first)).To(MatchError(ErrLost))
	w.Expect(s.Release(t.Context(), second)).To(Succeed())
	w.Expect(w.lease()).To(BeNil())
}

func TestAcquireWaitsForAnotherGoroutineOnlyAsLongAsItsContext(t *testing.T) {
	w := newWorld(t)
	s := w.scanner("s")
	unlock, err := s.locks.lock(t.Context(), namespace+"/"+leaseName)
	w.Expect(err).NotTo(HaveOccurred())
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.Acquire(canceled, request("", nil))
	w.Expect(err).To(MatchError(context.Canceled))
	claim := &Claim{Namespace: namespace, Name: leaseName}
	w.Expect(s.Assert(canceled, claim)).To(MatchError(context.Canceled))
	w.Expect(s.SetIntents(canceled, claim, nil)).To(MatchError(context.Canceled))
	w.Expect(s.WriteTombstone(canceled, claim, lostBid)).To(MatchError(context.Canceled))
	w.Expect(s.Release(canceled, claim)).To(MatchError(context.Canceled))
	unlock()
	w.Expect(s.locks.byRef).To(BeEmpty(), "unused locks must not pile up")
	w.Expect(w.api.Requests()).To(BeEmpty())
}

// What no queue serialises must not share a term: two goroutines of a process would call for one posting.
func TestAcquireExclusive(t *testing.T) {
	w := newWorld(t)
	a := w.replica("a")
	exclusive := request("uid-old", nil)
	exclusive.Exclusive = true
	first, err := a.Acquire(t.Context(), exclusive)
	w.Expect(err).NotTo(HaveOccurred())
	_, err = a.Acquire(t.Context(), request("uid-new", placing("uid-new", 1)))
	held, ok := errors.AsType[*HeldError](err)
	w.Expect(ok).To(BeTrue(), "another Bid has to wait")
	w.Expect(held.Until.After(a.clock.Now())).To(BeTrue())
	again, err := a.Acquire(t.Context(), request("uid-old", nil))
	w.Expect(err).NotTo(HaveOccurred(), "the same Bid does not")
	w.Expect(again.Token).To(Equal(first.Token))
	w.Expect(a.Release(t.Context(), first)).To(Succeed())

	second, err := a.Acquire(t.Context(), request("uid-new", placing("uid-new", 1)))
	w.Expect(err).NotTo(HaveOccurred(), "it ends with the claim")
	_, err = a.Acquire(t.Context(), exclusive)
	_, ok = errors.AsType[*HeldError](err)
	w.Expect(ok).To(BeTrue(), "and does not begin while another Bid has the posting")

	third, err := a.Acquire(t.Context(), request("uid-third", nil))
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(a.Release(t.Context(), second)).To(MatchError(ErrLost), "the posting is used for another Bid by now")
	w.Expect(a.Authorize(third, time.Second)).To(Succeed())
}
