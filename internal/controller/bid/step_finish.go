package bid

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

// finish carries out a plan once no call is open.
func (st steps) finish(ctx context.Context, o *owned) (effect, error) {
	switch o.plan.Action {
	case bidding.ActionReport:
		return effect{change: &o.plan.Change, after: st.until(o.freshness.Until)}, nil
	case bidding.ActionCancel:
		return cancel(o), nil
	case bidding.ActionWriteTombstone:
		return effect{tombstone: o.live.Status.Outcome}, nil
	case bidding.ActionFinalize:
		return effect{letGo: o.live.Status.Outcome, history: true}, nil
	case bidding.ActionAbandon:
		return abandon(o), nil
	case bidding.ActionAnswer:
		return st.answer(ctx, o)
	default: // bidding.ActionReleaseClaim
		e := st.clearUnused(o, nil)
		e.releaseClaim = true
		return e, nil
	}
}

// cancel ends a Bid for which nothing was placed.
func cancel(o *owned) effect {
	switch {
	case o.live.DeletionTimestamp.IsZero():
		return effect{change: &o.plan.Change, forget: true}
	case o.live.Status.LastHandledResolve != "":
		// A person said that nothing was placed; the record of that outlives the Bid.
		return effect{change: &o.plan.Change, letGo: onebidv1.StateWithdrawn, history: true}
	}
	return effect{letGo: onebidv1.StateWithdrawn}
}

// abandon lets a Bid go because a person with the right to said so: what is at the marketplace is theirs to end.
func abandon(o *owned) effect {
	outcome := o.live.Status.Outcome
	if outcome == "" {
		outcome = onebidv1.StateIndeterminate
	}
	return effect{letGo: outcome, history: true, event: &note{
		corev1.EventTypeWarning, EventAbandoned, "Abandon",
		"Abandoned without withdrawing: " + o.live.Annotations[onebidv1.AnnotationAbandon],
	}}
}

// answer carries out what a person said of an Indeterminate Bid. The admission policy resolve-guard checks who may say it; here
// only whether it can be done.
func (st steps) answer(ctx context.Context, o *owned) (effect, error) {
	given := bidding.Answer(o.live)
	if given != bidding.Answer(o.bid) {
		return effect{err: errChanged}, nil
	}
	switch bidding.AnswerWord(given) {
	case onebidv1.ResolveNotPlaced:
		// It holds for earlier Bids on the posting too: the person saw the posting.
		change := bidding.NotPlaced(st.facts(o).LastOpenAttempt(), given)
		return effect{
			clear: o.earlierUIDs(), change: &change, forget: true, resolved: true,
			event: resolved("Taken as not placed, because %s says %q", given),
		}, nil
	case onebidv1.ResolvePlaced:
		return st.adopt(ctx, o, given)
	default:
		return unanswerable(fmt.Sprintf("The annotation %s says %q, which is neither %q nor %q",
			onebidv1.AnnotationResolve, given, onebidv1.ResolvePlaced, onebidv1.ResolveNotPlaced)), nil
	}
}

// adopt takes over the one open bid of the account. Of several only a person can tell which one is meant, by withdrawing the
// others at the marketplace.
func (st steps) adopt(ctx context.Context, o *owned, given string) (effect, error) {
	if d := o.account.Denied(o.accountPriority()); d.Denied() {
		return effect{after: st.denied(d)}, nil
	}
	found, err := o.account.Find(ctx, o.query(), o.bid.Spec.PostingID)
	if err != nil {
		delay := bidding.RetryDelay(o.marketplace.Spec.Retry, marketplace.ClassOf(err), uncountedFailures,
			marketplace.RetryAfter(err), st.Jitter())
		change := bidding.Unanswered(given, err.Error())
		return effect{change: &change, after: delay}, nil
	}
	var open []marketplace.Bid
	for _, b := range found {
		if b.Open() {
			open = append(open, b)
		}
	}
	if len(open) != 1 {
		return unanswerable(fmt.Sprintf("%s says %q, but %s", onebidv1.AnnotationResolve, given, listed(open))), nil
	}
	remote := remoteOf(open[0], true)
	change := bidding.Placed(*remote, st.facts(o).LastAttempt(), o.account.Spec().Class)
	return effect{
		clear: o.earlierUIDs(), change: &change, remote: remote, forget: true, resolved: true, after: time.Millisecond,
		event: resolved(fmt.Sprintf("Adopted bid %q, because %%s says %%q", open[0].ID), given),
	}, nil
}

// maxListed bounds how many bids a message names.
const maxListed = 5

func listed(open []marketplace.Bid) string {
	if len(open) == 0 {
		return "the marketplace shows no open bid of the account on the posting"
	}
	var ids []string
	for _, b := range open[:min(len(open), maxListed)] {
		ids = append(ids, fmt.Sprintf("%.40q", b.ID))
	}
	return fmt.Sprintf("the account has %d open bids on the posting, %s: withdraw all there but the one that is meant",
		len(open), strings.Join(ids, ", "))
}

// unanswerable says what is missing, and asks again.
func unanswerable(why string) effect {
	change := bidding.Undecidable(why)
	return effect{change: &change, event: &note{corev1.EventTypeWarning, EventNotResolved, "Resolve", why}}
}

// resolved is the record of a person's decision.
func resolved(text, given string) *note {
	return &note{corev1.EventTypeNormal, EventResolved, "Resolve", fmt.Sprintf(text, onebidv1.AnnotationResolve, given)}
}
