package admission

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/onebid-dev/onebid/api/v1alpha1"
)

const (
	lockName = "bid-lock.freelancer.1"

	mayNotWriteIntent = `Lease "` + lockName + `" records the bid on a posting: only a user who may update bids/finalizers, such as the ` +
		`onebid controller, may write its annotations onebid.dev/intent, bid-uid, ended-at, cooldown-until and outcome; leave ` +
		`them unchanged`
	mayNotDeleteLease = `Lease "` + lockName + `" records the bid on a posting: only a user who may update bids/finalizers, such as the ` +
		`onebid controller, may delete it; to end the bid, delete the Bid; to release the Lease, clear spec.holderIdentity`
)

// guarded are the annotations that make a Lease a record.
var guarded = []string{
	v1alpha1.AnnotationIntent, v1alpha1.AnnotationEndedAt, v1alpha1.AnnotationBidUID,
	v1alpha1.AnnotationCooldownUntil, v1alpha1.AnnotationOutcome,
}

func lease(namespace, name string, annotations ...string) *coordinationv1.Lease {
	lease := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Annotations: map[string]string{
			v1alpha1.AnnotationLockKey: "bid:lock:freelancer:1",
		}},
		Spec: coordinationv1.LeaseSpec{HolderIdentity: new("scanner/a_1"), LeaseDurationSeconds: new(int32(300))},
	}
	for _, annotation := range annotations {
		lease.Annotations[annotation] = "written by the controller"
	}
	return lease
}

func leaseRefused(message string) string {
	return policy("leases.coordination.k8s.io", "intent-guard", message)(lockName)
}

func TestEverybodyMayCompeteForALease(t *testing.T) {
	g := NewWithT(t)
	ns := env.Namespace(t)
	scanner := env.AsUser(t, ns, "scanner", "onebid-scanner")
	other := env.AsUser(t, ns, "other", "edit")

	lock := lease(ns, lockName)
	g.Expect(scanner.Client.Create(t.Context(), lock)).To(Succeed())
	lock.Spec.HolderIdentity = new("scanner/b_1")
	g.Expect(other.Client.Update(t.Context(), lock)).To(Succeed())
	g.Expect(scanner.Client.Delete(t.Context(), lock)).To(Succeed())

	foreign := lease(ns, "somebody-elses", guarded...)
	g.Expect(other.Client.Create(t.Context(), foreign)).To(Succeed(), "only Leases of postings are guarded")
	delete(foreign.Annotations, v1alpha1.AnnotationIntent)
	g.Expect(other.Client.Update(t.Context(), foreign)).To(Succeed())
	g.Expect(other.Client.Delete(t.Context(), foreign)).To(Succeed())
}

func TestOnlyTheControllerKeepsRecordsOnALease(t *testing.T) {
	for _, annotation := range guarded {
		t.Run(annotation, func(t *testing.T) {
			g := NewWithT(t)
			ns := env.Namespace(t)
			scanner := env.AsUser(t, ns, "scanner", "onebid-scanner", "edit")
			manager := env.AsUser(t, ns, "manager", "onebid-manager")

			g.Expect(message(scanner.Client.Create(t.Context(), lease(ns, lockName, annotation)))).To(Equal(leaseRefused(mayNotWriteIntent)))
			lock := lease(ns, lockName)
			g.Expect(scanner.Client.Create(t.Context(), lock)).To(Succeed())
			add := lock.DeepCopy()
			add.Annotations[annotation] = ""
			g.Expect(message(scanner.Client.Update(t.Context(), add))).To(Equal(leaseRefused(mayNotWriteIntent)))

			lock.Annotations[annotation] = "written by the controller"
			g.Expect(manager.Client.Update(t.Context(), lock)).To(Succeed())

			change := lock.DeepCopy()
			change.Annotations[annotation] = "written by another"
			g.Expect(message(scanner.Client.Update(t.Context(), change))).To(Equal(leaseRefused(mayNotWriteIntent)))
			remove := lock.DeepCopy()
			remove.Annotations = nil
			g.Expect(message(scanner.Client.Update(t.Context(), remove))).To(Equal(leaseRefused(mayNotWriteIntent)))
			g.Expect(message(scanner.Client.Delete(t.Context(), lock))).To(Equal(leaseRefused(mayNotDeleteLease)))

			release := lock.DeepCopy()
			release.Spec.HolderIdentity = nil
			g.Expect(scanner.Client.Update(t.Context(), release)).To(Succeed(), "a competitor may take or release it")
			g.Expect(manager.Client.Delete(t.Context(), lock)).To(Succeed())
		})
	}
}

