package scenarios_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketsim"
	"github.com/onebid-dev/onebid/internal/testenv/build"
	"github.com/onebid-dev/onebid/test/harness"
)

// 11: one posting under other names, letter cases and namespaces. What is the same key is refused, what is another is kept
// apart. The words of each refusal are test/integration/admission's.
func TestRow11OnePostingUnderManyNames(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey)
	other := world.Tenant(t, onebidv1.ClassIdempotencyKey)
	x.Manager("--watch-namespaces", other.NS)
	x.State(x.Bid("abc"), onebidv1.StateActive)
	for _, name := range []string{"rest.ABC", "REST.abc", "rest.x.616263", "rest.abc.", "rest-abc", "rest.abd"} {
		err := world.Env.Client.Create(t.Context(), build.Bid(x.NS, "rest", "abc", func(b *onebidv1.Bid) { b.Name = name }))
		x.G.Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%s: %v", name, err)
	}
	for _, mkt := range []string{"REST", "rest:abc", "rest.abc", "Rest"} {
		err := world.Env.Client.Create(t.Context(), build.Bid(x.NS, "rest", "abc", func(b *onebidv1.Bid) { b.Spec.Marketplace = mkt }))
		x.G.Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%s: %v", mkt, err)
	}
	x.G.Expect(apierrors.IsAlreadyExists(world.Env.Client.Create(t.Context(), build.Bid(x.NS, "rest", "abc")))).To(BeTrue())
	// a:b with c and a with b:c would be one text of three parts, if a marketplace could have a colon in its name.
	split := build.Bid(x.NS, "a", "b:c", func(b *onebidv1.Bid) { b.Spec.Marketplace, b.Spec.PostingID = "a:b", "c" })
	x.G.Expect(apierrors.IsInvalid(world.Env.Client.Create(t.Context(), split))).To(BeTrue())

	apart := []string{"ABC", "Abc", "abc ", " abc", "a:bc", "rest:abc", "x.616263", "\u00e1", "a\u0301"}
	for _, posting := range apart {
		x.State(x.Bid(posting), onebidv1.StateActive)
	}
	other.State(other.Bid("abc"), onebidv1.StateActive)
	for _, posting := range append(apart, "abc") {
		x.G.Expect(x.Row(posting).PlaceCalls).To(Equal(1), "%q", posting)
	}
	x.G.Expect(totals(x).Live).To(Equal(len(apart) + 1))
	x.G.Expect(totals(other).Live).To(Equal(1))
	x.Settled()
	other.Settled()
}

// 12: 200 scanners create and apply, with different prices. There is one Bid and one call, and the first spec wins.
func TestRow12TwoHundredScannersOnOnePosting(t *testing.T) {
	inEachClass(t, func(x *harness.Tenant, _ onebidv1.MarketplaceClass) {
		x.Manager()
		x.Manager()
		var won atomic.Int32
		var wg sync.WaitGroup
		start := make(chan struct{})
		for i := range 200 {
			bid := build.Bid(x.NS, "rest", "hot", build.Price(fmt.Sprint(100+i), "USD"))
			wg.Go(func() {
				<-start
				err := scan(x, bid, i%2 == 0)
				switch {
				case err == nil:
					won.Add(1)
				case apierrors.IsAlreadyExists(err), apierrors.IsInvalid(err), apierrors.IsConflict(err):
				default:
					x.T.Errorf("%d: %v", i, err)
				}
			})
		}
		close(start)
		wg.Wait()
		x.G.Expect(won.Load()).To(BeEquivalentTo(1))
		bid := x.State(build.Bid(x.NS, "rest", "hot"), onebidv1.StateActive)
		x.G.Expect(x.Row("hot").PlaceCalls).To(Equal(1))
		x.G.Expect(x.Live()[bid.Status.Remote.BidID].Amount).To(Equal(bid.Spec.Price.Amount))
	})
}

// scan creates a Bid, or applies it.
func scan(x *harness.Tenant, bid *onebidv1.Bid, create bool) error {
	if create {
		return world.Env.Client.Create(x.T.Context(), bid)
	}
	bid.SetGroupVersionKind(onebidv1.GroupVersion.WithKind("Bid"))
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(bid)
	if err != nil {
		return err
	}
	delete(object, "status")
	apply := client.ApplyConfigurationFromUnstructured(&unstructured.Unstructured{Object: object})
	return world.Env.Client.Apply(x.T.Context(), apply, client.FieldOwner("scanner"), client.ForceOwnership)
}

// 13: the spec is edited at any moment of a Bid's life. That is refused, with the reason.
func TestRow13ASpecIsEdited(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, timeout(20))
	refused := func(bid *onebidv1.Bid) {
		t.Helper()
		cheaper := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"price":{"amount":"1"}}}`))
		err := world.Env.Client.Patch(t.Context(), bid.DeepCopy(), cheaper)
		x.G.Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
		x.G.Expect(err.Error()).To(ContainSubstring("spec.price: Forbidden: must stay 250 USD: a Bid cannot change"))
	}
	x.Fault(marketsim.Fault{Verb: "place", DelayMillis: 2000, Times: 1})
	x.Fault(marketsim.Fault{Verb: "withdraw", DelayMillis: 2000, Commit: "before", Times: 1})
	bid := x.Bid("1")
	refused(bid) // before anybody has seen it
	x.Manager()
	x.G.Eventually(func() int { return x.Row("1").PlaceCalls }).Should(Equal(1))
	refused(bid) // in the middle of the call
	x.State(bid, onebidv1.StateActive)
	refused(bid)
	x.Withdraw(bid, "enough")
	x.G.Eventually(func() int { return len(x.Calls(marketsim.VerbWithdraw, "1")) }).Should(Equal(1))
	refused(bid) // in the middle of that call
	x.State(bid, onebidv1.StateWithdrawn)
	refused(bid)
	x.G.Expect(x.Row("1").PlaceCalls).To(Equal(1))
	for _, r := range x.Ledger() {
		x.G.Expect(r.Amount).To(Or(BeEmpty(), Equal("250")))
	}
	x.Settled()
}
