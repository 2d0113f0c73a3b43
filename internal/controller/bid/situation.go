package bid

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/account"
	"github.com/onebid-dev/onebid/internal/ownership"
)

// defaultCooldown stands in for a Marketplace's times when the Marketplace is gone.
const defaultCooldown = 300 * time.Second

func marketplaceOf(bid *onebidv1.Bid) types.NamespacedName {
	return types.NamespacedName{Namespace: bid.Namespace, Name: bid.Spec.Marketplace}
}

func seconds(n int32) time.Duration { return time.Duration(n) * time.Second }

func (s *situation) leaseTTL() time.Duration {
	if s.marketplace == nil {
		return defaultCooldown
	}
	return seconds(s.marketplace.Spec.Lock.TTLSeconds)
}

func (s *situation) cooldown() time.Duration {
	if s.marketplace == nil || s.marketplace.Spec.RebidCooldownSeconds == nil {
		return defaultCooldown
	}
	return seconds(*s.marketplace.Spec.RebidCooldownSeconds)
}

func (s *situation) timeout() time.Duration { return seconds(s.marketplace.Spec.TimeoutSeconds) }

func (s *situation) pollInterval() time.Duration {
	return seconds(s.marketplace.Spec.AuditIntervalSeconds)
}

func (s *situation) longestWait() time.Duration { return seconds(s.marketplace.Spec.Retry.MaxSeconds) }

func (s *situation) accountPriority() account.Priority {
	class := map[bidding.PriorityClass]account.PriorityClass{
		bidding.PriorityPlace: account.PriorityPlace, bidding.PriorityWithdraw: account.PriorityWithdraw,
		bidding.PriorityBackground: account.PriorityBackground,
	}
	return account.Priority{Class: class[s.priority.Class], Deadline: s.priority.Deadline}
}

// query asks about bids of the account that ours were placed with.
func (s *situation) query() account.Query {
	return account.Query{Priority: s.accountPriority(), AccountID: s.marketplace.Status.AccountID}
}

// owned is a Bid whose posting this process owns, as read past the cache, with what this reconcile has found out.
type owned struct {
	*situation
	plan  bidding.Plan
	lease bidding.LeaseState
	// claim is nil unless lease is Held.
	claim *ownership.Claim
	live  *onebidv1.Bid
	// readAt is when live was read.
	readAt time.Time

	// found are the bids that the lookup of this reconcile showed, match what it tells of this Bid, and earlier the open bids
	// that earlier Bids left.
	lookup         bidding.Verdict
	found          []marketplace.Bid
	match          bidding.MatchResult
	earlier        []string
	earlierCertain bool
	lookupErr      error
	// reply is what the place call of this reconcile returned.
	reply    bidding.Reply
	attempt  int32
	remote   marketplace.Bid
	replyErr error
}

// cached stands for a Bid that is acted on as the cache shows it.
func (r *state) cached(s *situation) *owned {
	return &owned{situation: s, lease: bidding.LeaseNever, live: s.bid, claim: r.claimOf(s.bid, s.leaseName)}
}

// claimOf is the claim that this process has on the posting for this Bid, nil when it has none.
func (r *state) claimOf(bid *onebidv1.Bid, leaseName string) *ownership.Claim {
	if claim, held := r.Leases.Held(bid.Namespace, leaseName); held && claim.BidUID == bid.UID {
		return claim
	}
	return nil
}

// earlierIntents are unresolved calls of earlier Bids on the same posting.
func (o *owned) earlierIntents() ownership.Intents {
	if o.claim == nil {
		return nil
	}
	return o.claim.Intents.Without(o.live.UID)
}

func (o *owned) earlierUIDs() (uids []types.UID) {
	for _, intent := range o.earlierIntents() {
		uids = append(uids, intent.BidUID)
	}
	return uids
}

func keyOf(bid *onebidv1.Bid, uid types.UID) string {
	return bidding.IdempotencyKey(bid.Namespace, bidding.KeyOf(bid), uid)
}

// until is how long to wait for a time, at least a moment; 0, which is for ever, without a time.
func (r *state) until(at time.Time) time.Duration {
	if at.IsZero() {
		return 0
	}
	return max(at.Sub(r.Wall.Now()), time.Millisecond)
}

// denied is how long to wait for an account that makes no calls now.
func (r *state) denied(d account.Denial) time.Duration {
	return max(d.Until.Sub(r.Clock.Now()), time.Millisecond) + r.spread(time.Second)
}

// spread is a random part of a duration.
func (r *state) spread(d time.Duration) time.Duration { return time.Duration(r.Jitter() * float64(d)) }

// sooner of two waits; 0 is for ever.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}
