package bid

import (
	"context"
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

// resolve finds out what became of a place call whose outcome is unknown: own the posting, fence, let it settle, look.
func (r *Reconciler) resolve(ctx context.Context, s *situation) (reconcile.Result, error) {
	if s.conn == nil {
		return reconcile.Result{}, r.stuck(ctx, s)
	}
	o, result, err := r.own(ctx, s, nil)
	if o == nil {
		return result, err
	}
	return r.resolveOwned(ctx, o)
}

func (r *Reconciler) resolveOwned(ctx context.Context, o *owned) (reconcile.Result, error) {
	if o.conn == nil {
		return reconcile.Result{}, r.stuck(ctx, o.situation)
	}
	if remote, ok := r.unrecorded(o.live); ok {
		return reconcile.Result{}, r.placed(ctx, o, remote, r.lastAttempt(o))
	}
	if o.claim == nil {
		return r.resolveLost(ctx, o)
	}
	if r.openPlace(o) > 0 {
		if err := r.fence(ctx, o); err != nil {
			return reconcile.Result{}, err
		}
	}
	if len(o.foreignIntents()) > 0 {
		return r.resolveForeign(ctx, o)
	}
	if bidding.PlacedStatus(o.live) != metav1.ConditionUnknown {
		// Somebody else resolved it meanwhile, so that this process has nothing left to remember either.
		r.flights.forget(o.live.UID)
		return reconcile.Result{}, errMoved
	}
	if wait := r.settling(o); wait > 0 {
		return reconcile.Result{RequeueAfter: wait}, nil
	}
	if result, ok := r.awake(o.situation); !ok {
		return result, nil
	}
	return r.lookAndConclude(ctx, o)
}

// fence notes in the Bid's status that its outcome is open, on the version that was read: a sender that comes late to
// record what it learned meets a conflict, and adds to this instead of overwriting what is found out from here on.
func (r *Reconciler) fence(ctx context.Context, o *owned) error {
	if bidding.PlacedStatus(o.live) == metav1.ConditionUnknown {
		return nil
	}
	return r.record(ctx, o.situation, o.live, bidding.Unknown(r.lastAttempt(o), "its outcome was not recorded"))
}

// unrecorded is what a call of this process told and the API server would not take.
func (r *Reconciler) unrecorded(live *onebidv1.Bid) (bidding.Remote, bool) {
	flight, ok := r.flights.get(live.UID)
	if !ok || flight.learned == nil || live.Status.Remote != nil {
		return bidding.Remote{}, false
	}
	return *flight.learned, true
}

func (r *Reconciler) lastAttempt(o *owned) int32 {
	return max(r.openPlace(o), bidding.Attempts(o.live, onebidv1.OperationPlace), 1)
}

// settling is how long to wait until every call that any holder may have started has either taken effect and is shown,
// or never will be. The wait counts from the take-over, or from the end of our own calls, those for earlier Bids too.
func (r *Reconciler) settling(o *owned) time.Duration {
	from := o.claim.AcquiredAt
	uids := []types.UID{o.live.UID}
	for _, intent := range o.foreignIntents() {
		uids = append(uids, intent.BidUID)
	}
	for _, uid := range uids {
		if flight, ok := r.flights.get(uid); ok && flight.ended.After(from) {
			from = flight.ended
		}
	}
	return from.Add(o.conn.SettleTime()).Sub(r.Clock.Now())
}

func (r *Reconciler) lookAndConclude(ctx context.Context, o *owned) (reconcile.Result, error) {
	attempt := r.lastAttempt(o)
	found, err := r.lookup(ctx, o.situation)
	if err != nil {
		return r.unsettled(ctx, o, err)
	}
	switch match := o.match(o.live, found, true); match.Verdict {
	case bidding.VerdictOurs:
		return reconcile.Result{}, r.placed(ctx, o, remoteOf(found[match.Index], true), attempt)
	case bidding.VerdictForeign:
		return reconcile.Result{}, r.verdict(ctx, o, bidding.Foreign(found[match.Index].ID, attempt))
	case bidding.VerdictAbsent:
		return r.absent(ctx, o, attempt)
	default:
		return reconcile.Result{}, r.record(ctx, o.situation, o.live, bidding.Undecidable(
			"A place call may have taken effect, and more than one live bid of the account is on the posting"))
	}
}

// unsettled notes that an unknown outcome stays unknown for now. How often that happened so far is told by the time
// since it is unknown: status.attempts counts place calls, by which intents are judged.
func (r *Reconciler) unsettled(ctx context.Context, o *owned, err error) (reconcile.Result, error) {
	tries := bidding.Tries(o.marketplace.Spec.Retry, o.live.Status.SettlingSince, r.Wall.Now())
	f := r.failure(o.situation, err, tries)
	return reconcile.Result{RequeueAfter: r.until(f.Next)}, r.record(ctx, o.situation, o.live, bidding.Unsettled(f))
}

// absent concludes from a look-up that shows nothing, as far as the marketplace's class lets it.
func (r *Reconciler) absent(ctx context.Context, o *owned, attempt int32) (reconcile.Result, error) {
	switch {
	case o.claim == nil && bidding.LosesLease(o.live):
		// That a call was made is not known, only that nobody can tell: no reason to send one, or to keep a namespace.
		return reconcile.Result{}, r.verdict(ctx, o, bidding.Absent(attempt, o.conn.Spec().Class))
	case o.conn.Spec().Class == onebidv1.ClassNone:
		return reconcile.Result{}, r.record(ctx, o.situation, o.live, bidding.Undecidable(
			"A place call may have taken effect; the marketplace shows no bid, which proves nothing there"))
	case o.conn.Spec().Class == onebidv1.ClassIdempotencyKey && bidding.Withdrawing(o.live):
		// Burn the key: the same key again gives the ID of whatever was, or is yet to be, placed; that is withdrawn then.
		if result, why := r.paced(ctx, o.situation); why != "" {
			return result, nil
		}
		err := r.send(ctx, o, attempt)
		if err == nil && r.flights.open(o.live.UID) {
			// Unknown once more, which the status says already: no write brings the Bid back.
			return reconcile.Result{RequeueAfter: max(r.settling(o), time.Millisecond)}, nil
		}
		return reconcile.Result{}, err
	default:
		err := r.verdict(ctx, o, bidding.Absent(attempt, o.conn.Spec().Class))
		if err == nil {
			r.looked(o)
		}
		return reconcile.Result{}, err
	}
}

func (r *Reconciler) lookup(ctx context.Context, s *situation) ([]marketplace.Bid, error) {
	return s.conn.Find(ctx, s.query(), s.bid.Spec.PostingID)
}

// match decides whose the bids are that a look-up showed.
func (s *situation) match(live *onebidv1.Bid, found []marketplace.Bid, sent bool) bidding.MatchResult {
	in := bidding.MatchInput{
		Key:       bidding.IdempotencyKey(live.Namespace, bidding.KeyOf(live), live.UID),
		StoresKey: s.conn.Capabilities().StoresKey, Sent: sent, Price: live.Spec.Price,
	}
	for _, b := range found {
		in.Found = append(in.Found, bidding.Found{
			ID: b.ID, Key: b.IdempotencyKey, State: b.State, Amount: b.Amount, Currency: b.Currency,
		})
	}
	return bidding.Match(in)
}

// stuck says that nothing can be found out while there is no connection to the marketplace.
func (r *Reconciler) stuck(ctx context.Context, s *situation) error {
	reason, message := onebidv1.ReasonMarketplaceNotReady, "Marketplace "+s.bid.Spec.Marketplace+" is not Ready; see its conditions"
	if s.marketplace == nil {
		reason = onebidv1.ReasonMarketplaceNotFound
		message = "Marketplace " + s.bid.Spec.Marketplace + " is gone and a bid may be live there: create it again, or settle the bid there and" +
			" set the annotation " + onebidv1.AnnotationAbandon
	}
	err := r.record(ctx, s, s.bid, bidding.Stuck(reason, message))
	if errors.Is(err, errGone) {
		return nil
	}
	return err
}
