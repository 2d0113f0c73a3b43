package audit

import (
	"context"
	"errors"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/account"
	"github.com/onebid-dev/onebid/internal/ownership"
)

// secondLook closes the open cases one by one. It returns how long until the next step: when a call is held back now, the
// remaining cases stay open until then.
func (s *sweep) secondLook(ctx context.Context) (wait time.Duration) {
	m, key := s.memory, client.ObjectKeyFromObject(s.mkt)
	for len(m.cases) > 0 {
		f := m.cases[0]
		err := s.closeCase(ctx, f)
		if account.Unsent(err) {
			later := max(marketplace.RetryAfter(err), time.Second)
			m.secondLook = s.Clock.Now().Add(later)
			return sooner(later, wait)
		}
		if err != nil {
			s.log.Info("An orphan stays; it is looked at again at the next audit", "posting", f.Key.PostingID, "error", err.Error())
		}
		m.cases = m.cases[1:]
		wait = sooner(s.release(ctx, key, f.claim), wait)
	}
	return sooner(s.conclude(), wait)
}

// closeCase looks at a posting once more and then acts, or reports.
func (s *sweep) closeCase(ctx context.Context, before *finding) error {
	f, err := s.inspect(ctx, before.Key)
	switch {
	case account.Unsent(err):
		return err
	case err != nil:
		for _, id := range before.Orphans { // what the audit before reported still stands
			s.memory.staying[id] = s.memory.reported[id]
		}
		return err
	case f == nil:
		return nil
	}
	left := f.Orphans
	if before.claim != nil && s.mkt.Spec.Orphans == onebidv1.OrphansWithdraw {
		for len(left) > 0 && err == nil {
			if err = s.withdraw(ctx, before.claim, f, left[0]); err == nil {
				left, before.withdrawn = left[1:], true
			}
		}
	}
	switch {
	case account.Unsent(err):
		return err
	case len(left) > 0:
		s.reportOrphans(f, left, err)
		return err
	case f.unclear && !before.withdrawn:
		s.reportUnclear(f)
		return nil
	case before.claim == nil:
		return nil
	}
	return s.writeTombstone(ctx, before, f)
}

// withdraw withdraws one bid by its ID and reads it back.
func (s *sweep) withdraw(ctx context.Context, claim *ownership.Claim, f *finding, id string) error {
	if d := s.conn.AdmitWithdraw(ctx, account.Priority{}); d.Denied() {
		return d.Err(s.Clock.Now())
	}
	if err := s.Leases.Assert(ctx, claim); err != nil {
		return err
	}
	if err := s.Leases.Authorize(claim, s.conn.Timeout()); err != nil {
		return err
	}
	ref := marketplace.Ref{BidID: id, PostingID: f.Key.PostingID}
	if _, err := s.conn.Retract(ctx, s.query(), ref, time.Time{}, "no Bid accounts for this bid"); err != nil {
		return err
	}
	s.log.Info("Withdrew an orphan", "posting", f.Key.PostingID, "remoteBid", id, "bidUID", claim.BidUID)
	s.Metrics.countWithdrawn(client.ObjectKeyFromObject(s.mkt))
	s.event(f, EventOrphanWithdrawn,
		"Bid %q on posting %q was live, was ours and had no Bid that accounted for it (UID %s): it was withdrawn",
		id, f.Key.PostingID, claim.BidUID)
	return nil
}

// writeTombstone ends the Lease when nothing is left to resolve on the posting. The Lease stays as it is while the Bid that
// it was claimed for is active, or calls of other Bids are open.
func (s *sweep) writeTombstone(ctx context.Context, before, f *finding) error {
	claim := before.claim
	open := slices.ContainsFunc(claim.Intents, func(i ownership.Intent) bool { return !slices.Contains(f.BidUIDs, i.BidUID) })
	if open || f.active() && f.bid.UID == claim.BidUID {
		return nil
	}
	now := s.Wall.Now()
	until := now
	if seconds := s.mkt.Spec.RebidCooldownSeconds; before.withdrawn && seconds != nil {
		until = now.Add(time.Duration(*seconds) * time.Second)
	}
	err := s.Leases.WriteTombstone(ctx, claim, ownership.Tombstone{
		EndedAt: now, CooldownUntil: until, Outcome: onebidv1.StateWithdrawn, BidUID: claim.BidUID,
	})
	if err == nil || errors.Is(err, ownership.ErrLost) {
		before.claim = nil
		return nil
	}
	return err
}

// reportOrphans says why orphans stay.
func (s *sweep) reportOrphans(f *finding, left []string, err error) {
	transient := false
	next := "nothing is done about it, as spec.orphans is Report; withdraw it there, or set spec.orphans to Withdraw"
	switch {
	case err != nil:
		next = "withdrawing it failed, which is tried again at the next audit: " + err.Error()
	case s.mkt.Spec.Orphans == onebidv1.OrphansWithdraw:
		next, transient = "its posting's Lease is held; it is tried again at the next audit", true
	}
	for _, id := range left {
		s.report(f, id, transient, "Bid %q on posting %q is live, is ours and has no Bid that accounts for it (UID %s): %s",
			id, f.Key.PostingID, f.BidUIDs[0], next)
	}
}

// reportUnclear reports a Lease that tells of a bid where nothing proves whether that is open. It counts as an orphan.
func (s *sweep) reportUnclear(f *finding) {
	s.report(f, "posting/"+f.Key.PostingID, false,
		"The Bid with UID %s on posting %q is gone, and the marketplace cannot tell whether a bid of it is live: look there",
		f.BidUIDs[0], f.Key.PostingID)
}

// report writes an event about an orphan that stays, once. A transient one is reported only when the next audit still finds
// it.
func (s *sweep) report(f *finding, id string, transient bool, note string, args ...any) {
	reported, seen := s.memory.reported[id]
	if s.leads && !reported && (seen || !transient) {
		s.event(f, EventOrphanFound, note, args...)
		reported = true
	}
	s.memory.staying[id] = reported
}
