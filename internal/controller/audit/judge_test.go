package audit

import (
	"testing"

	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/types"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/ownership"
	"github.com/onebid-dev/onebid/internal/testenv/build"
)

var posting = onebidv1.Key{Marketplace: "rest", PostingID: "1"}

func keyed(id string, uid types.UID) marketplace.Bid {
	return marketplace.Bid{
		ID: id, PostingID: "1", State: onebidv1.RemoteLive, IdempotencyKey: bidding.IdempotencyKey("ns", posting, uid),
	}
}

func bidOf(uid types.UID, remote string, outcome onebidv1.BidState) onebidv1.Bid {
	b := build.Bid("ns", "rest", "1")
	b.UID, b.Status.Outcome = uid, outcome
	if remote != "" {
		b.Status.Remote = &onebidv1.RemoteBid{BidID: remote}
	}
	return *b
}

func leaseOf(annotations map[string]string) *coordinationv1.Lease {
	lease := &coordinationv1.Lease{}
	lease.Name, lease.Namespace, lease.Annotations = "bid-lock.rest.1", "ns", annotations
	return lease
}

func claimed(uid types.UID) *coordinationv1.Lease {
	intents := ownership.Intents{{Operation: onebidv1.OperationPlace, BidUID: uid, Attempt: 1}}
	return leaseOf(map[string]string{onebidv1.AnnotationBidUID: string(uid), onebidv1.AnnotationIntent: intents.Format()})
}

func ended(uid types.UID, outcome onebidv1.BidState) *coordinationv1.Lease {
	return leaseOf(ownership.Tombstone{BidUID: uid, Outcome: outcome}.Format())
}

func of(name string, lease *coordinationv1.Lease) *coordinationv1.Lease {
	lease.Name = name
	return lease
}

