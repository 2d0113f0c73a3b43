package bid

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

// answer carries out what a person said of an Indeterminate Bid. Whoever may say it answers for it, as the admission
// policy resolve-guard sees to; all that is checked here is that it can be done.
func (r *Reconciler) answer(ctx context.Context, s *situation) (reconcile.Result, error) {
	said := bidding.Answer(s.bid)
	word := bidding.AnswerWord(said)
	if s.conn == nil && word == onebidv1.ResolvePlaced {
		return reconcile.Result{}, r.stuck(ctx, s)
	}
	o, result, err := r.own(ctx, s, nil)
	switch {
	case o == nil || err != nil:
		return result, err
	case bidding.Answer(o.live) != said:
		return reconcile.Result{}, errMoved
	}
	switch word {
	case onebidv1.ResolveNotPlaced:
		return reconcile.Result{}, r.notPlaced(ctx, o, said)
	case onebidv1.ResolvePlaced:
		return r.adopt(ctx, o, said)
	default:
		return reconcile.Result{}, r.unanswerable(ctx, o, fmt.Sprintf("The annotation %s says %q, which is neither %q nor %q",
			onebidv1.AnnotationResolve, said, onebidv1.ResolvePlaced, onebidv1.ResolveNotPlaced))
	}
}

// notPlaced notes that nothing is there, of this Bid and of earlier ones on the posting: the person saw the posting.
func (r *Reconciler) notPlaced(ctx context.Context, o *owned, said string) error {
	attempt := max(r.openPlace(o), bidding.Attempts(o.live, onebidv1.OperationPlace))
	if err := r.answerForOthers(ctx, o); err != nil {
		return err
	}
	if err := r.verdict(ctx, o, bidding.NotPlaced(attempt, said)); err != nil {
		return err
	}
	r.looked(o)
	r.resolved(o, "Taken as not placed, because %s says %q", onebidv1.AnnotationResolve, said)
	return nil
}

// answerForOthers takes back the intents of earlier Bids, which the answer is about as well. The answer itself is durable,
// so a crash after this loses nothing.
func (r *Reconciler) answerForOthers(ctx context.Context, o *owned) error {
	others := o.foreignIntents()
	if len(others) == 0 {
		return nil
	}
	kept := o.claim.Intents
	for _, intent := range others {
		kept = kept.Without(intent.BidUID)
	}
	if err := r.Leases.SetIntents(ctx, o.claim, kept); err != nil {
		return err
	}
	for _, intent := range others {
		r.flights.forget(intent.BidUID)
	}
	return nil
}

// adopt takes over the one live bid of the account. Of several only a person can tell which is meant, and by withdrawing
// the others at the marketplace they do.
func (r *Reconciler) adopt(ctx context.Context, o *owned, said string) (reconcile.Result, error) {
	if result, ok := r.awake(o.situation); !ok {
		return result, nil
	}
	found, err := r.lookup(ctx, o.situation)
	if err != nil {
		delay := bidding.RetryDelay(o.marketplace.Spec.Retry, marketplace.ClassOf(err), waited, marketplace.RetryAfter(err), r.Jitter())
		return reconcile.Result{RequeueAfter: delay}, r.record(ctx, o.situation, o.live, bidding.Unanswered(said, err.Error()))
	}
	var live []marketplace.Bid
	for _, b := range found {
		if b.Open() {
			live = append(live, b)
		}
	}
	if len(live) != 1 {
		return reconcile.Result{}, r.unanswerable(ctx, o, fmt.Sprintf("%s says %q, but %s", onebidv1.AnnotationResolve, said, listed(live)))
	}
	if err := r.answerForOthers(ctx, o); err != nil {
		return reconcile.Result{}, err
	}
	attempt := r.lastAttempt(o)
	if err := r.placed(ctx, o, remoteOf(live[0], true), attempt); err != nil {
		return reconcile.Result{}, err
	}
	r.resolved(o, "Adopted bid %q, because %s says %q", live[0].ID, onebidv1.AnnotationResolve, said)
	return reconcile.Result{RequeueAfter: time.Millisecond}, nil
}

// mostListed bounds how many bids a message names.
const mostListed = 5

func listed(live []marketplace.Bid) string {
	if len(live) == 0 {
		return "the marketplace shows no live bid of the account on the posting"
	}
	var ids []string
	for _, b := range live[:min(len(live), mostListed)] {
		ids = append(ids, fmt.Sprintf("%.40q", b.ID))
	}
	return fmt.Sprintf("the account has %d live bids on the posting, %s: withdraw all there but the one that is meant",
		len(live), strings.Join(ids, ", "))
}

// unanswerable says what is missing, and asks again.
func (r *Reconciler) unanswerable(ctx context.Context, o *owned, why string) error {
	if err := r.record(ctx, o.situation, o.live, bidding.Undecidable(why)); err != nil {
		return err
	}
	r.Events.Eventf(o.live, nil, corev1.EventTypeWarning, EventNotResolved, "Resolve", "%s", why)
	return nil
}

// resolved is for the record of who decided what.
func (r *Reconciler) resolved(o *owned, note string, args ...any) {
	r.Events.Eventf(o.live, nil, corev1.EventTypeNormal, EventResolved, "Resolve", note, args...)
}
