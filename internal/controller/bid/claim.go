package bid

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/ownership"
)

// defaultCooldown stands in for a Marketplace's timing when the Marketplace is gone.
const defaultCooldown = 300 * time.Second

// owned is a situation in which this process holds the posting and has read the Bid live.
type owned struct {
	*situation
	// claim is nil in a namespace that is being deleted, where no Lease can be had. See withoutLease.
	claim *ownership.Claim
	live  *onebidv1.Bid
	// readAt is when live was read.
	readAt time.Time
}

// own claims the posting, with the intent in the same write when there is one, and reads the Bid live. Nothing is owned
// when the result says when to come back, or the error why not.
func (r *Reconciler) own(ctx context.Context, s *situation, intent *ownership.Intent) (*owned, reconcile.Result, error) {
	used := r.claimed(s)
	if !used && intent == nil {
		// What somebody else holds may be for a Bid that was created since: a cache does not take it from them.
		if _, err := r.readLive(ctx, s.bid); err != nil {
			return nil, reconcile.Result{}, err
		}
	}
	claim, err := r.claim(ctx, s, intent, false)
	exhumed := isBuried(err, s.bid.UID)
	if exhumed {
		claim, err = r.exhume(ctx, s, intent)
	}
	var terminating *ownership.TerminatingError
	if errors.As(err, &terminating) {
		return r.withoutLease(ctx, s, intent)
	}
	if err != nil {
		result, err := r.notClaimed(ctx, s, err)
		return nil, result, err
	}
	readAt := r.Clock.Now()
	live, err := r.readLive(ctx, s.bid)
	switch {
	case errors.Is(err, errGone) && exhumed:
		return nil, reconcile.Result{}, r.Leases.Release(ctx, claim)
	case errors.Is(err, errGone) && used:
		// What an earlier reconcile did under this claim no cache is a proof of. The claim stays: it is what a Bid whose
		// finalizer was stripped leaves to be found.
		return nil, reconcile.Result{}, errGone
	case errors.Is(err, errGone):
		return nil, reconcile.Result{}, r.unclaim(ctx, s, claim)
	case err != nil:
		return nil, reconcile.Result{}, err
	}
	return &owned{s, claim, live, readAt}, reconcile.Result{}, nil
}

// isBuried is true when the posting's Lease is the tombstone of this very Bid.
func isBuried(err error, uid types.UID) bool {
	var cooling *ownership.CooldownError
	return errors.As(err, &cooling) && cooling.BidUID == uid
}

// exhume takes the tombstone of a Bid that is still there: the process that buried it died before it let the Bid go, or a
// bid turned up late. More often the Bid is gone and only the cache has it; then the tombstone is left alone.
func (r *Reconciler) exhume(ctx context.Context, s *situation, intent *ownership.Intent) (*ownership.Claim, error) {
	if _, err := r.readLive(ctx, s.bid); err != nil {
		return nil, err
	}
	if intent != nil {
		return nil, errMoved
	}
	return r.claim(ctx, s, nil, true)
}

// readFor is how long a live read authorises a call.
const readFor = time.Second

// refresh reads the Bid again when the last read is too old to authorise a call. A Bid that changed is looked at anew.
func (r *Reconciler) refresh(ctx context.Context, o *owned) error {
	if r.Clock.Since(o.readAt) < readFor {
		return nil
	}
	o.readAt = r.Clock.Now()
	live, err := r.readLive(ctx, o.live)
	if err == nil && live.ResourceVersion != o.live.ResourceVersion {
		return errMoved
	}
	return err
}

// claim makes this process the owner of the Bid's posting, or makes sure that it still is. The intent, when there is
// one, is in the same write.
func (r *Reconciler) claim(
	ctx context.Context, s *situation, intent *ownership.Intent, exhume bool,
) (*ownership.Claim, error) {
	claim, err := r.Leases.Acquire(ctx, ownership.Request{
		Namespace: s.bid.Namespace, Key: bidding.KeyOf(s.bid), BidUID: s.bid.UID, TTL: s.leaseTTL(), Intent: intent,
		IgnoreCooldown: exhume,
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
			"An earlier bid on this posting ended as %s; this one is placed when the cooldown of Marketplace %q is over:"+
				" see status.attempts.nextTime", cooling.Outcome, s.bid.Spec.Marketplace)}
		return reconcile.Result{RequeueAfter: r.until(cooling.Until)}, r.record(ctx, s, s.bid, bidding.Held(hold))
	case errors.As(err, &held):
		return r.heldElsewhere(ctx, s, held)
	case errors.Is(err, ownership.ErrLost):
		return reconcile.Result{RequeueAfter: 50 * time.Millisecond}, nil
	default:
		return reconcile.Result{}, err
	}
}

