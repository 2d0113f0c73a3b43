package bid

import (
	"context"
	"errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/ownership"
)

// resolve finds out what became of a place call whose outcome is unknown: own the posting, fence, let it settle, look.
func (r *Reconciler) resolve(ctx context.Context, s *situation) (reconcile.Result, error) {
	if s.conn == nil {
		return reconcile.Result{}, r.stuck(ctx, s)
	}
	claim, err := r.claim(ctx, s, nil)
	if err != nil {
		return r.notClaimed(ctx, s, err)
	}
	live, err := r.readLive(ctx, s.bid.UID, nameOf(s.bid))
	if err != nil {
		return reconcile.Result{}, err
	}
	return r.resolveClaimed(ctx, s, claim, live)
}

func (r *Reconciler) resolveClaimed(ctx context.Context, s *situation, claim *ownership.Claim, live *onebidv1.Bid) (reconcile.Result, error) {
	if s.conn == nil {
		return reconcile.Result{}, r.stuck(ctx, s)
	}
	if remote, ok := r.unrecorded(live); ok {
		return reconcile.Result{}, r.placed(ctx, s, claim, live, remote, r.lastAttempt(live, claim))
	}
	if r.openPlace(live, claim) > 0 {
		if err := r.fence(ctx, s, claim, live); err != nil {
			return reconcile.Result{}, err
		}
	}
	if others := foreignIntents(claim, live.UID); len(others) > 0 {
		return r.resolveForeign(ctx, s, claim, others)
	}
	if bidding.PlacedStatus(live) != metav1.ConditionUnknown {
		return reconcile.Result{}, errMoved // resolved meanwhile
	}
	if wait := r.settling(s, claim, live); wait > 0 {
		return reconcile.Result{RequeueAfter: wait}, nil
	}
	if result, ok := r.paced(ctx, s); !ok {
		return result, nil
	}
	return r.lookAndConclude(ctx, s, claim, live)
}

// fence notes in the Bid's status that its outcome is open, on the version that was read: a sender that comes late to
// record what it learned meets a conflict, and adds to this instead of overwriting what is found out from here on.
func (r *Reconciler) fence(ctx context.Context, s *situation, claim *ownership.Claim, live *onebidv1.Bid) error {
	if bidding.PlacedStatus(live) == metav1.ConditionUnknown {
		return nil
	}
	return r.record(ctx, s, live, bidding.Unknown(r.lastAttempt(live, claim), "its outcome was not recorded"))
}

// unrecorded is what a call of this process told and the API server would not take.
func (r *Reconciler) unrecorded(live *onebidv1.Bid) (bidding.Remote, bool) {
	flight, ok := r.flights.get(live.UID)
	if !ok || flight.learned == nil || live.Status.Remote != nil {
		return bidding.Remote{}, false
	}
	return *flight.learned, true
}

func (r *Reconciler) lastAttempt(live *onebidv1.Bid, claim *ownership.Claim) int32 {
	return max(r.openPlace(live, claim), bidding.Attempts(live, onebidv1.OperationPlace), 1)
}

// settling is how long to wait until every call that any holder may have started has either taken effect and is shown,
// or never will be. The wait counts from the take-over, or from the end of our own call.
func (r *Reconciler) settling(s *situation, claim *ownership.Claim, live *onebidv1.Bid) time.Duration {
	from := claim.AcquiredAt
	if flight, ok := r.flights.get(live.UID); ok && flight.ended.After(from) {
		from = flight.ended
	}
	return from.Add(s.conn.Settle).Sub(r.Clock.Now())
}

func (r *Reconciler) lookAndConclude(ctx context.Context, s *situation, claim *ownership.Claim, live *onebidv1.Bid) (reconcile.Result, error) {
	attempt := r.lastAttempt(live, claim)
	found, err := r.lookup(ctx, s)
	if err != nil {
		f := r.failure(s, err, attempt)
		return reconcile.Result{RequeueAfter: r.until(f.Next)}, r.record(ctx, s, live, bidding.Unsettled(f))
	}
	match := r.match(s, live, found, true)
	switch match.Verdict {
	case bidding.VerdictOurs:
		return reconcile.Result{}, r.placed(ctx, s, claim, live, remoteOf(found[match.Index], true), attempt)
	case bidding.VerdictForeign:
		return reconcile.Result{}, r.conclude(ctx, s, live, bidding.Foreign(found[match.Index].ID, attempt))
	case bidding.VerdictAmbiguous:
		return reconcile.Result{}, r.record(ctx, s, live, bidding.Undecidable(
			"A place call may have taken effect, and more than one live bid of the account is on the posting"))
	}
	return r.absent(ctx, s, claim, live, attempt)
}

