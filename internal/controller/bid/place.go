package bid

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/ownership"
)

// place claims the posting with the intent in the same write, makes sure on a live read that the Bid still wants to be
// placed and that nothing unresolved is in the way, sends once and records the outcome. Two API-server writes.
func (r *Reconciler) place(ctx context.Context, s *situation) (reconcile.Result, error) {
	if r.flights.open(s.bid.UID) { // that may be live: it waits for nothing that a new place waits for
		return r.resolve(ctx, s)
	}
	if result, why := r.rationed(ctx, s); why != "" {
		return r.waits(ctx, s, result, why)
	}
	if err := ctx.Err(); err != nil {
		return reconcile.Result{}, err
	}
	// A shutdown does not interrupt what follows: an intent that was left unused would have to be resolved, in class None by
	// a person.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), placeFor)
	defer cancel()
	attempt := bidding.Attempts(s.bid, onebidv1.OperationPlace) + 1
	o, result, err := r.own(ctx, s, r.placeIntent(s.bid, attempt))
	switch {
	case o == nil:
		return result, err
	case r.open(o):
		return r.resolveOwned(ctx, o)
	case !placeable(s.bid, o.live):
		return reconcile.Result{}, r.unplaceable(ctx, o)
	}
	if o.needsLook() {
		if done, err := r.preflight(ctx, o); done || err != nil {
			return reconcile.Result{}, err
		}
	}
	return reconcile.Result{}, r.send(ctx, o, attempt)
}

// placeFor bounds the requests to the API server from the intent to the call.
const placeFor = time.Minute

func (r *Reconciler) placeIntent(bid *onebidv1.Bid, attempt int32) *ownership.Intent {
	return &ownership.Intent{
		Operation: onebidv1.OperationPlace, BidUID: bid.UID, Attempt: attempt, Time: r.Wall.Now(),
		Key: bidding.IdempotencyKey(bid.Namespace, bidding.KeyOf(bid), bid.UID),
	}
}

// placeable compares the live Bid with the cached one that the guards looked at. The spec cannot have changed but for
// approval and withdraw; the status must not have: somebody may have recorded an outcome.
func placeable(cached, live *onebidv1.Bid) bool {
	return !bidding.Withdrawing(live) && !bidding.Terminal(live) &&
		bidding.PlacedStatus(live) == metav1.ConditionFalse && live.Status.Remote == nil &&
		live.Generation == cached.Generation &&
		bidding.Attempts(live, onebidv1.OperationPlace) == bidding.Attempts(cached, onebidv1.OperationPlace)
}

// unplaceable leaves a Bid that is not to be placed now.
func (r *Reconciler) unplaceable(ctx context.Context, o *owned) error {
	if err := r.unintend(ctx, o); err != nil {
		return err
	}
	return errMoved
}

// unintend takes back an intent that was not used, so that nobody has to resolve it. One whose outcome the live Bid has, or
// calls unknown, was used: only the cache did not show that yet.
func (r *Reconciler) unintend(ctx context.Context, o *owned) error {
	intent, noted := o.claim.Intents.Of(o.bid.UID)
	_, inherited := o.claim.Prior.Of(o.bid.UID)
	unused := bidding.PlacedStatus(o.live) == metav1.ConditionFalse &&
		intent.Attempt > bidding.Attempts(o.live, onebidv1.OperationPlace)
	if noted && !inherited && unused {
		return r.Leases.SetIntents(ctx, o.claim, o.claim.Intents.Without(o.bid.UID))
	}
	return nil
}

// unclaim leaves a posting whose Bid went away before anything was sent for it. Where a call may have had its effect, or
// a bid may be live, the claim stays: it is what the Bid that went away leaves to be found.
func (r *Reconciler) unclaim(ctx context.Context, s *situation, claim *ownership.Claim) error {
	o := &owned{situation: s, claim: claim, live: &onebidv1.Bid{ObjectMeta: s.bid.ObjectMeta}}
	intent, noted := claim.Intents.Of(s.bid.UID)
	recorded := noted && bidding.PlaceRecorded(s.bid, intent.Attempt)
	if len(o.foreignIntents()) > 0 || r.flights.open(s.bid.UID) || len(claim.Prior) > 0 || recorded {
		return errGone
	}
	return r.bury(ctx, o, onebidv1.StateWithdrawn)
}

