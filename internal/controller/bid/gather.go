package bid

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/capacity"
	"github.com/onebid-dev/onebid/internal/marketplace/account"
	"github.com/onebid-dev/onebid/internal/ownership"
)

// situation is what one reconcile knows from the caches.
type situation struct {
	bid         *onebidv1.Bid
	marketplace *onebidv1.Marketplace // nil when there is none
	posting     *onebidv1.Posting     // nil when there is none
	account     *account.Account      // nil when this process has no connection
	leaseName   string                // "" for a Bid whose key has no legal name
	freshness   bidding.FreshnessVerdict
	priority    bidding.Priority
	denial      *bidding.Denial       // nil when all guards passed
	reservation *capacity.Reservation // nil without limits
	log         logr.Logger
}

// forget drops what is remembered of a Bid that is gone. Its open calls stay: what they placed must still be withdrawn.
func (r *Reconciler) forget(bid types.NamespacedName) {
	r.capacity.Gone(bid)
	r.polls.forget(bid)
	r.reported.forget(bid)
}

// responsible is true when this replica is to act: it holds the posting's Lease, so that no other replica can, or it owns the
// shard. Safety does not depend on it, only the number of useless requests.
func (r *Reconciler) responsible(s *situation) bool {
	switch {
	case r.Leases.HeldOrUnconfirmed(s.bid.Namespace, s.leaseName):
		return true
	case bidding.Limited(s.marketplace):
		return r.Members.Owns(capacity.ShardKey(marketplaceOf(s.bid)))
	}
	return r.Members.Owns(s.bid.Namespace + "/" + s.bid.Name)
}

// gather reads what the caches show; nil without a Bid.
func (r *Reconciler) gather(ctx context.Context, name types.NamespacedName) (*situation, error) {
	bid, mkt, posting := &onebidv1.Bid{}, &onebidv1.Marketplace{}, &onebidv1.Posting{}
	if err := r.Client.Get(ctx, name, bid); err != nil {
		if apierrors.IsNotFound(err) {
			r.forget(name)
		}
		return nil, client.IgnoreNotFound(err)
	}
	r.capacity.Observed(bid)
	s := &situation{bid: bid, log: log.FromContext(ctx)}
	s.leaseName, _ = bidding.KeyOf(bid).LeaseName() // the first guard denies a key without a legal name
	switch err := r.Client.Get(ctx, marketplaceOf(bid), mkt); {
	case err == nil:
		s.marketplace = mkt
		s.account, _ = r.Connections.Get(marketplaceOf(bid))
	case !apierrors.IsNotFound(err):
		return nil, err
	}
	switch err := r.Client.Get(ctx, name, posting); {
	case err == nil:
		s.posting = posting
	case !apierrors.IsNotFound(err):
		return nil, err
	}
	in := bidding.FreshnessInput{Posting: s.posting, Bid: bid}
	if s.marketplace != nil {
		in.DefaultTTL = seconds(s.marketplace.Spec.PostingTTLSeconds)
	}
	s.freshness = bidding.Freshness(in, r.Wall.Now())
	s.priority = bidding.PriorityOf(bid, s.posting)
	return s, nil
}

// connecting is true while the Marketplace is Ready and only this process has no connection yet, because it has just started.
// That is over in a moment, and not worth a write for each Bid.
func (s *situation) connecting() bool {
	return s.account == nil && s.marketplace != nil && s.marketplace.DeletionTimestamp.IsZero() &&
		meta.IsStatusConditionTrue(s.marketplace.Status.Conditions, onebidv1.ConditionReady)
}

// plan runs the guards and plans one action on what the caches show.
func (r *Reconciler) plan(s *situation) bidding.Plan {
	s.denial = bidding.Guard(bidding.GuardInput{
		Bid: s.bid, Marketplace: s.marketplace, Connected: s.account != nil, Freshness: s.freshness,
	})
	f := bidding.Facts{
		Bid: bidding.ViewOf(s.bid), Denial: s.denial, CallOpen: r.calls.open(s.bid.UID),
		Claimed: r.claimOf(s.bid, s.leaseName) != nil,
	}
	if s.marketplace != nil {
		f.Mode, f.Class = s.marketplace.Spec.Mode, s.marketplace.Spec.Class
	}
	if s.account != nil {
		f.PollAt = r.polls.due(s, r.Wall.Now())
	}
	return bidding.Next(f, r.Wall.Now())
}

// reserve reserves capacity for a Bid that is to be placed. A denial becomes the plan. When another replica reserves, that one
// needs the posting's Lease.
func (r *Reconciler) reserve(ctx context.Context, s *situation, plan bidding.Plan) (bidding.Plan, error) {
	if plan.Action != bidding.ActionPlace && plan.Action != bidding.ActionPreview {
		if s.denial != nil || bidding.Withdrawing(s.bid) {
			r.capacity.StopWaiting(s.bid)
		}
		return plan, nil
	}
	reservation, denial, err := r.capacity.Reserve(ctx, s.marketplace, s.bid)
	_, held := errors.AsType[*ownership.HeldError](err)
	_, terminating := errors.AsType[*ownership.TerminatingError](err)
	s.reservation = reservation
	wait := func(d time.Duration) bidding.Plan {
		return bidding.Plan{Action: bidding.ActionNone, At: r.Wall.Now().Add(d)}
	}
	switch {
	case denial != nil:
		return bidding.Plan{Action: bidding.ActionReport, Change: bidding.Denied(*denial)}, nil
	case terminating:
		return wait(terminatingRetry), nil // the Bid is about to be deleted too
	case held && r.Members.Owns(capacity.ShardKey(marketplaceOf(s.bid))):
		return wait(capacity.RetryDelay + r.spread(capacity.RetryDelay)), nil
	case held && r.claimOf(s.bid, s.leaseName) != nil:
		return bidding.Plan{Action: bidding.ActionReleaseClaim}, nil
	case held:
		return bidding.Plan{Action: bidding.ActionNone}, nil
	}
	return plan, err
}