// absent concludes from a look-up that shows nothing, as far as the marketplace's class lets it.
func (r *Reconciler) absent(ctx context.Context, s *situation, claim *ownership.Claim, live *onebidv1.Bid, attempt int32) (reconcile.Result, error) {
	switch {
	case s.conn.Spec.Class == onebidv1.ClassNone:
		return reconcile.Result{}, r.record(ctx, s, live, bidding.Undecidable(
			"A place call may have taken effect; the marketplace shows no bid, which proves nothing there"))
	case s.conn.Spec.Class == onebidv1.ClassIdempotencyKey && bidding.Withdrawing(live):
		// Burn the key: the same key again gives the ID of whatever was, or is yet to be, placed; that is withdrawn then.
		return r.send(ctx, s, claim, live, attempt)
	default:
		err := r.conclude(ctx, s, live, bidding.Absent(attempt))
		if err == nil {
			r.Leases.Resolved(claim)
		}
		return reconcile.Result{}, err
	}
}

// resolveForeign settles the open calls of an earlier Bid on the same posting before this one goes on: a live bid with
// that Bid's key is ours and has no home any more.
func (r *Reconciler) resolveForeign(ctx context.Context, s *situation, claim *ownership.Claim, others ownership.Intents) (reconcile.Result, error) {
	if wait := claim.AcquiredAt.Add(s.conn.Settle).Sub(r.Clock.Now()); wait > 0 {
		return reconcile.Result{RequeueAfter: wait}, nil
	}
	found, err := r.lookup(ctx, s)
	if err != nil {
		return reconcile.Result{RequeueAfter: r.failureDelay(s, err)}, nil
	}
	for _, b := range found {
		if !b.Live() || !carriesKeyOf(others, b.IdempotencyKey) {
			continue
		}
		ref := marketplace.Ref{BidID: b.ID, PostingID: s.bid.Spec.PostingID}
		gone, err := r.retract(ctx, s, ref, "an earlier Bid on this posting is gone")
		if err != nil || !gone {
			return reconcile.Result{RequeueAfter: r.failureDelay(s, err)}, nil
		}
	}
	kept := claim.Intents
	for _, intent := range others {
		kept = kept.Without(intent.BidUID)
	}
	return reconcile.Result{RequeueAfter: time.Millisecond}, r.Leases.SetIntents(ctx, claim, kept)
}

func carriesKeyOf(intents ownership.Intents, key string) bool {
	for _, intent := range intents {
		if key != "" && intent.Key == key {
			return true
		}
	}
	return false
}

func (r *Reconciler) failureDelay(s *situation, err error) time.Duration {
	return bidding.RetryDelay(s.marketplace.Spec.Retry, marketplace.ClassOf(err), 3, marketplace.RetryAfter(err), r.Jitter())
}

// lookup lists our bids on the posting, with the account proven first where the marketplace can tell it: an empty list
// of somebody else's account proves nothing.
func (r *Reconciler) lookup(ctx context.Context, s *situation) ([]marketplace.Bid, error) {
	account, err := call(ctx, r, s, s.conn.Driver.Account)
	if err != nil {
		return nil, err
	}
	if known := s.marketplace.Status.AccountID; known != "" && account != "" && known != account {
		return nil, &marketplace.Error{
			Class: onebidv1.ErrorAuth, Operation: "account",
			Message: "the credentials are of account " + account + ", but our bids were placed as " + known,
		}
	}
	return call(ctx, r, s, func(ctx context.Context) ([]marketplace.Bid, error) {
		return s.conn.Driver.Lookup(ctx, s.bid.Spec.PostingID)
	})
}

func (r *Reconciler) match(s *situation, live *onebidv1.Bid, found []marketplace.Bid, sent bool) bidding.MatchResult {
	in := bidding.MatchInput{
		Key:       bidding.IdempotencyKey(live.Namespace, bidding.KeyOf(live), live.UID),
		StoresKey: s.conn.Driver.Capabilities().StoresKey, Sent: sent, Price: live.Spec.Price,
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
