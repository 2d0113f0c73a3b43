package scenarios_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketsim"
	"github.com/onebid-dev/onebid/test/harness"
)

// 9: the hosts' clocks and the API server's are an hour apart, either way. Retries, cooldowns and take-overs last as long as
// ever. The tests cannot set a host's clock; what a process sees of the difference is the Date of the API server's replies.
func TestRow09HostsWhoseClocksAreWrong(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"slow": time.Hour, "fast": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			x := newTenant(t, onebidv1.ClassIdempotencyKey, func(m *onebidv1.Marketplace) { m.Spec.RebidCooldownSeconds = ptr.To[int32](12) })
			p := x.Proxy()
			p.Ahead(ahead)
			x.Fault(marketsim.Fault{Verb: "place", Posting: "1", Status: 429, RetryAfter: "8", Times: 1})
			first := x.Manager("--kubeconfig", p.Kubeconfig)
			bid := x.Bid("1")
			x.Reason(bid, onebidv1.ConditionPlaced, onebidv1.ReasonRateLimited)
			first.Kill()
			x.Manager("--kubeconfig", p.Kubeconfig)
			x.State(bid, onebidv1.StateActive)
			x.Delete(bid)
			x.Gone(bid)
			again := x.Bid("1")
			x.Reason(again, onebidv1.ConditionAccepted, onebidv1.ReasonCooldown)
			x.State(again, onebidv1.StateActive)
			placed, withdrawn := x.Calls(marketsim.VerbPlace, "1"), x.Calls(marketsim.VerbWithdraw, "1")
			x.G.Expect(placed).To(HaveLen(3))
			const exact = time.Second // the API server tells whole seconds
			x.G.Expect(placed[1].Time.Sub(placed[0].Time)).To(BeNumerically(">=", 8*time.Second-exact))
			x.G.Expect(placed[2].Time.Sub(withdrawn[0].Time)).To(BeNumerically(">=", 12*time.Second-exact))
			x.Settled()
		})
	}
}

// 9: two replicas believe in times two hours apart, and change places in the middle. Nobody takes a posting from a living
// holder, and each bid is sent and withdrawn once.
func TestRow09ReplicasWhoseClocksDiffer(t *testing.T) {
	inEachClass(t, func(x *harness.Tenant, _ onebidv1.MarketplaceClass) {
		fast, slow := x.Proxy(), x.Proxy()
		fast.Ahead(time.Hour)
		slow.Ahead(-time.Hour)
		first := x.Manager("--kubeconfig", fast.Kubeconfig)
		x.Manager("--kubeconfig", slow.Kubeconfig)
		postings := numbered("p", 8)
		var bids []*onebidv1.Bid
		for _, posting := range postings {
			bids = append(bids, x.State(x.Bid(posting), onebidv1.StateActive))
		}
		fast.Ahead(-time.Hour)
		slow.Ahead(time.Hour)
		for _, bid := range bids[:4] {
			x.Delete(bid)
			x.Gone(bid)
		}
		first.Kill()
		for _, bid := range bids[4:] {
			x.Delete(bid)
			x.Gone(bid)
		}
		for _, posting := range postings {
			x.G.Expect(x.Row(posting).PlaceCalls).To(Equal(1), posting)
			x.G.Expect(x.Row(posting).Withdrawn).To(Equal(1), posting)
		}
	})
}

// 9: a competitor writes times into the posting's Lease that are an hour off. It keeps the posting for its duration, no
// longer and no shorter.
func TestRow09ACompetitorWhoseClockIsWrong(t *testing.T) {
	for name, off := range map[string]time.Duration{"ahead": time.Hour, "behind": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			x := newTenant(t, onebidv1.ClassIdempotencyKey)
			name, err := onebidv1.Key{Marketplace: "rest", PostingID: "1"}.LeaseName()
			x.G.Expect(err).NotTo(HaveOccurred())
			at := ptr.To(metav1.NewMicroTime(time.Now().Add(off)))
			x.Create(&coordinationv1.Lease{
				ObjectMeta: metav1.ObjectMeta{Namespace: x.NS, Name: name},
				Spec: coordinationv1.LeaseSpec{
					HolderIdentity: ptr.To("some-other-program"), LeaseDurationSeconds: ptr.To[int32](10), AcquireTime: at, RenewTime: at,
				},
			})
			x.Manager()
			begun := time.Now()
			bid := x.Bid("1")
			held := x.Reason(bid, onebidv1.ConditionAccepted, onebidv1.ReasonLeaseHeld)
			x.G.Expect(harness.MessageOf(held, onebidv1.ConditionAccepted)).To(ContainSubstring(`is held by "some-other-program"`))
			x.State(bid, onebidv1.StateActive)
			x.G.Expect(time.Since(begun)).To(BeNumerically(">=", 10*time.Second))
			x.G.Expect(x.Row("1").PlaceCalls).To(Equal(1))
			x.Settled()
		})
	}
}