// heldElsewhere comes back when the Lease may be free. Another replica does the work itself; any other holder is named to
// whoever wonders why the Bid waits.
func (r *Reconciler) heldElsewhere(ctx context.Context, s *situation, held *ownership.HeldError) (reconcile.Result, error) {
	wait := max(held.Until.Sub(r.Clock.Now()), time.Second)
	holder, err := ownership.ParseIdentity(held.Holder)
	if err == nil && holder.Role == ownership.RoleController || bidding.PlacedStatus(s.bid) != metav1.ConditionFalse {
		s.log.V(1).Info("Somebody else owns the posting", "holder", held.Holder)
		return reconcile.Result{RequeueAfter: wait}, nil
	}
	hold := bidding.Hold{Reason: onebidv1.ReasonLeaseHeld, Message: fmt.Sprintf(
		"The posting's Lease %q is held by %q, which is no onebid manager; this bid is placed when that Lease is released or runs out",
		s.leaseName, held.Holder)}
	return reconcile.Result{RequeueAfter: wait}, r.record(ctx, s, s.bid, bidding.Held(hold))
}

// readLive reads the Bid from the API server and checks that it is still the one we mean.
func (r *Reconciler) readLive(ctx context.Context, bid *onebidv1.Bid) (*onebidv1.Bid, error) {
	live := &onebidv1.Bid{}
	err := r.Live.Get(ctx, client.ObjectKeyFromObject(bid), live)
	if apierrors.IsNotFound(err) || err == nil && live.UID != bid.UID {
		return nil, errGone
	}
	return live, err
}

// openPlace is the highest place attempt of this Bid that may have been sent and whose outcome is not recorded; 0 when
// there is none. Intents that this process wrote and did not use are no open question; those that it found on the Lease
// are.
func (r *Reconciler) openPlace(o *owned) int32 {
	var attempt int32
	if o.claim != nil {
		if prior, ok := o.claim.Prior.Of(o.live.UID); ok {
			attempt = prior.Attempt
		}
	}
	if flight, ok := r.flights.get(o.live.UID); ok {
		attempt = max(attempt, flight.attempt)
	}
	if attempt == 0 || bidding.PlaceRecorded(o.live, attempt) {
		return 0
	}
	return attempt
}

// foreignIntents are unresolved calls of earlier Bids on the same posting.
func (o *owned) foreignIntents() ownership.Intents {
	if o.claim == nil {
		return nil
	}
	return o.claim.Intents.Without(o.bid.UID)
}

// open is true when a call may have been made whose outcome is not recorded.
func (r *Reconciler) open(o *owned) bool {
	return o.lost() || r.openPlace(o) > 0 || len(o.foreignIntents()) > 0
}

// settle turns the posting's Lease, when this process holds it for the Bid, into the tombstone of a Bid that ended.
func (r *Reconciler) settle(ctx context.Context, s *situation, bid *onebidv1.Bid) error {
	claim, held := r.Leases.Held(bid.Namespace, s.leaseName)
	if !held || claim.BidUID != bid.UID {
		return nil
	}
	return r.bury(ctx, &owned{situation: s, claim: claim, live: bid}, bid.Status.Outcome)
}

// bury writes the tombstone.
func (r *Reconciler) bury(ctx context.Context, o *owned, outcome onebidv1.BidState) error {
	now := r.Wall.Now()
	until := now
	unknown := bidding.PlacedStatus(o.live) == metav1.ConditionUnknown || outcome == onebidv1.StateIndeterminate
	if o.live.Status.Remote != nil || unknown {
		// Only what was live at the marketplace, or may have been, makes a second bid look odd there.
		until = now.Add(o.cooldown())
	}
	return r.Leases.WriteTombstone(ctx, o.claim, ownership.Tombstone{
		EndedAt: now, CooldownUntil: until, Outcome: outcome, BidUID: o.live.UID,
	})
}
