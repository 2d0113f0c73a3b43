package fakeapi_test

import (
	"context"
	"errors"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/testenv/fakeapi"
)

var start = time.Date(2026, 11, 23, 12, 0, 0, 500, time.UTC)

func newServer() *fakeapi.Server { return fakeapi.New(func() time.Time { return start }) }

func newBid(name string) *onebidv1.Bid {
	return &onebidv1.Bid{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, Finalizers: []string{onebidv1.FinalizerWithdraw}},
		Spec:       onebidv1.BidSpec{Marketplace: "m", PostingID: name},
	}
}

func TestAnUpdateIsOfTheVersionThatWasRead(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	api := newServer().Client(nil)
	bid := newBid("m.1")
	g.Expect(api.Create(ctx, bid)).To(Succeed())
	g.Expect(apierrors.IsAlreadyExists(api.Create(ctx, newBid("m.1")))).To(BeTrue())
	g.Expect(bid.UID).NotTo(BeEmpty())
	old := bid.DeepCopy()

	bid.Status.State = onebidv1.StateActive
	bid.Spec.Withdraw = &onebidv1.BidWithdraw{Reason: "changed"}
	g.Expect(api.Update(ctx, bid)).To(Succeed())
	g.Expect(bid.Generation).To(BeEquivalentTo(2))
	g.Expect(bid.Status.State).To(BeEmpty(), "the status has a verb of its own")
	version := bid.ResourceVersion
	g.Expect(api.Update(ctx, bid)).To(Succeed())
	g.Expect(bid.ResourceVersion).To(Equal(version), "what changes nothing makes no version")
	g.Expect(apierrors.IsConflict(api.Update(ctx, old))).To(BeTrue())

	bid.Status.State, bid.Spec.Withdraw = onebidv1.StateActive, nil
	g.Expect(api.Status().Update(ctx, bid)).To(Succeed())
	g.Expect(bid.Spec.Withdraw).NotTo(BeNil(), "and only the status")
	g.Expect(bid.Generation).To(BeEquivalentTo(2))
	another := bid.DeepCopy()
	another.UID = "another"
	g.Expect(apierrors.IsConflict(api.Status().Update(ctx, another))).To(BeTrue())
}

func TestFinalizersKeepWhatIsDeleted(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	server := newServer()
	api := server.Client(nil)
	bid := newBid("m.1")
	g.Expect(api.Create(ctx, bid)).To(Succeed())
	another := types.UID("another")
	g.Expect(apierrors.IsConflict(api.Delete(ctx, bid, client.Preconditions{UID: &another}))).To(BeTrue())
	g.Expect(api.Delete(ctx, bid)).To(Succeed())
	stored := fakeapi.Stored[*onebidv1.Bid](server, "ns", "m.1")
	g.Expect(stored.DeletionTimestamp.Time).To(BeTemporally("==", start.Truncate(time.Second)))

	patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"resourceVersion":"1","finalizers":null}}`))
	g.Expect(apierrors.IsConflict(api.Patch(ctx, bid, patch))).To(BeTrue())
	patch = client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"uid":"`+string(stored.UID)+`","finalizers":null}}`))
	g.Expect(api.Patch(ctx, bid, patch)).To(Succeed())
	g.Expect(fakeapi.Stored[*onebidv1.Bid](server, "ns", "m.1")).To(BeNil())
	g.Expect(apierrors.IsNotFound(api.Get(ctx, client.ObjectKeyFromObject(bid), bid))).To(BeTrue())
}

func TestListAndWatchSelect(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	server := newServer()
	api := server.Client(nil)
	for _, name := range []string{"m.2", "m.1"} {
		g.Expect(api.Create(ctx, newBid(name))).To(Succeed())
	}
	var bids onebidv1.BidList
	g.Expect(api.List(ctx, &bids, client.InNamespace("ns"), client.MatchingFields{"spec.marketplace": "m"})).To(Succeed())
	g.Expect(bids.Items).To(HaveLen(2))
	g.Expect(bids.Items[0].Name).To(Equal("m.1"))
	g.Expect(api.List(ctx, &bids, client.MatchingFields{"spec.marketplace": "other"})).To(Succeed())
	g.Expect(bids.Items).To(BeEmpty())

	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "a", Labels: map[string]string{"x": "y"}}}
	created, err := api.Leases("ns").Create(ctx, lease, metav1.CreateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	w, err := api.Leases("ns").Watch(ctx, metav1.ListOptions{LabelSelector: "x=y", ResourceVersion: created.ResourceVersion})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(server.Watches()).To(Equal(1))
	fakeapi.Edit(server, "ns", "b", func(*coordinationv1.Lease) {})
	g.Expect(api.Leases("ns").Delete(ctx, "a", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &created.UID}})).To(Succeed())
	g.Expect((<-w.ResultChan()).Type).To(Equal(watch.Deleted), "nothing before the version, and nothing else after it")
	server.EndWatches(nil)
	g.Expect(server.Watches()).To(BeZero())
}

func TestFaults(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	server, faults := newServer(), &fakeapi.Faults{}
	api := server.Client(faults.Do)
	fakeapi.Edit(server, "", "ns", func(*corev1.Namespace) {})
	read := func() error {
		namespace := &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{Kind: "Namespace"}}
		return api.Get(ctx, types.NamespacedName{Name: "ns"}, namespace)
	}
	refused := errors.New("refused")
	faults.Fail("create", nil)
	faults.Fail("create", refused)
	g.Expect(api.Create(ctx, newBid("m.1"))).To(Succeed())
	g.Expect(api.Create(ctx, newBid("m.2"))).To(MatchError(refused))
	faults.Lose("create")
	g.Expect(api.Create(ctx, newBid("m.2"))).To(MatchError(context.DeadlineExceeded))
	g.Expect(fakeapi.Stored[*onebidv1.Bid](server, "ns", "m.2")).NotTo(BeNil())
	g.Expect(read()).To(Succeed())
	g.Expect(faults.Requests()).To(HaveLen(4))

	faults.Hook(func(r fakeapi.Request) {
		faults.Hook(nil)
		g.Expect(r).To(Equal(fakeapi.Request{Verb: "get", Kind: "Namespace", Name: "ns"}))
		fakeapi.Remove[*corev1.Namespace](server, "", "ns")
	})
	g.Expect(apierrors.IsNotFound(read())).To(BeTrue())
}
