package lifecycle_test

import (
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/marketsim"
	"github.com/onebid-dev/onebid/internal/testenv"
)

// terminate deletes the tenant's namespace and returns when its posting Leases are gone.
func (x *tenant) terminate() {
	x.t.Helper()
	x.g.Expect(env.Client.Delete(x.t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: x.ns}})).To(Succeed())
	x.g.Eventually(x.postingLeases).Should(BeEmpty())
}

func (x *tenant) terminated() {
	x.t.Helper()
	x.g.Eventually(func() error {
		return env.Client.Get(x.t.Context(), client.ObjectKey{Name: x.ns}, &corev1.Namespace{})
	}).WithTimeout(2*patience).Should(MatchError(ContainSubstring("not found")), x.others)
}

// keepSecret holds the credentials as a backup tool might; it returns what lets go.
func (x *tenant) keepSecret() (letGo func()) {
	patch := func(body string) {
		x.t.Helper()
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: x.ns, Name: "account"}}
		x.g.Expect(env.Client.Patch(x.t.Context(), secret, client.RawPatch("application/merge-patch+json", []byte(body)))).To(Succeed())
	}
	patch(`{"metadata":{"finalizers":["example.com/kept"]}}`)
	return func() { patch(`{"metadata":{"finalizers":null}}`) }
}

// A replica dies in the middle of a place call, and the namespace is deleted: the Lease goes, and with it the only note of
// the call. The bid that the call made is found all the same, and withdrawn.
func TestALeaseThatGoesWithItsNamespaceMeansUnknown(t *testing.T) {
	for _, class := range []onebidv1.MarketplaceClass{onebidv1.ClassIdempotencyKey, onebidv1.ClassNone} {
		t.Run(string(class), func(t *testing.T) {
			x := newTenant(t, class, func(m *onebidv1.Marketplace) { m.Spec.TimeoutSeconds = 3 })
			letGo := x.keepSecret()
			x.fault(marketsim.Fault{Verb: "place", Posting: "1", Commit: "before", DelayMillis: 30000, Times: 1})
			first := x.manager()
			bid := x.bid("1")
			x.g.Eventually(func() int { return x.row("1").Live }).Should(Equal(1))
			first.kill()
			x.g.Expect(bidding.PlacedStatus(x.get(bid))).To(Equal(metav1.ConditionFalse), "nothing but the Lease knows of the call")
			x.bid("2") // that was never claimed
			x.terminate()
			second := x.manager()
			fenced := x.reason(bid, onebidv1.ConditionPlaced, onebidv1.ReasonLeaseLost)
			second.kill()
			x.manager()
			x.g.Consistently(func() *metav1.Time { return x.get(bid).Status.SettlingSince }).WithTimeout(3*time.Second).
				Should(Equal(fenced.Status.SettlingSince), "the time goes on counting")
			x.gone(bid)
			x.g.Expect(x.row("1").Live).To(BeZero())
			x.g.Expect(x.row("1").PlaceCalls).To(Equal(1))
			x.g.Expect(x.row("2").PlaceCalls).To(BeZero(), "nothing is sent for a Bid of which no call is known")
			letGo()
			x.terminated()
		})
	}
}

// Whatever a Bid waits for, a namespace that is deleted gets rid of it.
func TestEveryBidEndsWithItsNamespace(t *testing.T) {
	x := newTenant(t, onebidv1.ClassNone)
	letGo := x.keepSecret()
	x.manager()
	active := x.state(x.bid("active"), onebidv1.StateActive)
	answered, abandoned := x.indeterminate("answered"), x.indeterminate("abandoned")
	x.placeByHand("foreign")
	x.state(x.bid("foreign"), onebidv1.StateDuplicate)
	withdrawn := x.state(x.bid("withdrawn"), onebidv1.StateActive)
	x.withdraw(withdrawn, "no")
	x.state(withdrawn, onebidv1.StateWithdrawn)
	x.terminate()
	x.gone(active)
	x.annotate(answered, onebidv1.AnnotationResolve, "not-placed")
	x.gone(answered)
	x.annotate(abandoned, onebidv1.AnnotationAbandon, "no use")
	x.gone(abandoned)
	letGo()
	x.terminated()
	x.g.Expect(x.row("active").Live).To(BeZero())
	x.g.Expect(x.row("foreign").Live).To(Equal(1), "not ours to touch")
}

// In a namespace that lives on, a Bid that was never claimed costs one write to let go, and one read to see that it lives.
func TestLettingAnUnclaimedBidGoCostsOneWrite(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, func(m *onebidv1.Marketplace) { m.Spec.Mode = onebidv1.ModeSuspended })
	x.manager("--heartbeat-duration", "300s", "--heartbeat-renew", "60s", "--heartbeat-margin", "10s")
	bid := x.reason(x.bid("1"), onebidv1.ConditionAccepted, onebidv1.ReasonMarketplaceSuspended)
	down := x.writes(func() {
		x.delete(bid)
		x.gone(bid)
	})
	x.g.Expect(down).To(Equal(testenv.Requests{deleteBid: 1, patchBid: 1}), "%s", down)
}

// A namespace is deleted with live bids in it, and every manager dies before they are withdrawn. Whoever comes next finds
// the credentials.
func TestANamespaceGoesWithAllItsBids(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey)
	first := x.manager()
	const bids = 5
	for i := range bids {
		x.state(x.bid(fmt.Sprint(i)), onebidv1.StateActive)
	}
	x.g.Expect(x.totals().Live).To(Equal(bids))
	x.fault(marketsim.Fault{Verb: "withdraw", Status: 503})
	x.terminate()
	first.kill()
	x.g.Expect(x.totals().Live).To(Equal(bids))
	x.g.Expect(sim.ClearFaults(t.Context())).To(Succeed())
	x.manager()
	x.terminated()
	x.g.Expect(x.totals().Live).To(BeZero())
}