func TestJudge(t *testing.T) {
	orphan := func(id string, uids ...types.UID) []Case {
		c := Case{Key: posting, BidUIDs: uids}
		if id != "" {
			c.Orphans = []string{id}
		}
		return []Case{c}
	}
	for _, tc := range []struct {
		why    string
		noKeys bool
		remote []marketplace.Bid
		bids   []onebidv1.Bid
		lease  *coordinationv1.Lease
		want   Findings
	}{
		{why: "nothing anywhere is nothing"},
		{
			why: "a Bid that records it accounts for it", remote: []marketplace.Bid{keyed("7", "u")},
			bids: []onebidv1.Bid{bidOf("u", "7", "")}, lease: claimed("u"), want: Findings{Accounted: 1},
		},
		{
			why: "a Bid that records nothing yet is being placed, or its outcome is unknown", remote: []marketplace.Bid{keyed("7", "u")},
			bids: []onebidv1.Bid{bidOf("u", "", "")}, lease: claimed("u"), want: Findings{Accounted: 1},
		},
		{
			why: "a Bid that knows another bid as its own does not account for a second one", remote: []marketplace.Bid{keyed("8", "u")},
			bids: []onebidv1.Bid{bidOf("u", "7", "")}, lease: claimed("u"), want: Findings{Cases: orphan("8", "u")},
		},
		{
			why: "a bid that was won is wanted, whatever the list says", remote: []marketplace.Bid{keyed("7", "u")},
			bids: []onebidv1.Bid{bidOf("u", "7", onebidv1.StateWon)}, want: Findings{Accounted: 1},
		},
		{
			why: "a withdrawn Bid's bid that is live is an orphan", remote: []marketplace.Bid{keyed("7", "u")},
			bids: []onebidv1.Bid{bidOf("u", "7", onebidv1.StateWithdrawn)}, lease: ended("u", onebidv1.StateWithdrawn),
			want: Findings{Cases: orphan("7", "u")},
		},
		{
			why: "so is what turned up after the Bid ended without one", remote: []marketplace.Bid{keyed("7", "u")},
			bids: []onebidv1.Bid{bidOf("u", "", onebidv1.StateExpired)}, want: Findings{Cases: orphan("7", "u")},
		},
		{
			why:    "a Lease knows the key of a Bid that is gone, and the posting is one case however often it was found",
			remote: []marketplace.Bid{keyed("7", "u")}, lease: claimed("u"), want: Findings{Cases: orphan("7", "u")},
		},
		{
			why: "a tombstone convicts what comes late", remote: []marketplace.Bid{keyed("7", "u")},
			lease: ended("u", onebidv1.StateWithdrawn), want: Findings{Cases: orphan("7", "u")},
		},
		{
			why: "what a person abandoned is theirs", remote: []marketplace.Bid{keyed("7", "u")},
			lease: ended("u", onebidv1.StateIndeterminate), want: Findings{Accounted: 1},
		},
		{why: "a tombstone alone says that all is over", lease: ended("u", onebidv1.StateWithdrawn)},
		{
			why: "a Lease of a Bid that is gone is looked into although nothing is listed", lease: claimed("u"),
			want: Findings{Cases: orphan("", "u")},
		},
		{
			why: "but not while another Bid there is to resolve it first", bids: []onebidv1.Bid{bidOf("new", "", "")}, lease: claimed("u"),
		},
		{
			why: "a live bid with an older Bid's key is an orphan even then", remote: []marketplace.Bid{keyed("7", "u")},
			bids: []onebidv1.Bid{bidOf("new", "", "")}, lease: claimed("u"), want: Findings{Cases: orphan("7", "u")},
		},
		{
			why:    "a key that we do not know is not ours, though a terminal Bid names the ID: the ID was given out again",
			remote: []marketplace.Bid{keyed("7", "stranger")}, bids: []onebidv1.Bid{bidOf("u", "7", onebidv1.StateWithdrawn)},
			want: Findings{NotOurs: 1},
		},
		{
			why: "a person's bid has no key", remote: []marketplace.Bid{{ID: "7", PostingID: "1", State: onebidv1.RemoteLive}},
			bids: []onebidv1.Bid{bidOf("u", "", "")}, lease: claimed("u"), want: Findings{NotOurs: 1},
		},
		{
			why:    "a key of ours on another posting proves nothing",
			remote: []marketplace.Bid{{ID: "7", PostingID: "2", State: onebidv1.RemoteLive, IdempotencyKey: keyed("7", "u").IdempotencyKey}},
			bids:   []onebidv1.Bid{bidOf("u", "", onebidv1.StateWithdrawn)}, want: Findings{NotOurs: 1},
		},
		{
			why:    "what is over there, or in a state that we do not know, is no live bid",
			remote: []marketplace.Bid{{ID: "7", State: onebidv1.RemoteWithdrawn}, {ID: "8", State: onebidv1.RemoteUnknown}},
			bids:   []onebidv1.Bid{bidOf("u", "7", onebidv1.StateWithdrawn)},
		},
		{
			why: "without keys the recorded ID proves it", noKeys: true, remote: []marketplace.Bid{{ID: "7", State: onebidv1.RemoteAwardPending}},
			bids: []onebidv1.Bid{bidOf("u", "7", onebidv1.StateWithdrawn)}, want: Findings{Cases: orphan("7", "u")},
		},
		{
			why: "unless it is on another posting", noKeys: true, remote: []marketplace.Bid{{ID: "7", PostingID: "2", State: onebidv1.RemoteLive}},
			bids: []onebidv1.Bid{bidOf("u", "7", onebidv1.StateWithdrawn)}, want: Findings{NotOurs: 1},
		},
		{
			why: "without keys nothing else does: only the Lease is looked into", noKeys: true, remote: []marketplace.Bid{keyed("7", "u")},
			lease: claimed("u"), want: Findings{Cases: orphan("", "u"), NotOurs: 1},
		},
		{
			why: "a Lease of another Marketplace says nothing here", remote: []marketplace.Bid{keyed("7", "u")},
			lease: of("bid-lock.other.1", claimed("u")), want: Findings{NotOurs: 1},
		},
		{
			why:  "a terminal Bid that is there makes the tombstone itself",
			bids: []onebidv1.Bid{bidOf("u", "7", onebidv1.StateWithdrawn)}, lease: claimed("u"),
		},
		{
			why:  "a terminal Bid resolves nothing of another one any more",
			bids: []onebidv1.Bid{bidOf("new", "", onebidv1.StateExpired)}, lease: claimed("u"), want: Findings{Cases: orphan("", "u")},
		},
		{why: "a lock that names no Bid says nothing", lease: leaseOf(nil)},
		{
			why:   "intents that cannot be read name no Bid, and do not hide the one that the claim names",
			lease: leaseOf(map[string]string{onebidv1.AnnotationIntent: "?", onebidv1.AnnotationBidUID: "u"}),
			want:  Findings{Cases: orphan("", "u")},
		},
		{why: "a Lease with a name that no posting has says nothing", lease: of("bid-lock.rest.A", claimed("u"))},
		{why: "a heartbeat is no posting's Lease", lease: of("rest.1", claimed("u"))},
	} {
		t.Run(tc.why, func(t *testing.T) {
			s := Snapshot{Namespace: "ns", Marketplace: "rest", StoresKey: !tc.noKeys, Remote: tc.remote, Bids: tc.bids}
			if tc.lease != nil {
				s.Leases = append(s.Leases, tc.lease)
			}
			NewWithT(t).Expect(Judge(s)).To(Equal(tc.want))
		})
	}
}
