package lifecycle_test

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/marketsim"
	"github.com/onebid-dev/onebid/internal/testenv"
	"github.com/onebid-dev/onebid/test/harness"
)

// terminate deletes the tenant's namespace and returns when its posting Leases are gone.
func (x *tenant) terminate() {
	x.T.Helper()
	x.G.Expect(world.Env.Client.Delete(x.T.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: x.NS}})).To(Succeed())
	x.G.Eventually(x.PostingLeases).Should(BeEmpty())
}

func (x *tenant) terminated() {
	x.T.Helper()
	x.G.Eventually(func() error {
		return world.Env.Client.Get(x.T.Context(), client.ObjectKey{Name: x.NS}, &corev1.Namespace{})
	}).WithTimeout(2*harness.Patience).Should(MatchError(ContainSubstring("not found")), x.others)
}

// keepSecret holds the credentials as a backup tool might; it returns what lets go.
func (x *tenant) keepSecret() (letGo func()) {
	patch := func(body string) {
		x.T.Helper()
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: x.NS, Name: "account"}}
		x.G.Expect(world.Env.Client.Patch(x.T.Context(), secret, client.RawPatch("application/merge-patch+json", []byte(body)))).To(Succeed())
	}
	patch(`{"metadata":{"finalizers":["example.com/kept"]}}`)
	return func() { patch(`{"metadata":{"finalizers":null}}`) }
}

// A replica dies in the middle of a place call, and the namespace is deleted: the Lease goes, and with it the only note of
// the call. The bid that the call made is found all the same, and withdrawn.
func TestALeaseThatGoesWithItsNamespaceMeansUnknown(t *testing.T) {
	for _, class := range []onebidv1.MarketplaceClass{onebidv1.ClassIdempotencyKey, onebidv1.ClassNone} {
		t.Run(string(class), func(t *testing.T) {
			x := newTenant(t, class, func(m *onebidv1.Marketplace) { m.Spec.TimeoutSeconds = 10 })
			letGo := x.keepSecret()
			x.Fault(marketsim.Fault{Verb: "place", Posting: "1", Commit: "before", DelayMillis: 30000, Times: 1})
			first := x.Manager()
			bid := x.Bid("1")
			x.G.Eventually(func() int { return x.Row("1").Live }).Should(Equal(1))
			first.Kill()
			x.G.Expect(bidding.PlacedStatus(x.Get(bid))).To(Equal(metav1.ConditionFalse), "nothing but the Lease knows of the call")
			x.Bid("2") // that was never claimed
			x.terminate()
			second := x.Manager()
			fenced := x.Reason(bid, onebidv1.ConditionPlaced, onebidv1.ReasonLeaseLost)
			second.Kill()
			x.Manager()
			x.G.Eventually(func() error {
				live := &onebidv1.Bid{}
				err := world.Env.Client.Get(t.Context(), client.ObjectKeyFromObject(bid), live)
				if since := live.Status.SettlingSince; err == nil && since != nil && !since.Equal(fenced.Status.SettlingSince) {
					return StopTrying("the time was to go on counting, and began anew")
				}
				return err
			}).Should(MatchError(ContainSubstring("not found")), x.others)
			x.G.Expect(x.Row("1").Live).To(BeZero())
			x.G.Expect(x.Row("1").PlaceCalls).To(Equal(1))
			x.G.Expect(x.Row("2").PlaceCalls).To(BeZero(), "nothing is sent for a Bid of which no call is known")
			letGo()
			x.terminated()
		})
	}
}

// Whatever a Bid waits for, a namespace that is deleted gets rid of it.
func TestEveryBidEndsWithItsNamespace(t *testing.T) {
	x := newTenant(t, onebidv1.ClassNone)
	letGo := x.keepSecret()
	x.Manager()
	active := x.State(x.Bid("active"), onebidv1.StateActive)
	answered, abandoned := x.indeterminate("answered"), x.indeterminate("abandoned")
	x.PlaceByHand("foreign")
	x.State(x.Bid("foreign"), onebidv1.StateDuplicate)
	withdrawn := x.State(x.Bid("withdrawn"), onebidv1.StateActive)
	x.Withdraw(withdrawn, "no")
	x.State(withdrawn, onebidv1.StateWithdrawn)
	x.terminate()
	x.Gone(active)
	x.Annotate(answered, onebidv1.AnnotationResolve, "not-placed")
	x.Gone(answered)
	x.Annotate(abandoned, onebidv1.AnnotationAbandon, "no use")
	x.Gone(abandoned)
	letGo()
	x.terminated()
	x.G.Expect(x.Row("active").Live).To(BeZero())
	x.G.Expect(x.Row("foreign").Live).To(Equal(1), "not ours to touch")
}

// In a namespace that lives on, a Bid that was never claimed costs one write to let go, and one read to see that it lives.
func TestLettingAnUnclaimedBidGoCostsOneWrite(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, func(m *onebidv1.Marketplace) { m.Spec.Mode = onebidv1.ModeSuspended })
	api := x.counted(1)
	bid := x.Reason(x.Bid("1"), onebidv1.ConditionAccepted, onebidv1.ReasonMarketplaceSuspended)
	down := x.writes(api, func() {
		x.Delete(bid)
		x.Gone(bid)
	}).Writes(ofABid...)
	x.G.Expect(down).To(Equal(testenv.Requests{patchBid: 1}), "%s", down)
}
