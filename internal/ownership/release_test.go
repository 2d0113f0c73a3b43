package ownership

import (
	"errors"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// A release whose reply was lost may have let another process in, so nothing starts under the claim before it was asserted anew.
func TestNoCallStartsUnderAClaimThatWasToBeReleased(t *testing.T) {
	w := newWorld(t)
	a, b := w.replica("a"), w.replica("b")
	intent := placing("bid-1", 1)
	claim, err := a.Acquire(t.Context(), request("bid-1", intent))
	w.Expect(err).NotTo(HaveOccurred())
	w.api.Lose("update")
	w.Expect(a.Release(t.Context(), claim)).NotTo(Succeed())
	_, lapsed := errors.AsType[*LapsedError](a.Authorize(claim, time.Second))
	w.Expect(lapsed).To(BeTrue())

	taken, err := b.Acquire(t.Context(), request("bid-1", nil))
	w.Expect(err).NotTo(HaveOccurred())
	_, err = a.Acquire(t.Context(), request("bid-1", intent))
	_, held := errors.AsType[*HeldError](err)
	w.Expect(held).To(BeTrue(), "%v", err)
	w.Expect(b.Authorize(taken, time.Second)).To(Succeed())
	w.Expect(a.Release(t.Context(), claim)).To(MatchError(ErrLost))
}

// One that had no effect leaves the claim as it is.
func TestAReleaseThatFailedLeavesTheClaim(t *testing.T) {
	w := newWorld(t)
	a := w.replica("a")
	claim := w.claimed(a, nil)
	w.api.Fail("update", errors.New("no answer"))
	w.Expect(a.Release(t.Context(), claim)).NotTo(Succeed())
	again, err := a.Acquire(t.Context(), request("uid-a", nil))
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(again.Token).To(Equal(claim.Token))
	w.Expect(a.Authorize(again, time.Second)).To(Succeed())
}
