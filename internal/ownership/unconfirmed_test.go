package ownership

import (
	"testing"

	. "github.com/onsi/gomega"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// A replica that took a Lease without getting a reply is the holder to all others: it has to find out itself.
func TestUnconfirmedClaim(t *testing.T) {
	w := newWorld(t)
	r := w.replica("a")
	may := func() bool { return r.HeldOrUnconfirmed(namespace, leaseName) }
	w.Expect(may()).To(BeFalse())

	w.api.Fail("create", apierrors.NewForbidden(leaseResource, leaseName, nil))
	_, err := r.Acquire(t.Context(), request("bid-1", nil))
	w.Expect(err).To(HaveOccurred())
	w.Expect(may()).To(BeFalse(), "what was refused had no effect")

	w.api.Lose("create")
	_, err = r.Acquire(t.Context(), request("bid-1", nil))
	w.Expect(err).To(HaveOccurred())
	w.Expect(HolderOf(w.lease())).To(Equal(r.me.String()))
	_, held := r.Held(namespace, leaseName)
	w.Expect(held).To(BeFalse())
	w.Expect(may()).To(BeTrue(), "the create may have taken it, and did")

	claim, err := r.Acquire(t.Context(), request("bid-1", nil))
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(may()).To(BeTrue())
	w.Expect(r.Release(t.Context(), claim)).To(Succeed())
	w.Expect(may()).To(BeFalse(), "it is known to be over")
}

// It ends when a live read shows another holder.
func TestUnconfirmedNoLonger(t *testing.T) {
	w := newWorld(t)
	a, b := w.replica("a"), w.replica("b")
	claim, err := b.Acquire(t.Context(), request("bid-1", nil))
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(b.Release(t.Context(), claim)).To(Succeed())
	w.Expect(HolderOf(w.lease())).To(BeEmpty())

	w.api.Fail("update", apierrors.NewTimeoutError("no answer", 1))
	_, err = a.Acquire(t.Context(), request("bid-1", nil))
	w.Expect(err).To(HaveOccurred())
	w.Expect(a.HeldOrUnconfirmed(namespace, leaseName)).To(BeTrue())

	_, err = b.Acquire(t.Context(), request("bid-1", nil))
	w.Expect(err).NotTo(HaveOccurred())
	_, err = a.Acquire(t.Context(), request("bid-1", nil))
	w.Expect(err).To(HaveOccurred())
	w.Expect(a.HeldOrUnconfirmed(namespace, leaseName)).To(BeFalse())
}
