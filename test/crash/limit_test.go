package crash_test

import (
	"testing"

	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/controller/audit"
	"github.com/onebid-dev/onebid/internal/failpoint"
	"github.com/onebid-dev/onebid/internal/marketsim"
)

// TestTheLimitOfClassNone shows the one way to two live bids: a sender stops behind its last check, for longer than all
// waits; a person looks, sees nothing and says so; the bid is placed again; the sender goes on. Where the marketplace shows
// whose a bid is, the audit withdraws the second one and says so.
func TestTheLimitOfClassNone(t *testing.T) {
	t.Parallel()
	c := newCrew(t, onebidv1.ClassNone, func(m *onebidv1.Marketplace) {
		m.Spec.AuditIntervalSeconds = 5
		m.Spec.HTTP.IdempotencyHeader = "Idempotency-Key"
		m.Spec.HTTP.Bid.IdempotencyKey = "item.?client_ref.orValue('')"
	})
	g := NewWithT(t)
	_, err := world.Sim.PutMarket(t.Context(), c.Market, marketsim.Settings{Shape: "rest", Class: "None", EchoKey: ptr.To(true)})
	g.Expect(err).NotTo(HaveOccurred())
	s := newScene(t, c, numbered{0, cell{
		play: &play{name: "limit", places: true}, point: failpoint.Wire, side: before, fault: sleep, class: onebidv1.ClassNone,
	}})
	defer s.keepIfFailed()
	s.placed()
	s.await("the bid to be placed again", s.converged)
	s.awaken()
	s.await("two live bids", func() bool { return s.row().MaxLive == 2 })
	c.ByHand++ // not by hand, but expected
	s.await("the audit", func() bool { return s.row().Live == 1 })
	g.Eventually(func() []string { return c.events(t) }).WithTimeout(patience).Should(ContainElement(audit.EventOrphanWithdrawn))
	live, err := s.live()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(s.row().LiveBids).To(Equal([]string{live.Status.Remote.BidID}), "the Bid knows the one that stays")
}

// events are the reasons of what was told about the Marketplace.
func (c *crew) events(t *testing.T) []string {
	t.Helper()
	list := &eventsv1.EventList{}
	if err := world.Env.Client.List(t.Context(), list, client.InNamespace(c.NS)); err != nil {
		t.Fatal(err)
	}
	var out []string
	for i := range list.Items {
		if list.Items[i].Regarding.Kind == "Marketplace" {
			out = append(out, list.Items[i].Reason)
		}
	}
	return out
}
