package scanners_test

import (
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketsim"
)

// A person deletes the Bid of a posting that stays in the feed. No scanner bids on it again, though no cooldown is left, until
// one is told to.
func TestADeletedBidStaysWithdrawn(t *testing.T) {
	x := world.Tenant(t, onebidv1.ClassIdempotencyKey)
	x.Manager()
	const id = "39211345"
	bid := &onebidv1.Bid{ObjectMeta: metav1.ObjectMeta{Namespace: x.NS, Name: "rest." + id}}
	// Each run is a new process, as after a restart.
	run := func(flags ...string) {
		t.Helper()
		p := scanner(t, x, "-", flags...)
		p.stdin = jobs
		_, stderr, err := p.run(t)
		x.G.Expect(err).NotTo(HaveOccurred(), stderr)
	}
	run()
	x.State(bid, onebidv1.StateActive)
	x.Delete(bid)
	x.Gone(bid)

	run()
	x.G.Expect(names(x, &onebidv1.BidList{})).To(ConsistOf(oddName))
	x.G.Expect(x.Calls(marketsim.VerbPlace, id)).To(HaveLen(1))

	run("--rebid")
	x.State(bid, onebidv1.StateActive)
	x.G.Expect(x.Calls(marketsim.VerbPlace, id)).To(HaveLen(2))
}
