package bid

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/ownership"
)

// terminatingRetry is how soon to look again at a Bid that is about to be deleted with its namespace.
const terminatingRetry = 10 * time.Second

// claims take postings' Leases.
type claims struct{ *state }

// claim takes the posting's Lease for a plan, for a place with the intent in the same write, and reads the Bid past the cache.
// With an effect nothing is owned: it says why, or what the gone Bid leaves to be written.
func (c claims) claim(ctx context.Context, s *situation, plan bidding.Plan) (*owned, *effect, error) {
	o := &owned{situation: s, plan: plan, live: s.bid, lease: bidding.LeaseNever}
	var intent *ownership.Intent
	switch plan.Action {
	case bidding.ActionPlace:
		intent = c.placeIntent(s.bid)
	case bidding.ActionResolve, bidding.ActionAnswer, bidding.ActionWithdraw:
	default:
		if claimed, err := c.everClaimed(ctx, s); err != nil || !claimed {
			return o, nil, err
		}
	}
	known := c.claimOf(s.bid, s.leaseName) != nil
	if !known && intent == nil {
		// Another process's claim may be for a Bid that was created since: a cached Bid does not take it.
		if _, err := c.readLive(ctx, s.bid); err != nil {
			return nil, nil, err
		}
	}
	claim, err := c.acquire(ctx, s, intent, false)
	revived := isTombstoneOf(err, s.bid.UID)
	if revived {
		claim, err = c.revive(ctx, s, intent)
	}
	if _, terminating := errors.AsType[*ownership.TerminatingError](err); terminating {
		return c.withoutLease(ctx, o)
	}
	if err != nil {
		e, err := c.notClaimed(s, err)
		return o, e, err
	}
	o.claim, o.lease, o.readAt = claim, bidding.LeaseHeld, c.Clock.Now()
	live, err := c.readLive(ctx, s.bid)
	if err == nil {
		o.live = live
		return o, nil, nil
	}
	if !errors.Is(err, errGone) {
		return nil, nil, err
	}
	e := c.goneEffect(o, known, revived)
	return o, &e, nil
}

// goneEffect leaves a posting whose Bid is gone. Where a call may have had its effect, or a bid may be open, the claim stays: it
// is how the audit finds what that Bid left.
func (c claims) goneEffect(o *owned, known, revived bool) effect {
	uid := o.bid.UID
	o.live = &onebidv1.Bid{ObjectMeta: o.bid.ObjectMeta}
	intent, noted := o.claim.Intents.Of(uid)
	recorded := noted && bidding.PlaceRecorded(o.bid, intent.Attempt)
	switch {
	case revived:
		return effect{releaseClaim: true, err: errGone}
	case known, recorded, len(o.earlierIntents()) > 0, c.calls.open(uid), len(o.claim.Prior) > 0:
		return effect{err: errGone}
	}
	return effect{tombstone: onebidv1.StateWithdrawn, err: errGone}
}

func (c claims) placeIntent(bid *onebidv1.Bid) *ownership.Intent {
	return &ownership.Intent{
		Operation: onebidv1.OperationPlace, BidUID: bid.UID, Attempt: bidding.Attempts(bid, onebidv1.OperationPlace) + 1,
		Time: c.Wall.Now(), Key: keyOf(bid, bid.UID),
	}
}

// acquire makes this process the owner of the posting, or makes sure that it still is.
func (c claims) acquire(
	ctx context.Context, s *situation, intent *ownership.Intent, ignoreCooldown bool,
) (*ownership.Claim, error) {
	claim, err := c.Leases.Acquire(ctx, ownership.Request{
		Namespace: s.bid.Namespace, Key: bidding.KeyOf(s.bid), BidUID: s.bid.UID, TTL: s.leaseTTL(), Intent: intent,
		IgnoreCooldown: ignoreCooldown,
	})
	if err != nil {
		return nil, err
	}
	return claim, c.Leases.Assert(ctx, claim)
}

// isTombstoneOf is true when the posting's Lease is the tombstone of this very Bid.
func isTombstoneOf(err error, uid types.UID) bool {
	cooldown, ok := errors.AsType[*ownership.CooldownError](err)
	return ok && cooldown.BidUID == uid
}

// revive takes the tombstone of a Bid that still exists: the process that wrote it died before it removed the finalizer, or a
// bid turned up late. More often the Bid is gone and only the cache has it; then the tombstone stays.
func (c claims) revive(ctx context.Context, s *situation, intent *ownership.Intent) (*ownership.Claim, error) {
	if _, err := c.readLive(ctx, s.bid); err != nil {
		return nil, err
	}
	if intent != nil {
		return nil, errChanged
	}
	return c.acquire(ctx, s, nil, true)
}

