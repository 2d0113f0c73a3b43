package audit

import (
	"context"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/ownership"
)

// maxCases bounds what one audit works on. The next one goes on with the rest.
const maxCases = 100

// firstLook compares, reads each posting live where something was left, and claims it where anything is to be done. It
// returns how long until the next step.
func (s *sweep) firstLook(ctx context.Context) time.Duration {
	m := s.memory
	m.again, m.requested = false, s.mkt.Annotations[onebidv1.AnnotationReconcileRequestedAt]
	m.cases, m.conn, m.staying = nil, s.conn, map[string]bool{}
	if err := s.openCases(ctx); err != nil {
		s.log.Info("The audit was not finished; it is tried again at the next interval", "error", err.Error())
		return sooner(s.schedule(), s.releaseCases(ctx, client.ObjectKeyFromObject(s.mkt), m))
	}
	if len(m.cases) == 0 {
		return s.conclude()
	}
	wait := s.callsEnd(s.conn)
	m.secondLook = s.Clock.Now().Add(wait)
	return wait
}

func (s *sweep) openCases(ctx context.Context) error {
	snapshot, err := s.read(ctx)
	if err != nil {
		return err
	}
	judged := Judge(*snapshot)
	s.log.V(1).Info("Audited", "accounted", judged.Accounted, "notOurs", judged.NotOurs, "postings", len(judged.Cases))
	cases := slices.DeleteFunc(judged.Cases, func(c Case) bool { return !s.leads && !s.holds(c.Key) })
	for _, c := range cases[:min(len(cases), maxCases)] {
		f, err := s.inspect(ctx, c.Key)
		if err != nil {
			return err
		}
		if f != nil {
			s.claim(ctx, f)
			s.memory.cases = append(s.memory.cases, f)
		}
	}
	return nil
}

// holds is true when this process holds the posting's Lease, for whatever Bid.
func (s *sweep) holds(key onebidv1.Key) bool {
	name, err := key.LeaseName()
	_, held := s.Leases.Held(s.mkt.Namespace, name)
	return err == nil && held
}

// read reads the marketplace first, then what the cluster knows. Where the account's bids cannot be listed only Leases
// tell what was left.
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

// claim claims the posting's Lease where anything is to be done: an open bid is to be withdrawn, or a Lease that only tells
// of something that is over is to become a tombstone. A holder that is alive keeps it.
func (s *sweep) claim(ctx context.Context, f *finding) {
	if len(f.Orphans) > 0 && s.mkt.Spec.Orphans != onebidv1.OrphansWithdraw || len(f.Orphans) == 0 && f.unclear {
		return
	}
	uid := f.BidUIDs[0]
	name, _ := f.Key.LeaseName() // it was looked up under that name
	if claim, held := s.Leases.Held(s.mkt.Namespace, name); held && slices.Contains(f.BidUIDs, claim.BidUID) {
		uid = claim.BidUID
	}
	claim, err := s.Leases.Acquire(ctx, ownership.Request{
		Namespace: s.mkt.Namespace, Key: f.Key, BidUID: uid, TTL: time.Duration(s.mkt.Spec.Lock.TTLSeconds) * time.Second,
		IgnoreCooldown: true, Exclusive: true,
	})
	if err != nil {
		s.log.Info("The posting of an orphan cannot be claimed now", "posting", f.Key.PostingID, "error", err.Error())
		return
	}
	f.claim = claim
}
