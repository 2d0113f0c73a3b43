package admission

import (
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/testenv/build"
)

const mayNotFinalize = `only a user who may update bids/finalizers, such as the onebid controller, may remove the finalizer ` +
	`onebid.dev/withdraw; the controller does so once no open bid is left at the marketplace: keep it in metadata.finalizers; to ` +
	`delete the Bid without a withdrawal, set the annotation onebid.dev/abandon to a reason`

func TestEveryBidIsBornWithItsFinalizer(t *testing.T) {
	ns := env.Namespace(t)
	bidder := env.AsUser(t, ns, "bidder", "onebid-bidder")
	for name, c := range map[string]struct {
		id     string
		create func(*v1alpha1.Bid) error
		change func(*v1alpha1.Bid)
		want   []string
	}{
		"created": {
			id:     "1",
			create: func(b *v1alpha1.Bid) error { return bidder.Client.Create(t.Context(), b) },
			want:   []string{v1alpha1.FinalizerWithdraw},
		},
		"created with it": {
			id:     "2",
			create: func(b *v1alpha1.Bid) error { return bidder.Client.Create(t.Context(), b) },
			change: func(b *v1alpha1.Bid) { b.Finalizers = []string{v1alpha1.FinalizerWithdraw} },
			want:   []string{v1alpha1.FinalizerWithdraw},
		},
		"created with another": {
			id:     "3",
			create: func(b *v1alpha1.Bid) error { return bidder.Client.Create(t.Context(), b) },
			change: func(b *v1alpha1.Bid) { b.Finalizers = []string{"example.com/mine"} },
			want:   []string{"example.com/mine", v1alpha1.FinalizerWithdraw},
		},
		"kubectl apply": {
			id: "4",
			create: func(b *v1alpha1.Bid) error {
				_, err := bidder.KubectlInput(t.Context(), manifest(t, b), "apply", "-f", "-")
				return err
			},
			want: []string{v1alpha1.FinalizerWithdraw},
		},
		"server-side apply": {
			id:     "5",
			create: func(b *v1alpha1.Bid) error { return apply(t, bidder.Client, b) },
			want:   []string{v1alpha1.FinalizerWithdraw},
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			bid := build.Bid(ns, "freelancer", c.id)
			if c.change != nil {
				c.change(bid)
			}
			g.Expect(c.create(bid)).To(Succeed())
			g.Expect(live(t, bid).Finalizers).To(Equal(c.want))
		})
	}
}

func TestApplyingAgainKeepsTheFinalizer(t *testing.T) {
	g := NewWithT(t)
	ns := env.Namespace(t)
	bidder := env.AsUser(t, ns, "bidder", "onebid-bidder")

	server := build.Bid(ns, "freelancer", "1")
	g.Expect(apply(t, bidder.Client, server)).To(Succeed())
	server.Spec.Withdraw = &v1alpha1.BidWithdraw{Reason: "the scope changed"}
	g.Expect(apply(t, bidder.Client, server)).To(Succeed())
	g.Expect(live(t, server).Finalizers).To(ConsistOf(v1alpha1.FinalizerWithdraw))

	local := build.Bid(ns, "freelancer", "2")
	for range 2 {
		_, err := bidder.KubectlInput(t.Context(), manifest(t, local), "apply", "-f", "-")
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(live(t, local).Finalizers).To(ConsistOf(v1alpha1.FinalizerWithdraw))
		local.Labels = map[string]string{"team": "a"}
	}
}

