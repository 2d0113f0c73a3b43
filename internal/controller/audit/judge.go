package audit

import (
	"slices"
	"strings"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/types"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/ownership"
)

// Snapshot is what a verdict is reached on: of a whole account, or of one posting.
type Snapshot struct {
	Namespace, Marketplace string
	// StoresKey is true when the marketplace gives the idempotency key back with each bid.
	StoresKey bool
	// Remote are the account's bids at the marketplace. For a first look they are read before Bids, so that the Bid of one
	// that was placed meanwhile is known; for a verdict to act on, after Bids.
	Remote []marketplace.Bid
	// Bids of the Marketplace.
	Bids []onebidv1.Bid
	// Leases of the namespace's postings; those of other Marketplaces are left out of account.
	Leases []*coordinationv1.Lease
}

// Verdict says whose an open bid is.
type Verdict string

const (
	// Accounted: a Bid accounts for it, or a person abandoned its Bid.
	Accounted Verdict = "Accounted"
	// Orphan: it is ours, and no Bid accounts for it.
	Orphan Verdict = "Orphan"
	// NotOurs: nothing proves that it is ours. It is never touched.
	NotOurs Verdict = "NotOurs"
)

// Case is a posting where something of ours was left behind.
type Case struct {
	Key onebidv1.Key
	// BidUIDs whose Bids left it: they are gone, or terminal, or record another bid.
	BidUIDs []types.UID
	// Orphans are the marketplace's IDs of what is open. There may be none: then only the Lease was left.
	Orphans []string
}

// Findings of a Snapshot.
type Findings struct {
	// Cases in the order in which they were found, each posting once.
	Cases []Case
	// Accounted and NotOurs count open bids.
	Accounted, NotOurs int
}

// Judge finds what was left behind. It is a pure function.
func Judge(s Snapshot) Findings {
	var found Findings
	k := newKnowledge(s)
	for _, remote := range s.Remote {
		if !remote.KnownOpen() {
			continue
		}
		switch verdict, by := k.judge(remote); verdict {
		case Accounted:
			found.Accounted++
		case Orphan:
			found.add(by, remote.ID)
		default:
			found.NotOurs++
		}
	}
	for _, by := range k.gone {
		if !k.active[by.key] {
			found.add(by, "")
		}
	}
	return found
}

func (f *Findings) add(by owner, remoteID string) {
	at := slices.IndexFunc(f.Cases, func(c Case) bool { return c.Key == by.key })
	if at < 0 {
		f.Cases = append(f.Cases, Case{Key: by.key})
		at = len(f.Cases) - 1
	}
	c := &f.Cases[at]
	if !slices.Contains(c.BidUIDs, by.uid) {
		c.BidUIDs = append(c.BidUIDs, by.uid)
	}
	if remoteID != "" {
		c.Orphans = append(c.Orphans, remoteID)
	}
}

// owner is a Bid that there is or was.
type owner struct {
	key onebidv1.Key
	uid types.UID
	// abandoned is true when a person gave up the Bid and answers for what it left.
	abandoned bool
}

// knowledge is what proves whose a bid is.
type knowledge struct {
	storesKey bool
	byUID     map[types.UID]*onebidv1.Bid
	byID      map[string][]*onebidv1.Bid
	byKey     map[string]owner
	// active are the postings with a Bid that is not terminal: that Bid resolves first what the Lease says.
	active map[onebidv1.Key]bool
	// gone are the owners that a Lease without tombstone names.
	gone []owner
}

func newKnowledge(s Snapshot) *knowledge {
	k := &knowledge{
		storesKey: s.StoresKey, byUID: map[types.UID]*onebidv1.Bid{}, byID: map[string][]*onebidv1.Bid{},
		byKey: map[string]owner{}, active: map[onebidv1.Key]bool{},
	}
	for i := range s.Bids {
		bid := &s.Bids[i]
		key := bidding.KeyOf(bid)
		k.byUID[bid.UID] = bid
		k.byKey[bidding.IdempotencyKey(s.Namespace, key, bid.UID)] = owner{key: key, uid: bid.UID}
		if bid.Status.Remote != nil {
			k.byID[bid.Status.Remote.BidID] = append(k.byID[bid.Status.Remote.BidID], bid)
		}
		if !bidding.Terminal(bid) {
			k.active[key] = true
		}
	}
	for _, lease := range s.Leases {
		if key, ok := postingOf(lease); ok && key.Marketplace == s.Marketplace {
			k.addLease(s.Namespace, key, lease)
		}
	}
	return k
}

// addLease notes the Bids that a posting's Lease names.
func (k *knowledge) addLease(namespace string, key onebidv1.Key, lease *coordinationv1.Lease) {
	stone, ended, _ := ownership.ParseTombstone(lease.Annotations) // times that cannot be read change nothing here
	for _, uid := range bidUIDsOf(lease) {
		if k.byUID[uid] != nil {
			continue
		}
		by := owner{key: key, uid: uid, abandoned: ended && stone.Outcome == onebidv1.StateIndeterminate}
		k.byKey[bidding.IdempotencyKey(namespace, key, uid)] = by
		if !ended {
			k.gone = append(k.gone, by)
		}
	}
}

// judge says whose an open bid is. Without stored keys only a remote ID that was recorded proves that a bid is ours.
func (k *knowledge) judge(remote marketplace.Bid) (Verdict, owner) {
	for _, bid := range k.byID[remote.ID] {
		if accountsFor(bid) {
			return Accounted, owner{}
		}
	}
	if k.storesKey {
		by, known := k.byKey[remote.IdempotencyKey]
		switch bid := k.byUID[by.uid]; {
		case !known || !mayBeOn(remote, by.key):
			return NotOurs, owner{}
		case by.abandoned, bid != nil && accountsFor(bid) && bid.Status.Remote == nil:
			return Accounted, owner{} // being placed, or its outcome is unknown
		default:
			return Orphan, by
		}
	}
	for _, bid := range k.byID[remote.ID] {
		if key := bidding.KeyOf(bid); mayBeOn(remote, key) {
			return Orphan, owner{key: key, uid: bid.UID}
		}
	}
	return NotOurs, owner{}
}

// accountsFor is true for a Bid that is not terminal, or that won: what it has at the marketplace is wanted.
func accountsFor(bid *onebidv1.Bid) bool {
	return !bidding.Terminal(bid) || bid.Status.Outcome == onebidv1.StateWon
}

// mayBeOn is false when the marketplace says that the bid is on another posting.
func mayBeOn(remote marketplace.Bid, key onebidv1.Key) bool {
	return remote.PostingID == "" || remote.PostingID == key.PostingID
}

// postingOf is the posting that a Lease is of.
func postingOf(lease *coordinationv1.Lease) (onebidv1.Key, bool) {
	name, ok := strings.CutPrefix(lease.Name, onebidv1.LeasePrefix)
	if !ok {
		return onebidv1.Key{}, false
	}
	key, err := onebidv1.ParseName(name)
	return key, err == nil
}

// bidUIDsOf are the UIDs of the Bids that a Lease was claimed for or carries intents of. One may come twice.
func bidUIDsOf(lease *coordinationv1.Lease) []types.UID {
	uids := []types.UID{types.UID(lease.Annotations[onebidv1.AnnotationBidUID])}
	intents, _ := ownership.ParseIntents(lease.Annotations[onebidv1.AnnotationIntent]) // unreadable ones name no Bid
	for _, intent := range intents {
		uids = append(uids, intent.BidUID)
	}
	return slices.DeleteFunc(uids, func(uid types.UID) bool { return uid == "" })
}
