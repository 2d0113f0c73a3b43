package integration_test

import (
	"testing"

	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/utils/clock"
)

// Two processes that saw the same free Lease write it in turn: the second write is of a version that is gone.
func TestASecondWriteOfTheSameFreeLeaseIsRefused(t *testing.T) {
	noLeaks(t)
	g := NewWithT(t)
	ns := env.Namespace(t)
	first, second := scanner(t, clock.RealClock{}), scanner(t, clock.RealClock{})
	_, err := first.Acquire(t.Context(), posting(ns, "1"))
	g.Expect(err).NotTo(HaveOccurred())
	edit(t, first, ns, "1", func(l *coordinationv1.Lease) { l.Spec.HolderIdentity = nil })
	first.Forget(ns, "bid-lock.freelancer.1")

	req := posting(ns, "1")
	req.Hint = lease(t, first, ns, "1")
	_, err = first.Acquire(t.Context(), req)
	g.Expect(err).NotTo(HaveOccurred())
	_, err = second.Acquire(t.Context(), req)
	g.Expect(isHeld(err)).To(BeTrue(), "%v", err)
	g.Expect(lease(t, first, ns, "1").Spec.HolderIdentity).To(HaveValue(Equal(first.me.String())))
}