func TestOnlyTheControllerTakesTheFinalizerOff(t *testing.T) {
	g := NewWithT(t)
	ns := env.Namespace(t)
	// Everything that people can be given.
	bidder := env.AsUser(t, ns, "bidder", "onebid-bidder", "onebid-admin", "onebid-approver", "onebid-abandoner", "edit", "admin")
	manager := env.AsUser(t, ns, "manager", "onebid-manager")
	refused := policy("bids.onebid.dev", "finalizer-guard", mayNotFinalize)

	bid := created(t, ns, "1", func(b *v1alpha1.Bid) { b.Finalizers = []string{"example.com/mine"} })
	without := func(names ...string) func(*v1alpha1.Bid) { return func(b *v1alpha1.Bid) { b.Finalizers = names } }
	refusedAtUpdate(t, bidder.Client, bid, []refusal{
		{"all of them", without(), refused},
		{"ours", without("example.com/mine"), refused},
		{"ours replaced", without("example.com/mine", "onebid.dev/withdraw-not"), refused},
	})
	g.Expect(message(patched(t, bidder.Client, bid, `{"metadata":{"finalizers":null}}`))).To(Equal(refused(bid.Name)))
	_, err := bidder.Kubectl(t.Context(), "--namespace", ns, "patch", "bid", bid.Name, "--type=json",
		`--patch=[{"op":"remove","path":"/metadata/finalizers"}]`)
	g.Expect(message(err)).To(ContainSubstring(mayNotFinalize))
	_, err = bidder.KubectlInput(t.Context(), manifest(t, build.Bid(ns, "freelancer", "1")), "replace", "-f", "-")
	g.Expect(message(err)).To(ContainSubstring(mayNotFinalize))

	// Deleting is not refused: it only does not get past the finalizer.
	g.Expect(bidder.Client.Delete(t.Context(), bid, client.GracePeriodSeconds(0))).To(Succeed())
	g.Expect(patched(t, bidder.Client, bid, `{"metadata":{"finalizers":["onebid.dev/withdraw"]}}`)).To(Succeed(), "their own they may")
	refusedAtUpdate(t, bidder.Client, bid, []refusal{{"while it is being deleted", without(), refused}})

	g.Expect(patched(t, manager.Client, bid, `{"metadata":{"finalizers":null}}`)).To(Succeed())
	g.Expect(env.Client.Get(t.Context(), client.ObjectKeyFromObject(bid), bid)).To(MatchError(ContainSubstring("not found")))
}

// A manager of fields that once sent the finalizer drops it by leaving it out.
func TestLeavingTheFinalizerOutOfAnApplyIsNoWayRound(t *testing.T) {
	g := NewWithT(t)
	ns := env.Namespace(t)
	bidder := env.AsUser(t, ns, "bidder", "onebid-bidder")
	bid := build.Bid(ns, "freelancer", "1")
	bid.Finalizers = []string{v1alpha1.FinalizerWithdraw}
	g.Expect(apply(t, bidder.Client, bid)).To(Succeed())
	bid.Finalizers = nil
	g.Expect(message(apply(t, bidder.Client, bid))).To(Equal(policy("bids.onebid.dev", "finalizer-guard", mayNotFinalize)(bid.Name)))
}

func TestAMarketplaceInUseIsKept(t *testing.T) {
	g := NewWithT(t)
	ns := env.Namespace(t)
	admin := env.AsUser(t, ns, "admin", "onebid-marketplace-admin")
	manager := env.AsUser(t, ns, "manager", "onebid-manager")
	marketplace := build.Marketplace(ns, "freelancer", "https://marketplace.example")
	g.Expect(admin.Client.Create(t.Context(), marketplace)).To(Succeed())
	g.Expect(patched(t, manager.Client, marketplace, `{"metadata":{"finalizers":["onebid.dev/in-use"]}}`)).To(Succeed())
	g.Expect(message(patched(t, admin.Client, marketplace, `{"metadata":{"finalizers":null}}`))).To(Equal(
		policy("marketplaces.onebid.dev", "finalizer-guard", `only a user who may update marketplaces/finalizers, such as the `+
			`onebid controller, may remove the finalizer onebid.dev/in-use; the controller does so once all Bids of the Marketplace `+
			`have ended: keep it in metadata.finalizers`)("freelancer")))
	g.Expect(patched(t, manager.Client, marketplace, `{"metadata":{"finalizers":null}}`)).To(Succeed())
}

// asApplied is the object as somebody would write it: without status and what the server fills in.
func asApplied(t *testing.T, bid *v1alpha1.Bid) *unstructured.Unstructured {
	t.Helper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(bid)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	object := &unstructured.Unstructured{Object: content}
	object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("Bid"))
	unstructured.RemoveNestedField(object.Object, "status")
	unstructured.RemoveNestedField(object.Object, "metadata", "creationTimestamp")
	return object
}

func manifest(t *testing.T, bid *v1alpha1.Bid) string {
	t.Helper()
	content, err := asApplied(t, bid).MarshalJSON()
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return string(content)
}

func apply(t *testing.T, as client.Client, bid *v1alpha1.Bid) error {
	t.Helper()
	return as.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(asApplied(t, bid)), client.FieldOwner("scanner"))
}
