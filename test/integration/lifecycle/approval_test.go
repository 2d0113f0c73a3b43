package lifecycle_test

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/testenv/build"
	"github.com/onebid-dev/onebid/test/harness"
)

// Who decided on a Bid is told by an event, or the Bid's conditions, and outlives the Bid in its Posting.
func TestWhoDecidedIsKept(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, func(m *onebidv1.Marketplace) { m.Spec.Approval = onebidv1.ApprovalManual })
	x.Manager()
	approver := world.Env.AsUser(t, x.NS, "anna", "onebid-approver")
	name := "anna-" + x.NS
	decide := func(posting string, decision onebidv1.ApprovalDecision, reason string) *onebidv1.Bid {
		x.Create(build.Posting(x.NS, "rest", posting))
		bid := x.Reason(x.Bid(posting), onebidv1.ConditionAccepted, onebidv1.ReasonAwaitingApproval)
		bid.Spec.Approval = &onebidv1.BidApproval{BidUID: string(bid.UID), Decision: decision, Reason: reason, By: "somebody else"}
		x.G.Expect(approver.Client.Update(t.Context(), bid)).To(Succeed())
		return bid
	}
	history := func(posting string) []onebidv1.BidRecord {
		out := &onebidv1.Posting{}
		x.G.Expect(world.Env.Client.Get(t.Context(), harness.KeyOf(x.NS, "rest."+posting), out)).To(Succeed())
		return out.Status.History
	}

	yes := x.State(decide("yes", onebidv1.ApprovalApproved, "fair"), onebidv1.StateActive)
	x.told(corev1.EventTypeNormal, "Approved", `Approved by "`+name+`": fair`)
	x.Delete(yes)
	x.Gone(yes)
	x.G.Expect(history("yes")).To(ContainElement(HaveField("Approval", And(
		HaveField("Decision", onebidv1.ApprovalApproved), HaveField("By", name), HaveField("Reason", "fair"), HaveField("At", Not(BeNil()))))))

	no := x.State(decide("no", onebidv1.ApprovalRefused, "too cheap"), onebidv1.StateRejected)
	x.G.Expect(harness.Describe(no)).To(ContainSubstring(`Refused by "` + name + `": too cheap`))
	x.G.Expect(x.Row("no").PlaceCalls).To(BeZero())
	x.G.Eventually(func() []onebidv1.BidRecord { return history("no") }).Should(ContainElement(
		HaveField("Approval", HaveField("By", name))))
}