// withoutLease owns a Bid whose namespace is being deleted, as far as possible: the namespace took its Leases, with what they
// recorded of open calls, and refuses new ones. No other Bid can be created there; the uncached Bid alone authorises calls.
func (c claims) withoutLease(ctx context.Context, o *owned) (*owned, *effect, error) {
	o.readAt = c.Clock.Now()
	live, err := c.readLive(ctx, o.bid)
	switch {
	case err != nil:
		return nil, nil, err
	case o.plan.Action == bidding.ActionPlace || live.DeletionTimestamp.IsZero():
		o.log.V(1).Info("The namespace is being deleted; waiting for the Bid to be deleted too")
		return o, &effect{after: terminatingRetry}, nil
	}
	o.live, o.lease = live, bidding.LeaseGone
	return o, nil, nil
}

// notClaimed says what to do when this process cannot act on the posting now.
func (c claims) notClaimed(s *situation, err error) (*effect, error) {
	var held *ownership.HeldError
	var cooldown *ownership.CooldownError
	switch {
	case errors.As(err, &cooldown):
		change := bidding.Denied(bidding.Denial{Reason: onebidv1.ReasonCooldown, Until: cooldown.Until, Message: fmt.Sprintf(
			"An earlier bid on this posting ended as %s; this one is placed when the cooldown of Marketplace %q is over:"+
				" see status.attempts.nextTime", cooldown.Outcome, s.bid.Spec.Marketplace)})
		return &effect{change: &change, after: c.until(cooldown.Until)}, nil
	case errors.As(err, &held):
		return c.heldElsewhere(s, held), nil
	case errors.Is(err, ownership.ErrLost):
		return &effect{after: changedRetry}, nil
	default:
		return nil, err
	}
}

// heldElsewhere waits until the Lease may be free. Another replica does the work itself; any other holder is named in the
// status.
func (c claims) heldElsewhere(s *situation, held *ownership.HeldError) *effect {
	e := &effect{after: max(held.Until.Sub(c.Clock.Now()), time.Second)}
	holder, err := ownership.ParseIdentity(held.Holder)
	if err == nil && holder.Role == ownership.RoleController || bidding.PlacedStatus(s.bid) != metav1.ConditionFalse {
		s.log.V(1).Info("Another process owns the posting", "holder", held.Holder)
		return e
	}
	change := bidding.Denied(bidding.Denial{Reason: onebidv1.ReasonLeaseHeld, Message: fmt.Sprintf(
		"The posting's Lease %q is held by %q, which is no onebid manager; this bid is placed when that Lease is released or expires",
		s.leaseName, held.Holder)})
	e.change = &change
	return e
}

// readLive reads the Bid past the cache and checks that it is still the same one.
func (r *state) readLive(ctx context.Context, bid *onebidv1.Bid) (*onebidv1.Bid, error) {
	live := &onebidv1.Bid{}
	err := r.Live.Get(ctx, client.ObjectKeyFromObject(bid), live)
	if apierrors.IsNotFound(err) || err == nil && live.UID != bid.UID {
		return nil, errGone
	}
	return live, err
}

// everClaimed is true when the posting's Lease was claimed for this Bid. Without one nothing was sent: the intent is written
// before the call, and Leases with an intent are protected. Only a deleted namespace takes them.
func (c claims) everClaimed(ctx context.Context, s *situation) (bool, error) {
	if name, err := bidding.KeyOf(s.bid).Name(); err != nil || name != s.bid.Name {
		return false, nil //nolint:nilerr // a Bid whose name is not its key's is never placed
	}
	if c.claimOf(s.bid, s.leaseName) != nil || c.calls.open(s.bid.UID) {
		return true, nil // losing the Lease does not undo what this process sent
	}
	lease, err := c.Leases.Get(ctx, s.bid.Namespace, s.leaseName)
	if apierrors.IsNotFound(err) {
		return c.namespaceTookLease(ctx, s)
	}
	if err != nil {
		return false, err
	}
	intents, err := ownership.ParseIntents(lease.Annotations[onebidv1.AnnotationIntent])
	if err != nil {
		return true, nil //nolint:nilerr // unreadable means unknown: claim it and resolve
	}
	_, intended := intents.Of(s.bid.UID)
	claimed := lease.Annotations[onebidv1.AnnotationBidUID] == string(s.bid.UID)
	return intended || claimed && lease.Annotations[onebidv1.AnnotationEndedAt] == "", nil
}

// namespaceTookLease is true for a deleted Bid without a Lease when its namespace is being deleted, and the status names no bid
// to withdraw. It costs a read, and only where there is no Lease.
func (c claims) namespaceTookLease(ctx context.Context, s *situation) (bool, error) {
	if s.bid.DeletionTimestamp.IsZero() || s.bid.Status.Remote != nil {
		return false, nil
	}
	// Read after the Lease was not found: a namespace that took it was terminating by then.
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	if err := c.Live.Get(ctx, types.NamespacedName{Name: s.bid.Namespace}, namespace); err != nil {
		return false, err
	}
	return !namespace.DeletionTimestamp.IsZero(), nil
}
