package bid

import (
	"context"
	"maps"
	"slices"
	"time"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/account"
)

// poll reads the present state of a bid that is open as far as we know, or that we withdrew. Nothing new costs no write.
func (st steps) poll(ctx context.Context, s *situation) effect {
	if s.account == nil {
		return effect{}
	}
	if d := s.account.Denied(s.accountPriority()); d.Denied() {
		return effect{after: st.denied(d)}
	}
	bid, err := st.readBid(ctx, s)
	if account.Unsent(err) {
		return effect{after: max(marketplace.RetryAfter(err), time.Second) + st.spread(time.Second)}
	}
	st.polls.asked(s, st.Wall.Now())
	e := effect{after: st.until(st.polls.due(s, st.Wall.Now()))}
	if err != nil {
		s.log.Info("Reading the bid failed; it is read again at the next interval", "error", err.Error())
		return e
	}
	change := bidding.Acknowledged()
	if outcome := bidding.OutcomeOf(bid.State); outcome != "" && outcome != s.bid.Status.Outcome {
		change, e.forget = bidding.Observed(bid.State), true
	}
	e.change = &change
	return e
}

// readBid asks for one bid when a person asked for it or it is not among the open ones; otherwise one list answers for all bids
// of the account.
func (steps) readBid(ctx context.Context, s *situation) (marketplace.Bid, error) {
	asked := bidding.Requested(s.bid) != s.bid.Status.LastHandledReconcileAt
	if !asked && s.bid.Status.Outcome == "" && s.account.Capabilities().CanList {
		listed, open, err := s.account.Listed(ctx, refOf(s.bid))
		if err != nil || open && listed.State == onebidv1.RemoteLive {
			return listed, err
		}
	}
	return s.account.Read(ctx, s.query(), refOf(s.bid), placedAt(s.bid))
}

// preview shows the request that would place the bid.
func (steps) preview(ctx context.Context, s *situation) bidding.Change {
	preview, err := s.account.Preview(ctx, placeRequest(s.bid))
	if err != nil {
		return bidding.DryRun(s.bid.Spec.Marketplace, nil, err.Error())
	}
	out := &onebidv1.BidPreview{Method: preview.Method, URL: preview.URL, Body: preview.Body}
	for _, name := range slices.Sorted(maps.Keys(preview.Headers)) {
		value := preview.Headers[name]
		out.Headers = append(out.Headers, onebidv1.PreviewHeader{Name: name, Value: &value})
	}
	return bidding.DryRun(s.bid.Spec.Marketplace, out, "")
}