// needsLook is true when the marketplace must be asked before anything is sent. Where it keeps no keys, what is live before
// our first call is told from ours by that: it ends the Bid as a Duplicate, so that what shows up later is ours.
func (o *owned) needsLook() bool {
	return o.conn.Spec().Class == onebidv1.ClassNone || o.conn.Spec().Preflight == onebidv1.PreflightAlways || o.claim.Inherited ||
		!o.conn.Capabilities().StoresKey
}

// preflight looks for a bid that is there already. It is done when it ended the Bid's way to a place call.
func (r *Reconciler) preflight(ctx context.Context, o *owned) (bool, error) {
	found, err := r.lookup(ctx, o.situation)
	attempt := bidding.Attempts(o.live, onebidv1.OperationPlace)
	if err != nil {
		// Nothing was sent: the intent is taken back with the count, so that nobody resolves it.
		return true, r.record(ctx, o.situation, o.live, bidding.PlaceFailed(r.failure(o.situation, err, attempt+1)))
	}
	// In class None nothing is sent after an unknown outcome, so what came before had no effect for certain.
	sent := attempt > 0 && o.conn.Spec().Class != onebidv1.ClassNone
	switch match := o.match(o.live, found, sent); match.Verdict {
	case bidding.VerdictOurs:
		return true, r.placed(ctx, o, remoteOf(found[match.Index], true), attempt+1)
	case bidding.VerdictForeign, bidding.VerdictAmbiguous:
		return true, r.conclude(ctx, o.situation, o.live, bidding.Foreign(found[match.Index].ID, attempt+1))
	default:
		return false, nil
	}
}

// send makes the one call and records what came of it. From here on the process remembers that it may have sent.
func (r *Reconciler) send(ctx context.Context, o *owned, attempt int32) error {
	if err := r.refresh(ctx, o); err != nil {
		return err
	}
	if halted, err := r.halted(ctx, o); halted || err != nil {
		return errors.Join(err, r.unplaceable(ctx, o))
	}
	if err := r.authorize(o); err != nil {
		return err
	}
	r.flights.start(o.live.UID, attempt)
	o.sent, o.cleared = true, false
	remote, err := o.conn.Place(ctx, o.priority(), placeRequest(o.live))
	var learned *bidding.Remote
	if err == nil {
		told := remoteOf(remote, false)
		learned = &told
	}
	r.flights.land(o.live.UID, r.Clock.Now(), learned)
	switch class := marketplace.ClassOf(err); class {
	case "":
		return r.placed(ctx, o, *learned, attempt)
	case onebidv1.ErrorAlreadyExists:
		return r.alreadyThere(ctx, o, attempt, err)
	case onebidv1.ErrorUnknownOutcome, onebidv1.ErrorAlreadyWithdrawn, onebidv1.ErrorNotWithdrawable:
		return r.record(ctx, o.situation, o.live, bidding.Unknown(attempt, err.Error()))
	default:
		return r.refused(ctx, o, attempt, err)
	}
}

// refused notes a documented refusal. Of a call whose outcome was unknown before, and that was sent again to learn it,
// only a final refusal says anything: one that may pass is about this call and not about the first.
func (r *Reconciler) refused(ctx context.Context, o *owned, attempt int32, err error) error {
	if bidding.PlacedStatus(o.live) == metav1.ConditionUnknown && !bidding.Final(marketplace.ClassOf(err)) {
		_, err := r.unsettled(ctx, o, err)
		return err
	}
	return r.verdict(ctx, o, bidding.PlaceFailed(r.failure(o.situation, err, attempt)))
}

func placeRequest(bid *onebidv1.Bid) marketplace.PlaceRequest {
	request := marketplace.PlaceRequest{
		PostingID: bid.Spec.PostingID, Price: bid.Spec.Price, DeliveryDays: bid.Spec.DeliveryDays, Proposal: bid.Spec.Proposal,
		IdempotencyKey: bidding.IdempotencyKey(bid.Namespace, bidding.KeyOf(bid), bid.UID),
		Attributes:     make(map[string]string, len(bid.Spec.Attributes)),
	}
	for name, value := range bid.Spec.Attributes {
		request.Attributes[name] = string(value)
	}
	return request
}

