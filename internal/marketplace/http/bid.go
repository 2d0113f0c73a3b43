package httpdriver

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/celeval"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
	"github.com/onebid-dev/onebid/internal/text"
)

const (
	maxID  = 256
	maxURL = 2048
)

// readItem reads the bid that a reply describes.
func (d *Driver) readItem(ctx context.Context, s single, r *wire.Reply) (marketplace.Bid, error) {
	vars := varsOf(r)
	vars["item"] = r.Body
	if s.item != nil {
		item, err := s.item.Eval(ctx, vars)
		if err != nil {
			return marketplace.Bid{}, err
		}
		vars["item"] = item
	}
	return d.readBid(ctx, vars)
}

// readBid maps item and response. What decides about the bid must be readable; what only describes it may be missing.
func (d *Driver) readBid(ctx context.Context, vars map[string]any) (marketplace.Bid, error) {
	m := d.plan.bid
	var b marketplace.Bid
	var err error
	if b.ID, err = m.id.Text(ctx, vars); err != nil {
		return b, err
	}
	if !isName(b.ID) {
		return b, fmt.Errorf("%s: must be 1 to %d bytes without control characters", m.id.Field, maxID)
	}
	if b.PostingID, err = m.postingID.Text(ctx, vars); err != nil {
		return b, err
	}
	if b.Word, err = m.state.Text(ctx, vars); err != nil {
		return b, err
	}
	b.State = d.plan.stateOf(b.Word)
	b.Word = text.Cut(b.Word, maxID)
	if b.IdempotencyKey, err = m.key.Text(ctx, vars); err != nil && !isMissing(err) {
		return b, err
	}
	d.plan.describe(ctx, &b, vars)
	return b, nil
}

func (p *plan) describe(ctx context.Context, b *marketplace.Bid, vars map[string]any) {
	optional := func(e *celeval.Expression) string {
		s, err := e.Text(ctx, vars)
		if err != nil {
			return ""
		}
		return s
	}
	m := p.bid
	if u := optional(m.url); isLink(u) {
		b.URL = u
	}
	if at, err := time.Parse(time.RFC3339, optional(m.placedAt)); err == nil {
		b.PlacedAt = at
	}
	if amount := optional(m.amount); decimalNumber.MatchString(amount) {
		b.Amount = amount
	}
	if currency := optional(m.currency); len(currency) <= 16 && isName(currency) {
		b.Currency = currency
	}
}

func (p *plan) stateOf(word string) onebidv1.RemoteState {
	if state, ok := p.states[word]; ok {
		return state
	}
	return onebidv1.RemoteUnknown
}

// isMissing recognises an expression that asked for a field which is not there.
func isMissing(err error) bool { return strings.Contains(err.Error(), "no such key") }

func isName(s string) bool {
	return s != "" && len(s) <= maxID && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// isLink keeps anything but web addresses away from whoever shows the URL.
func isLink(s string) bool {
	u, err := url.Parse(s)
	return err == nil && len(s) <= maxURL && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

// checkPosting makes sure that a bid is on our posting, where the marketplace says which.
func (d *Driver) checkPosting(b marketplace.Bid, postingID string) error {
	if d.plan.bid.postingID == nil || postingID == "" || b.PostingID == postingID {
		return nil
	}
	return fmt.Errorf("%s: the bid is on the posting %q and not on %q", d.plan.bid.postingID.Field,
		text.Cut(b.PostingID, onebidv1.MaxPostingIDBytes), postingID)
}

// checkPlaced makes sure that a reply to place is about the bid that we sent.
func (d *Driver) checkPlaced(b marketplace.Bid, p marketplace.PlaceRequest) error {
	if d.plan.bid.key != nil && b.IdempotencyKey != "" && b.IdempotencyKey != p.IdempotencyKey {
		return errors.New(d.plan.bid.key.Field + ": the bid carries another key than ours")
	}
	return d.checkPosting(b, p.PostingID)
}
