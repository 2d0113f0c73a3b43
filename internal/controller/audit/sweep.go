package audit

import (
	"context"
	"slices"

	"github.com/go-logr/logr"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/account"
	"github.com/onebid-dev/onebid/internal/ownership"
)

// Reasons of the events on Marketplaces.
const (
	// EventOrphanFound is written once for each orphan that stays.
	EventOrphanFound = "OrphanFound"
	// EventOrphanWithdrawn is written when an orphan was withdrawn.
	EventOrphanWithdrawn = "OrphanWithdrawn"
)

// sweep is one look at one Marketplace.
type sweep struct {
	*Reconciler
	mkt    *onebidv1.Marketplace
	conn   *account.Account
	memory *memory
	// leads is true for the one replica that audits all of the Marketplace and writes its events. Another one audits the
	// postings that it holds, as no other process can take these from it.
	leads bool
	log   logr.Logger
}

// finding is a case that live reads confirmed.
type finding struct {
	Case
	// bid that has the posting now, or nil.
	bid *onebidv1.Bid
	// unclear is true where a lookup that shows nothing of ours does not prove that nothing is there.
	unclear bool
	// claim on the posting's Lease; nil where nothing may be done.
	claim *ownership.Claim
	// withdrawn is true once the second look withdrew something here.
	withdrawn bool
}

func (s *sweep) snapshot() *Snapshot {
	return &Snapshot{Namespace: s.mkt.Namespace, Marketplace: s.mkt.Name, StoresKey: s.conn.Capabilities().StoresKey}
}

func (s *sweep) query() account.Query {
	return account.Query{AccountID: s.mkt.Status.AccountID, Orphan: true}
}

// inspect judges one posting by live reads: first the Lease and the Bid, then the marketplace, so that no Bid can have
// ended in between. It returns nil when nothing was left there.
func (s *sweep) inspect(ctx context.Context, key onebidv1.Key) (*finding, error) {
	live := s.snapshot()
	name, err := key.Name()
	if err != nil {
		return nil, nil //nolint:nilerr // a Bid with such a key is never placed
	}
	lease, err := s.Leases.Get(ctx, s.mkt.Namespace, onebidv1.LeasePrefix+name)
	switch {
	case err == nil:
		live.Leases = []*coordinationv1.Lease{lease}
	case !apierrors.IsNotFound(err):
		return nil, err
	}
	out := &finding{}
	bid := &onebidv1.Bid{}
	switch err := s.Live.Get(ctx, client.ObjectKey{Namespace: s.mkt.Namespace, Name: name}, bid); {
	case err == nil:
		live.Bids, out.bid = []onebidv1.Bid{*bid}, bid
	case !apierrors.IsNotFound(err):
		return nil, err
	}
	if live.Remote, err = s.conn.Find(ctx, s.query(), key.PostingID); err != nil {
		return nil, err
	}
	judged := Judge(*live)
	if len(judged.Cases) == 0 {
		return nil, nil
	}
	out.Case = judged.Cases[0]
	unknown := slices.ContainsFunc(live.Remote, func(b marketplace.Bid) bool { return b.State == onebidv1.RemoteUnknown })
	out.unclear = !live.StoresKey && judged.NotOurs > 0 || unknown || s.conn.Spec().Class == onebidv1.ClassNone
	return out, nil
}

// active is true while the Bid that has the posting is not terminal.
func (f *finding) active() bool { return f.bid != nil && !bidding.Terminal(f.bid) }

// event on the Marketplace, with the Bid that was as the related object: events that are the same in all but the note
// are written as one.
func (s *sweep) event(f *finding, reason, note string, args ...any) {
	bid := &onebidv1.Bid{}
	bid.Namespace, bid.UID = s.mkt.Namespace, f.BidUIDs[0]
	bid.Name, _ = f.Key.Name() // it was looked up under that name
	s.Events.Eventf(s.mkt, bid, corev1.EventTypeWarning, reason, "Audit", note, args...)
}
