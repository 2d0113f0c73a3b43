package lifecycle_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketsim"
)

const project = "39211345"

// atFreelancer gives a tenant whose Marketplace speaks to a market of that shape by its own driver.
func atFreelancer(t *testing.T, edit ...func(*onebidv1.Marketplace)) *tenant {
	t.Helper()
	native := func(m *onebidv1.Marketplace) {
		market := strings.TrimSuffix(m.Spec.HTTP.BaseURL, "/")
		m.Spec.HTTP, m.Spec.Freelancer = nil, &onebidv1.FreelancerDriver{BaseURL: market}
	}
	x := newTenant(t, onebidv1.ClassUniquePerPosting, append([]func(*onebidv1.Marketplace){native}, edit...)...)
	_, err := world.Sim.PutMarket(t.Context(), x.Market, marketsim.Settings{
		Shape: marketsim.ShapeFreelancer, Class: marketsim.ClassUniquePerPosting, PageSize: 3,
	})
	x.G.Expect(err).NotTo(HaveOccurred())
	return x
}

func offer(b *onebidv1.Bid) {
	b.Spec.Price = onebidv1.Money{Amount: "250.50", Currency: "USD"}
	b.Spec.DeliveryDays = 7
	b.Spec.Proposal = strings.Repeat("We know this kind of work. ", 5)
}

func TestFreelancerFromApprovalToWithdrawn(t *testing.T) {
	x := atFreelancer(t, func(m *onebidv1.Marketplace) { m.Spec.Approval = onebidv1.ApprovalManual })
	x.Manager()
	bid := x.Bid(project, offer)
	x.Reason(bid, onebidv1.ConditionAccepted, onebidv1.ReasonAwaitingApproval)
	x.G.Eventually(func() []string {
		status := x.marketplace().Status
		return []string{status.Driver, status.AccountID}
	}).Should(Equal([]string{"freelancer", marketsim.FreelancerID(x.Account())}))
	x.G.Expect(x.Row(project).PlaceCalls).To(BeZero())

	approved := x.Get(bid)
	approved.Spec.Approval = &onebidv1.BidApproval{BidUID: string(bid.UID), Decision: onebidv1.ApprovalApproved}
	x.G.Expect(world.Env.Client.Update(t.Context(), approved)).To(Succeed())
	x.State(bid, onebidv1.StateActive)
	x.Withdraw(bid, "found a better one")
	x.State(bid, onebidv1.StateWithdrawn)
	row := x.Row(project)
	x.G.Expect([]int{row.PlaceCalls, row.Withdrawn, row.Live}).To(Equal([]int{1, 1, 0}))
	for _, r := range x.Ledger() {
		if r.Effect == marketsim.EffectPlaced {
			x.G.Expect(r.Amount).To(Equal("250.50"), "as it is spelled in the Bid")
		}
	}
	x.Delete(bid)
	x.Gone(bid)
}

// TestFreelancerFindsWhatItLost: without a key, our bid is told from another's by its price and the project's currency.
func TestFreelancerFindsWhatItLost(t *testing.T) {
	x := atFreelancer(t)
	x.Fault(marketsim.Fault{Verb: marketsim.VerbPlace, Commit: marketsim.CommitBefore, Reply: marketsim.ReplyDrop, Times: 1})
	x.Manager()
	bid := x.Bid(project, offer)
	active := x.State(bid, onebidv1.StateActive)
	x.G.Expect(active.Status.Remote.BidID).To(Equal(x.Row(project).LiveBids[0]))
	x.G.Expect(x.Row(project).PlaceCalls).To(Equal(1))
	x.Delete(bid)
	x.Gone(bid)
	x.G.Expect(x.Row(project).Live).To(BeZero())
}
