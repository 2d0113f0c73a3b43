package harness

import (
	"fmt"
	"strings"
	"time"

	"github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/marketsim"
)

// quiet is for how long nothing may be written once a tenant is settled.
const quiet = 1500 * time.Millisecond

// Settled waits until nothing is written any more, here or at the marketplace, and the marketplace's ledger agrees with
// the promises: no posting had two live bids at once (I1); each live bid is that of a Bid which wants to be live
// (I2, I6); each Bid is live there, ended, or says who must do what (I3); nothing is written while nothing changes (I4);
// no Lease but tombstones is left without its Bid. I5 is about how often a place call was sent, which each test counts.
//
// That nothing is written for a while proves nothing alone: so it is while a call settles, or a dead replica's time runs.
func (x *Tenant) Settled() {
	x.T.Helper()
	last, since := "", time.Now()
	var wrong []string
	x.G.Eventually(func() time.Duration {
		trace := x.trace()
		if wrong = x.wrong(); trace != last || len(wrong) > 0 {
			last, since = trace, time.Now()
		}
		return time.Since(since)
	}).WithPolling(quiet/6).Should(gomega.BeNumerically(">=", quiet), func() string {
		if len(wrong) == 0 {
			return "something goes on being written"
		}
		return strings.Join(wrong, "\n")
	})
	x.checkInvariants()
}

// wrong is what does not agree with the promises now.
func (x *Tenant) wrong() []string {
	x.T.Helper()
	var out []string
	bids, live := x.Bids(), x.Live()
	for posting, id := range orphans(bids, live) {
		out = append(out, fmt.Sprintf("no Bid accounts for bid %s on posting %q, which is live", id, posting))
	}
	for i := range bids {
		if !accounted(&bids[i], live) {
			out = append(out, "this Bid is neither live, nor ended, nor does it say what to do:\n"+Describe(&bids[i]))
		}
	}
	return append(out, x.lostLeases(bids)...)
}

// Bids of the tenant.
func (x *Tenant) Bids(opts ...client.ListOption) []onebidv1.Bid {
	x.T.Helper()
	list := &onebidv1.BidList{}
	x.G.Expect(x.World.Env.Client.List(x.T.Context(), list, append(opts, client.InNamespace(x.NS))...)).To(gomega.Succeed())
	return list.Items
}

// trace is another text after each write.
func (x *Tenant) trace() string {
	x.T.Helper()
	var out strings.Builder
	for _, kind := range []schema.GroupVersionKind{
		onebidv1.GroupVersion.WithKind("BidList"), onebidv1.GroupVersion.WithKind("PostingList"),
		onebidv1.GroupVersion.WithKind("MarketplaceList"),
		{Group: "coordination.k8s.io", Version: "v1", Kind: "LeaseList"},
		{Group: "events.k8s.io", Version: "v1", Kind: "EventList"}, {Version: "v1", Kind: "SecretList"},
	} {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(kind)
		x.G.Expect(x.World.Env.Client.List(x.T.Context(), list, client.InNamespace(x.NS))).To(gomega.Succeed())
		for _, o := range list.Items {
			fmt.Fprintln(&out, o.UID, o.ResourceVersion)
		}
	}
	for _, r := range x.Ledger() {
		if r.Kind == marketsim.KindCall && (r.Verb == marketsim.VerbPlace || r.Verb == marketsim.VerbWithdraw) {
			fmt.Fprintln(&out, r.Seq)
		}
	}
	return out.String()
}

// orphans are the live bids, by posting, that belong to no Bid which wants to be live.
func orphans(bids []onebidv1.Bid, live map[string]marketsim.LiveBid) map[string]string {
	wanted := map[string]bool{}
	for _, bid := range bids {
		if bid.Status.Remote != nil && !bidding.Withdrawing(&bid) {
			wanted[bid.Status.Remote.BidID] = true
		}
	}
	out := map[string]string{}
	for id, bid := range live {
		if !wanted[id] {
			out[bid.Posting] = id
		}
	}
	return out
}

func accounted(bid *onebidv1.Bid, live map[string]marketsim.LiveBid) bool {
	if bid.Status.State == onebidv1.StateActive {
		return live[bid.Status.Remote.BidID].Posting == bid.Spec.PostingID
	}
	return bidding.Terminal(bid) || meta.IsStatusConditionTrue(bid.Status.Conditions, onebidv1.ConditionStalled) ||
		meta.IsStatusConditionFalse(bid.Status.Conditions, onebidv1.ConditionAccepted)
}

// lostLeases are those that are left without their Bid.
func (x *Tenant) lostLeases(bids []onebidv1.Bid) (out []string) {
	x.T.Helper()
	known := map[string]bool{}
	for _, bid := range bids {
		known[string(bid.UID)] = true
	}
	for _, lease := range x.PostingLeases() {
		if lease.Annotations[onebidv1.AnnotationEndedAt] == "" && !known[lease.Annotations[onebidv1.AnnotationBidUID]] {
			out = append(out, fmt.Sprintf("Lease %s is left without its Bid: %v", lease.Name, lease.Annotations))
		}
	}
	return out
}
