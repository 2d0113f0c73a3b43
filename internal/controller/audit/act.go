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

// hold takes the posting's Lease where something is to be done. Whoever lives and has it has a reason to.
func (s *sweep) hold(ctx context.Context, f *finding) {
	if !s.acts(f) {
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
		s.log.Info("The posting of an orphan cannot be had now", "posting", f.Key.PostingID, "error", err.Error())
		return
	}
	f.claim = claim
}

func (s *sweep) giveBack(ctx context.Context, f *finding) {
	if f.claim != nil {
		s.release(ctx, client.ObjectKeyFromObject(s.mkt), f.claim)
	}
}

// settle looks at a posting once more and then acts, or reports.
func (s *sweep) settle(ctx context.Context, before *finding) error {
	f, err := s.look(ctx, before.Key)
	switch {
	case err != nil:
		for _, id := range before.Orphans { // an audit that failed does not unsay the one before
			s.stay[id] = s.memory.told[id]
		}
		return err
	case f == nil:
		return nil
	}
	left := f.Orphans
	if before.claim != nil && s.mkt.Spec.Orphans == onebidv1.OrphansWithdraw {
		for len(left) > 0 && err == nil {
			if err = s.takeBack(ctx, before.claim, f, left[0]); err == nil {
				left = left[1:]
			}
		}
	}
	withdrawn := len(left) < len(f.Orphans)
	switch {
	case len(left) > 0:
		s.report(f, left, err)
		return err
	case f.unclear && !withdrawn:
		s.doubtful(f)
		return nil
	case before.claim == nil:
		return nil
	}
	return s.bury(ctx, before, f, withdrawn)
}

func (s *sweep) report(f *finding, left []string, err error) {
	next, soonOver := "nothing is done about it, as spec.orphans is Report; withdraw it there, or set spec.orphans to Withdraw", false
	switch {
	case err != nil:
		next = "withdrawing it failed, which is tried again at the next audit: " + err.Error()
	case s.mkt.Spec.Orphans == onebidv1.OrphansWithdraw:
		next, soonOver = "its posting's Lease is held; it is tried again at the next audit", true
	}
	for _, id := range left {
		s.tell(f, id, soonOver, "Bid %q on posting %q is live, is ours and has no Bid that accounts for it (UID %s): %s",
			id, f.Key.PostingID, f.BidUIDs[0], next)
	}
}

// doubtful reports a Lease that tells of a bid where nothing proves whether that is live. It counts as an orphan.
func (s *sweep) doubtful(f *finding) {
	s.tell(f, "posting/"+f.Key.PostingID, false,
		"The Bid with UID %s on posting %q is gone, and the marketplace cannot tell whether a bid of it is live: look there",
		f.BidUIDs[0], f.Key.PostingID)
}

// bury makes the Lease a tombstone when nothing is left to resolve on the posting. It is kept as it is while the Bid that
// it was claimed for lives, or calls of other Bids are open.
func (s *sweep) bury(ctx context.Context, held, f *finding, withdrawn bool) error {
	claim := held.claim
	open := slices.ContainsFunc(claim.Intents, func(i ownership.Intent) bool { return !slices.Contains(f.BidUIDs, i.BidUID) })
	if open || f.unsettled() && f.bid.UID == claim.BidUID {
		return nil
	}
	now := s.Wall.Now()
	until := now
	if seconds := s.mkt.Spec.RebidCooldownSeconds; withdrawn && seconds != nil {
		until = now.Add(time.Duration(*seconds) * time.Second)
	}
	err := s.Leases.WriteTombstone(ctx, claim, ownership.Tombstone{
		EndedAt: now, CooldownUntil: until, Outcome: onebidv1.StateWithdrawn, BidUID: claim.BidUID,
	})
	if err == nil || errors.Is(err, ownership.ErrLost) {
		held.claim = nil
		return nil
	}
	return err
}

// takeBack withdraws one bid by its ID and reads it back.
func (s *sweep) takeBack(ctx context.Context, claim *ownership.Claim, f *finding, id string) error {
	ref := marketplace.Ref{BidID: id, PostingID: f.Key.PostingID}
	if err := s.allowed(ctx, claim); err != nil {
		return err
	}
	if _, err := s.conn.Retract(ctx, s.query(), ref, time.Time{}, "no Bid accounts for this bid"); err != nil {
		return err
	}
	s.log.Info("Withdrew an orphan", "posting", f.Key.PostingID, "remoteBid", id, "bidUID", claim.BidUID)
	s.Metrics.tookBack(client.ObjectKeyFromObject(s.mkt))
	s.event(f, EventOrphanWithdrawn, "Bid %q on posting %q was live, was ours and had no Bid that accounted for it (UID %s): it was withdrawn",
		id, f.Key.PostingID, claim.BidUID)
	return nil
}

// allowed waits for a request slot and makes sure that the posting is still ours.
func (s *sweep) allowed(ctx context.Context, claim *ownership.Claim) error {
	if d := s.conn.AdmitWithdraw(ctx, account.Priority{}); d.Denied() {
		return errors.New("no call is made now: " + d.Reason)
	}
	if err := s.Leases.Assert(ctx, claim); err != nil {
		return err
	}
	return s.Leases.Authorize(claim, s.conn.Timeout())
}
