package audit

import (
	"context"
	"errors"
	"slices"
	"time"

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

// maxCases bounds what one audit works on. The next one goes on with the rest.
const maxCases = 100

// sweep is one audit of one Marketplace.
type sweep struct {
	*Reconciler
	mkt    *onebidv1.Marketplace
	conn   *account.Account
	memory *memory
	// leads is true for the one replica that audits all of the Marketplace and tells people. Another one looks after what
	// it holds: nobody can take that from it.
	leads bool
	log   logr.Logger
	// stay are the orphans that stay after this audit, and whether people were told.
	stay map[string]bool
}

// finding is a case that live reads confirmed.
type finding struct {
	Case
	// bid that has the posting now, or nil.
	bid *onebidv1.Bid
	// unclear is true where a look-up that shows nothing of ours does not prove that nothing is there.
	unclear bool
	// claim on the posting's Lease; nil where nothing may be done.
	claim *ownership.Claim
}

// run audits: compare, look closer, wait until no call is under way, look again, act. It blocks for the wait only when
// something was found.
func (s *sweep) run(ctx context.Context) error {
	snapshot, err := s.read(ctx)
	if err != nil {
		return err
	}
	judged := Judge(*snapshot)
	s.log.V(1).Info("Audited", "accounted", judged.Accounted, "notOurs", judged.NotOurs, "postings", len(judged.Cases))
	var found []*finding
	defer func() {
		for _, f := range found {
			s.giveBack(ctx, f)
		}
	}()
	cases := slices.DeleteFunc(judged.Cases, func(c Case) bool { return !s.leads && !s.holds(c.Key) })
	for _, c := range cases[:min(len(cases), maxCases)] {
		f, err := s.look(ctx, c.Key)
		if err != nil {
			return err
		}
		if f != nil {
			s.hold(ctx, f)
			found = append(found, f)
		}
	}
	if len(found) > 0 && !s.sleep(ctx, s.calm(s.conn)) {
		return ctx.Err()
	}
	return s.settleAll(ctx, found)
}

func (s *sweep) settleAll(ctx context.Context, found []*finding) error {
	var errs []error
	for _, f := range found {
		errs = append(errs, s.settle(ctx, f))
	}
	s.memory.told = s.stay
	if s.leads {
		s.Metrics.found(client.ObjectKeyFromObject(s.mkt), len(s.stay))
	}
	return errors.Join(errs...)
}

// holds is true when this process holds the posting's Lease, for whatever Bid.
func (s *sweep) holds(key onebidv1.Key) bool {
	name, err := key.LeaseName()
	_, held := s.Leases.Held(s.mkt.Namespace, name)
	return err == nil && held
}

// read compares nothing yet: the marketplace first, then what the cluster knows. Where the account's bids cannot be
// listed only Leases tell what was left.
func (s *sweep) read(ctx context.Context) (*Snapshot, error) {
	out := s.snapshot()
	if s.conn.Capabilities().CanList {
		var err error
		if out.Remote, err = s.conn.List(ctx); err != nil {
			return nil, err
		}
	} else {
		s.log.V(1).Info("The marketplace does not list the account's bids: only the Leases of Bids that are gone are audited")
	}
	bids := &onebidv1.BidList{}
	err := s.Client.List(ctx, bids, client.InNamespace(s.mkt.Namespace),
		client.MatchingFields{"spec.marketplace": s.mkt.Name}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, err
	}
	out.Bids = bids.Items
	out.Leases, err = s.ListLeases(ctx, s.mkt.Namespace)
	return out, err
}

func (s *sweep) snapshot() *Snapshot {
	return &Snapshot{
		Namespace: s.mkt.Namespace, Marketplace: s.mkt.Name, StoresKey: s.conn.Capabilities().StoresKey,
	}
}

// look judges one posting by live reads: first the Lease and the Bid, then the marketplace, so that no Bid can have
// ended in between. It returns nil when nothing was left behind there.
func (s *sweep) look(ctx context.Context, key onebidv1.Key) (*finding, error) {
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

func (s *sweep) query() account.Query {
	return account.Query{AccountID: s.mkt.Status.AccountID, Orphan: true}
}

// acts is true when something may be done: withdraw what is live, or bury a Lease that only tells of something that is
// over.
func (s *sweep) acts(f *finding) bool {
	if len(f.Orphans) > 0 {
		return s.mkt.Spec.Orphans == onebidv1.OrphansWithdraw
	}
	return !f.unclear
}

// tell writes an event about an orphan that stays, once. What may be over by the next audit is told then.
func (s *sweep) tell(f *finding, id string, soonOver bool, note string, args ...any) {
	told, seen := s.memory.told[id]
	if s.leads && !told && (seen || !soonOver) {
		s.event(f, EventOrphanFound, note, args...)
		told = true
	}
	s.stay[id] = told
}

// event on the Marketplace, with the Bid that was as the related object: events that are the same in all but the note
// are written as one.
func (s *sweep) event(f *finding, reason, note string, args ...any) {
	bid := &onebidv1.Bid{}
	bid.Namespace, bid.UID = s.mkt.Namespace, f.BidUIDs[0]
	bid.Name, _ = f.Key.Name() // it was looked up under that name
	s.Events.Eventf(s.mkt, bid, corev1.EventTypeWarning, reason, "Audit", note, args...)
}

// sleep waits, and returns false when the context ends first.
func (s *sweep) sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-s.Clock.After(d):
		return true
	}
}

// unsettled is true while the Bid that has the posting is not over.
func (f *finding) unsettled() bool { return f.bid != nil && !bidding.Terminal(f.bid) }
