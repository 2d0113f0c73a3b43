package bid

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/ownership"
)

// defaultCooldown stands in for a Marketplace's timing when the Marketplace is gone.
const defaultCooldown = 300 * time.Second

// claim makes this process the owner of the Bid's posting, or makes sure that it still is. The intent, when there is
// one, is in the same write.
func (r *Reconciler) claim(ctx context.Context, s *situation, intent *ownership.Intent) (*ownership.Claim, error) {
	claim, err := r.Leases.Acquire(ctx, ownership.Request{
		Namespace: s.bid.Namespace, Key: bidding.KeyOf(s.bid), BidUID: s.bid.UID, TTL: s.leaseTTL(), Intent: intent,
	})
	if err != nil {
		return nil, err
	}
	return claim, r.Leases.Assert(ctx, claim)
}

func (s *situation) leaseTTL() time.Duration {
	if s.marketplace == nil {
		return defaultCooldown
	}
	return time.Duration(s.marketplace.Spec.Lock.TTLSeconds) * time.Second
}

func (s *situation) cooldown() time.Duration {
	if s.marketplace == nil || s.marketplace.Spec.RebidCooldownSeconds == nil {
		return defaultCooldown
	}
	return time.Duration(*s.marketplace.Spec.RebidCooldownSeconds) * time.Second
}

// notClaimed says what to do when the posting is not ours to act on now.
func (r *Reconciler) notClaimed(ctx context.Context, s *situation, err error) (reconcile.Result, error) {
	var held *ownership.HeldError
	var cooling *ownership.CooldownError
	switch {
	case errors.As(err, &cooling):
		hold := bidding.Hold{Reason: onebidv1.ReasonCooldown, Until: cooling.Until, Message: fmt.Sprintf(
			"An earlier bid on this posting ended as %s; this one is placed when the cooldown of Marketplace %q is over, see status.attempts.nextTime",
			cooling.Outcome, s.bid.Spec.Marketplace)}
		return reconcile.Result{RequeueAfter: r.until(cooling.Until)}, r.record(ctx, s, s.bid, bidding.Held(hold))
	case errors.As(err, &held):
		s.log.V(1).Info("Somebody else owns the posting", "holder", held.Holder)
		return reconcile.Result{RequeueAfter: max(held.Until.Sub(r.Clock.Now()), time.Second)}, nil
	case errors.Is(err, ownership.ErrLost):
		return reconcile.Result{RequeueAfter: 50 * time.Millisecond}, nil
	default:
		return reconcile.Result{}, err
	}
}

// readLive reads the Bid from the API server and checks that it is still the one we mean.
func (r *Reconciler) readLive(ctx context.Context, uid types.UID, name types.NamespacedName) (*onebidv1.Bid, error) {
	live := &onebidv1.Bid{}
	err := r.Live.Get(ctx, name, live)
	if apierrors.IsNotFound(err) || err == nil && live.UID != uid {
		return nil, errGone
	}
	return live, err
}

// openPlace is the highest place attempt of this Bid that may have been sent and whose outcome is not recorded; 0 when
// there is none. Intents that this process wrote and did not use are no open question; those that it found on the Lease
// are.
func (r *Reconciler) openPlace(live *onebidv1.Bid, claim *ownership.Claim) int32 {
	var attempt int32
	if prior, ok := claim.Prior.Of(live.UID); ok {
		attempt = prior.Attempt
	}
	if flight, ok := r.flights.get(live.UID); ok {
		attempt = max(attempt, flight.attempt)
	}
	if attempt == 0 || bidding.PlaceRecorded(live, attempt) {
		return 0
	}
	return attempt
}

// foreignIntents are unresolved calls of earlier Bids on the same posting.
func foreignIntents(claim *ownership.Claim, uid types.UID) ownership.Intents {
	return claim.Intents.Without(uid)
}

// settle turns the posting's Lease into the tombstone of a Bid that ended.
func (r *Reconciler) settle(ctx context.Context, s *situation, bid *onebidv1.Bid) error {
	claim, held := r.Leases.Held(bid.Namespace, s.leaseName)
	if !held {
		return nil
	}
	return r.bury(ctx, s, claim, bid, bid.Status.Outcome)
}

func (r *Reconciler) bury(ctx context.Context, s *situation, claim *ownership.Claim, bid *onebidv1.Bid, outcome onebidv1.BidState) error {
	now := r.Wall.Now()
	until := now
	if bid.Status.Remote != nil {
		// Only what was live at the marketplace makes a second bid look odd there.
		until = now.Add(s.cooldown())
	}
	err := r.Leases.Settle(ctx, claim, ownership.Tombstone{
		SettledAt: now, CooldownUntil: until, Outcome: outcome, BidUID: bid.UID,
	})
	if errors.Is(err, ownership.ErrLost) {
		r.Leases.Forget(bid.Namespace, s.leaseName)
	}
	return err
}

func nameOf(bid *onebidv1.Bid) types.NamespacedName { return client.ObjectKeyFromObject(bid) }