// A deletecollection is admitted object by object, without a name in the request.
func TestDeletingAllLeasesSparesTheRecords(t *testing.T) {
	g := NewWithT(t)
	ns := env.Namespace(t)
	editor := env.AsUser(t, ns, "editor", "edit")
	g.Expect(env.Client.Create(t.Context(), lease(ns, "another"))).To(Succeed())
	g.Expect(env.Client.Create(t.Context(), lease(ns, "bid-lock.freelancer.0"))).To(Succeed())

	all := &coordinationv1.Lease{}
	g.Expect(editor.Client.DeleteAllOf(t.Context(), all, client.InNamespace(ns))).To(Succeed(), "without a record nothing is in the way")
	left := &coordinationv1.LeaseList{}
	g.Expect(env.Client.List(t.Context(), left, client.InNamespace(ns))).To(Succeed())
	g.Expect(left.Items).To(BeEmpty())

	record := lease(ns, lockName, v1alpha1.AnnotationIntent)
	g.Expect(env.Client.Create(t.Context(), record)).To(Succeed())
	g.Expect(message(editor.Client.DeleteAllOf(t.Context(), all, client.InNamespace(ns)))).To(ContainSubstring(mayNotDeleteLease))
	g.Expect(live(t, record).Annotations).To(HaveKey(v1alpha1.AnnotationIntent))
}

func TestNamespacesWithRecordsAreDeleted(t *testing.T) {
	g := NewWithT(t)
	ns := env.Namespace(t)
	g.Expect(env.Client.Create(t.Context(), lease(ns, lockName, guarded...))).To(Succeed())
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}
	g.Expect(env.Client.Delete(t.Context(), namespace)).To(Succeed())
	g.Eventually(func() bool {
		return apierrors.IsNotFound(env.Client.Get(t.Context(), client.ObjectKeyFromObject(namespace), namespace))
	}).WithTimeout(30 * time.Second).Should(BeTrue())
}

func TestATerminatingNamespaceWaitsForItsBids(t *testing.T) {
	g := NewWithT(t)
	ns := env.Namespace(t)
	manager := env.AsUser(t, "", "manager", "onebid-manager")
	record := lease(ns, lockName, v1alpha1.AnnotationIntent)
	g.Expect(env.Client.Create(t.Context(), record)).To(Succeed())
	bid := created(t, ns, "1")
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}
	g.Expect(env.Client.Delete(t.Context(), namespace)).To(Succeed())

	g.Eventually(func() bool {
		return apierrors.IsNotFound(env.Client.Get(t.Context(), client.ObjectKeyFromObject(record), record))
	}).WithTimeout(30*time.Second).Should(BeTrue(), "the Lease goes at once")
	g.Eventually(func() *metav1.Time { return live(t, bid).DeletionTimestamp }).WithTimeout(30 * time.Second).ShouldNot(BeNil())
	err := manager.Client.Create(t.Context(), lease(ns, lockName))
	g.Expect(apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause)).To(BeTrue(), "%v", err)

	g.Expect(patched(t, manager.Client, bid, `{"metadata":{"finalizers":null}}`)).To(Succeed())
	g.Eventually(func() bool {
		return apierrors.IsNotFound(env.Client.Get(t.Context(), client.ObjectKeyFromObject(namespace), namespace))
	}).WithTimeout(60 * time.Second).Should(BeTrue())
}

// Deleting is let through there, and nothing else: a Lease that something holds still tells what happened.
func TestATerminatingNamespaceKeepsItsRecordsUnchanged(t *testing.T) {
	g := NewWithT(t)
	ns := env.Namespace(t)
	scanner := env.AsUser(t, "", "scanner-"+ns, "onebid-scanner")
	record := lease(ns, lockName, v1alpha1.AnnotationIntent)
	record.Finalizers = []string{"example.com/hold"}
	g.Expect(env.Client.Create(t.Context(), record)).To(Succeed())
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}
	g.Expect(env.Client.Delete(t.Context(), namespace)).To(Succeed())
	g.Eventually(func() *metav1.Time { return live(t, record).DeletionTimestamp }).WithTimeout(30*time.Second).ShouldNot(BeNil(),
		"the namespace's controller may delete it")

	changed := live(t, record)
	delete(changed.Annotations, v1alpha1.AnnotationIntent)
	g.Expect(message(scanner.Client.Update(t.Context(), changed))).To(Equal(leaseRefused(mayNotWriteIntent)))
	g.Expect(patched(t, env.Client, record, `{"metadata":{"finalizers":null}}`)).To(Succeed())
}
