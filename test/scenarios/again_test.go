package scenarios_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/utils/ptr"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketsim"
	"github.com/onebid-dev/onebid/test/harness"
)

// 15: deleted and created again, and a replica that missed it learns of it late: what it knows is that the first Bid is to be
// withdrawn. It never withdraws the second, not even where the marketplace gives both the same ID.
func TestRow15CreatedAgainWhileAReplicaWasBlind(t *testing.T) {
	inEachClass(t, func(x *harness.Tenant, class onebidv1.MarketplaceClass) {
		if class == onebidv1.ClassUniquePerPosting {
			settings := marketsim.Settings{Shape: "rest", Class: marketsim.Class(class), PageSize: 3, ReuseIDs: true}
			_, err := world.Sim.PutMarket(x.T.Context(), x.Market, settings)
			x.G.Expect(err).NotTo(HaveOccurred())
		}
		seeing := x.Manager()
		first := x.State(x.Bid("1"), onebidv1.StateActive)
		p := x.Proxy()
		blind := x.Manager("--kubeconfig", p.Kubeconfig)
		// It learns that the first Bid is to be withdrawn, and is not to see that this was done.
		x.Fault(marketsim.Fault{Verb: "withdraw", DelayMillis: 500, Commit: "before", Times: 1})
		x.Delete(first)
		x.G.Eventually(func() int { return len(x.Calls(marketsim.VerbWithdraw, "1")) }).Should(Equal(1))
		p.Events(harness.EventsHeld)
		blind.Pause() // else the second Bid might be its to place
		x.Gone(first)
		second := x.State(x.Bid("1"), onebidv1.StateActive)
		seeing.Kill()
		blind.Resume()
		// What belonged to the dead replica is the blind one's now, by what it last saw of it.
		x.G.Consistently(func() int { return x.Row("1").Live }).WithTimeout(4 * time.Second).Should(Equal(1))
		p.Events(harness.EventsTwice)
		x.Annotate(second, onebidv1.AnnotationReconcileRequestedAt, "now")
		x.Eventually(second, "an answer", func(b *onebidv1.Bid) bool { return b.Status.LastHandledReconcileAt == "now" })
		x.G.Expect(x.Row("1").Live).To(Equal(1))
		x.G.Expect(x.Row("1").PlaceCalls).To(Equal(2))
		x.G.Expect(x.Calls(marketsim.VerbWithdraw, "1")).To(HaveLen(1))
		x.Settled()
		x.Delete(second)
		x.Gone(second)
		x.G.Expect(x.Row("1").Live).To(BeZero())
	})
}

// 16: a withdrawn bid is created again inside the cooldown. It is held until that is over, also when who withdrew it died.
func TestRow16CreatedAgainInsideTheCooldown(t *testing.T) {
	const cooldown = 15
	inEachClass(t, func(x *harness.Tenant, _ onebidv1.MarketplaceClass) {
		first := x.Manager()
		bid := x.State(x.Bid("1"), onebidv1.StateActive)
		x.Manager()
		x.Delete(bid)
		x.Gone(bid)
		first.Kill()
		again := x.Bid("1")
		held := x.Reason(again, onebidv1.ConditionAccepted, onebidv1.ReasonCooldown)
		x.G.Expect(held.Status.Attempts.NextTime).NotTo(BeNil())
		x.G.Expect(x.Row("1").PlaceCalls).To(Equal(1))
		x.State(again, onebidv1.StateActive)
		withdrawn, placed := x.Calls(marketsim.VerbWithdraw, "1"), x.Calls(marketsim.VerbPlace, "1")
		x.G.Expect(placed).To(HaveLen(2))
		x.G.Expect(placed[1].Time.Sub(withdrawn[0].Time)).To(BeNumerically(">=", (cooldown-1)*time.Second), "cooldowns have whole seconds")
	}, func(m *onebidv1.Marketplace) { m.Spec.RebidCooldownSeconds = ptr.To[int32](cooldown) })
}
