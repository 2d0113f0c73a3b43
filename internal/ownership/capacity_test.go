package ownership

import (
	"errors"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

func TestCapacityIsOneReplicasUntilItDies(t *testing.T) {
	w := newWorld(t)
	a, b := w.replica("a"), w.replica("b")
	w.sees(b, a)
	market := &onebidv1.Marketplace{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "freelancer", UID: "uid-m"}}
	capacity := Request{Namespace: namespace, Capacity: CapacityLeaseOf(market)}

	claim, err := a.Acquire(t.Context(), capacity)
	w.Expect(err).NotTo(HaveOccurred())
	w.api.Requests()
	again, err := a.Acquire(t.Context(), capacity)
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(again.Token).To(Equal(claim.Token))
	w.Expect(w.api.Requests()).To(BeEmpty(), "from memory")
	w.Expect(a.Authorize(again, time.Second)).To(Succeed())

	lease := w.api.Lease(namespace + "/bid-capacity.freelancer")
	w.Expect(lease.Labels).To(Equal(map[string]string{onebidv1.LabelLease: onebidv1.LeaseKindCapacity}))
	w.Expect(lease.Annotations).To(Equal(map[string]string{
		onebidv1.AnnotationLockKey: "bid:capacity:freelancer", onebidv1.AnnotationHeartbeat: a.members.own.ref(),
	}))
	w.Expect(lease.OwnerReferences).To(Equal([]metav1.OwnerReference{
		{APIVersion: "onebid.dev/v1alpha1", Kind: "Marketplace", Name: "freelancer", UID: "uid-m"},
	}))

	_, err = b.Acquire(t.Context(), capacity)
	_, held := errors.AsType[*HeldError](err)
	w.Expect(held).To(BeTrue(), "%v", err)
	w.clock.Step(4 * time.Second)
	w.renew(b)
	w.clock.Step(time.Second)
	taken, err := b.Acquire(t.Context(), capacity)
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(taken.Token).NotTo(Equal(claim.Token))

	// a comes back, and may not use what it let through before.
	w.renew(a)
	_, lapsed := errors.AsType[*LapsedError](a.Authorize(claim, time.Second))
	w.Expect(lapsed).To(BeTrue())
	_, err = a.Acquire(t.Context(), capacity)
	_, held = errors.AsType[*HeldError](err)
	w.Expect(held).To(BeTrue(), "%v", err)
	w.Expect(a.HeldOrUnconfirmed(namespace, "bid-capacity.freelancer")).To(BeFalse())

	w.Expect(b.Release(t.Context(), taken)).To(Succeed())
	_, err = a.Acquire(t.Context(), capacity)
	w.Expect(err).NotTo(HaveOccurred(), "given back")
}

func TestCapacityLeaseHasANameOfItsOwn(t *testing.T) {
	market := &onebidv1.Marketplace{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "freelancer"}}
	NewWithT(t).Expect(CapacityLeaseOf(market).LeaseName()).To(Equal("bid-capacity.freelancer"))
}