// alreadyThere finds out whose the bid is that the marketplace refused ours for. On the first attempt of a Bid it can be
// ours only where the key says so; later ones may meet what an earlier one left.
func (r *Reconciler) alreadyThere(ctx context.Context, o *owned, attempt int32, refusal error) error {
	found, err := r.lookup(ctx, o.situation)
	if err != nil {
		return r.record(ctx, o.situation, o.live, bidding.Unknown(attempt, refusal.Error()))
	}
	switch match := o.match(o.live, found, attempt > 1); match.Verdict {
	case bidding.VerdictOurs:
		return r.placed(ctx, o, remoteOf(found[match.Index], true), attempt)
	case bidding.VerdictForeign:
		return r.verdict(ctx, o, bidding.Foreign(found[match.Index].ID, attempt))
	default:
		// It is there and not shown yet, or cannot be told apart yet: look again when it has settled.
		return r.record(ctx, o.situation, o.live, bidding.Unknown(attempt, refusal.Error()))
	}
}

// placed records a bid of ours. Who learns of a bid owes it a home: when the Bid is gone, what was just learned of is
// withdrawn.
func (r *Reconciler) placed(ctx context.Context, o *owned, remote bidding.Remote, attempt int32) error {
	change := bidding.Placed(remote, attempt)
	if o.conn.Spec().Class == onebidv1.ClassNone {
		change = bidding.PlacedBeside(remote, attempt)
	}
	err := r.record(ctx, o.situation, o.live, change)
	switch {
	case errors.Is(err, errSecond):
		return r.retractSecond(ctx, o, remote.ID)
	case errors.Is(err, errGone):
		return r.retractOrphan(ctx, o, remote.ID)
	case err != nil:
		return err
	}
	r.flights.forget(o.live.UID)
	r.looked(o)
	if bidding.Terminal(o.live) {
		return r.concluded(ctx, o.situation, o.live)
	}
	return r.Postings.BidActive(ctx, o.live)
}

// conclude records a verdict, and when it ended the Bid tidies up behind it.
func (r *Reconciler) conclude(ctx context.Context, s *situation, live *onebidv1.Bid, change bidding.Change) error {
	err := r.record(ctx, s, live, change)
	if errors.Is(err, errGone) {
		r.flights.forget(live.UID) // the verdict was that nothing of ours is there
	}
	if err != nil {
		return err
	}
	r.flights.forget(live.UID)
	if !bidding.Terminal(live) {
		return nil
	}
	return r.concluded(ctx, s, live)
}

// concluded tells the Posting and buries the claim of a Bid whose end is recorded.
func (r *Reconciler) concluded(ctx context.Context, s *situation, live *onebidv1.Bid) error {
	if err := r.ended(ctx, live, live.Status.Outcome); err != nil {
		return err
	}
	return r.settle(ctx, s, live)
}

// retractSecond withdraws what a sender placed that stood still beyond all waits, so that the bid was placed again: only a
// marketplace of class None accepts both. The Bid keeps the one that it has.
func (r *Reconciler) retractSecond(ctx context.Context, o *owned, remoteID string) error {
	r.flights.forget(o.live.UID)
	ref := marketplace.Ref{BidID: remoteID, PostingID: o.bid.Spec.PostingID}
	done := "it was withdrawn"
	_, err := r.retract(ctx, o.situation, ref, "the bid was placed twice")
	if err != nil {
		done = "withdraw it there, since that failed: " + err.Error()
	}
	r.Events.Eventf(o.bid, nil, corev1.EventTypeWarning, EventPlacedTwice, "Place",
		"A call that came later than every wait placed a second bid %q beside the live one: %s", remoteID, done)
	return err
}

// retractOrphan withdraws a bid whose Bid went away while it was being placed.
func (r *Reconciler) retractOrphan(ctx context.Context, o *owned, remoteID string) error {
	// Where IDs are used again this one may be another Bid's by now, but not while the posting is held. Whoever took it
	// has met our intent and settled it.
	if o.claim != nil {
		if err := r.Leases.Assert(ctx, o.claim); err != nil {
			return err
		}
	}
	o.log.Info("The Bid went away while it was being placed; withdrawing what was placed", "remoteID", remoteID)
	ref := marketplace.Ref{BidID: remoteID, PostingID: o.bid.Spec.PostingID}
	if _, err := r.retract(ctx, o.situation, ref, "the Bid was deleted while it was being placed"); err != nil {
		return err // the flight stays open and the next look goes on from there
	}
	r.flights.forget(o.live.UID)
	if o.claim == nil {
		return nil
	}
	if len(o.foreignIntents()) == 0 {
		return r.bury(ctx, o, onebidv1.StateWithdrawn)
	}
	return r.Leases.SetIntents(ctx, o.claim, o.claim.Intents.Without(o.live.UID))
}
