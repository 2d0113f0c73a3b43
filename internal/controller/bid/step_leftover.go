package bid

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

// withdrawEarlier withdraws what earlier Bids on the posting left.
func (st steps) withdrawEarlier(ctx context.Context, o *owned) (effect, error) {
	for _, id := range o.earlier {
		if err := st.Leases.Authorize(o.claim, o.timeout()); err != nil {
			return effect{}, err
		}
		ref := marketplace.Ref{BidID: id, PostingID: o.bid.Spec.PostingID}
		if _, err := o.account.Retract(ctx, o.query(), ref, placedAt(o.bid), "an earlier Bid on this posting is gone"); err != nil {
			return st.earlierUnresolved(o, err), nil
		}
	}
	return effect{clear: o.earlierUIDs(), after: time.Millisecond}, nil
}

// withdrawSecond withdraws what a sender placed that stood still beyond all waits, so that the bid was placed again: only a
// marketplace of class None accepts both. The Bid keeps the one that it has.
func (steps) withdrawSecond(ctx context.Context, o *owned, remoteID string) effect {
	ref := marketplace.Ref{BidID: remoteID, PostingID: o.bid.Spec.PostingID}
	result := "it was withdrawn"
	_, err := o.account.Retract(ctx, o.query(), ref, placedAt(o.bid), "the bid was placed twice")
	if err != nil {
		result = "withdraw it there, since that failed: " + err.Error()
	}
	return effect{forget: true, err: err, event: &note{corev1.EventTypeWarning, EventPlacedTwice, "Place", fmt.Sprintf(
		"A call that took effect after every wait placed a second bid %q beside the open one: %s", remoteID, result)}}
}

// withdrawUnaccounted withdraws a bid whose Bid was deleted while it was being placed.
func (st steps) withdrawUnaccounted(ctx context.Context, o *owned, remoteID string) (effect, error) {
	// Where the marketplace reuses IDs, this one may be another Bid's by now, but not while the posting is held. A process that
	// took the posting has met our intent and resolved it.
	if o.claim != nil {
		if err := st.Leases.Assert(ctx, o.claim); err != nil {
			return effect{}, err
		}
	}
	o.log.Info("The Bid was deleted while it was being placed; withdrawing what was placed", "remoteID", remoteID)
	ref := marketplace.Ref{BidID: remoteID, PostingID: o.bid.Spec.PostingID}
	if _, err := o.account.Retract(ctx, o.query(), ref, placedAt(o.bid), "the Bid was deleted while it was being placed"); err != nil {
		return effect{}, err // the call stays open and the next reconcile goes on from there
	}
	e := effect{forget: true, err: errGone}
	if len(o.earlierIntents()) > 0 {
		e.clear = append(e.clear, o.live.UID)
	} else {
		e.tombstone = onebidv1.StateWithdrawn
	}
	return e, nil
}
