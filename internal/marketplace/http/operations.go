package httpdriver

import (
	"context"
	"fmt"
	"maps"
	"net/http"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
)

// do builds a request, sends it and classifies the reply: without an error the marketplace reports success.
func (d *Driver) do(
	ctx context.Context, operation string, t *template, vars map[string]any, x extras, proposal string,
) (*wire.Reply, *wire.Call, error) {
	vars, err := d.withAccount(ctx, vars, t.sees("account"))
	if err != nil {
		return nil, nil, err
	}
	m, err := d.build(ctx, t, vars, x)
	c := d.call(operation, m.message(), proposal)
	if err != nil {
		return nil, nil, c.Unsent(err)
	}
	r, err := d.exchange(ctx, c, m)
	return r, c, err
}

// Capabilities implements marketplace.Driver.
func (d *Driver) Capabilities() marketplace.Capabilities {
	return marketplace.Capabilities{
		StoresKey:   d.plan.bid.key != nil,
		SendsKey:    d.key != "" || d.plan.place.request.sees("idempotencyKey"),
		CanList:     d.plan.list != nil,
		CanWithdraw: d.plan.withdraw != nil,
	}
}

// Account implements marketplace.Driver.
func (d *Driver) Account(ctx context.Context) (string, error) {
	if d.plan.account == nil {
		return "", nil
	}
	m, err := d.build(ctx, d.plan.account, map[string]any{}, extras{})
	c := d.call(marketplace.OpAccount, m.message(), "")
	if err != nil {
		return "", c.Unsent(err)
	}
	r, err := d.exchange(ctx, c, m)
	switch marketplace.ClassOf(err) {
	case "":
	case onebidv1.ErrorNotFound: // whoever asked for a bid must not take it for the one that is not found
		return "", c.Fail(onebidv1.ErrorTransient, "the account cannot be read", err)
	default:
		return "", err
	}
	id, err := d.plan.accountID.Text(ctx, varsOf(r))
	if err == nil && !isName(id) {
		err = fmt.Errorf("%s: must be 1 to %d bytes without control characters", d.plan.accountID.Field, maxID)
	}
	if err != nil {
		return "", c.Unreadable(r, err)
	}
	return id, d.remember(c, id)
}

// remember keeps the account. The credentials of one driver never change, so neither may their account.
func (d *Driver) remember(c *wire.Call, id string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.account != "" && d.account != id {
		return c.Fail(onebidv1.ErrorAuth, fmt.Sprintf("the account was %s and is %s now", d.account, id), nil)
	}
	d.account = id
	return nil
}

// Place implements marketplace.Driver.
func (d *Driver) Place(ctx context.Context, p marketplace.PlaceRequest) (marketplace.Bid, error) {
	r, c, err := d.do(ctx, marketplace.OpPlace, d.plan.place.request, placeVars(p), d.placeExtras(p), p.Proposal)
	if err != nil {
		return marketplace.Bid{}, err
	}
	bid, err := d.readItem(ctx, d.plan.place, r)
	if err == nil {
		err = d.checkPlaced(bid, p)
	}
	if err != nil {
		return marketplace.Bid{}, c.Unreadable(r, err)
	}
	return bid, nil
}

// placeVars are what expressions see of a bid to be placed.
func placeVars(p marketplace.PlaceRequest) map[string]any {
	attributes := p.Attributes
	if attributes == nil {
		attributes = map[string]string{}
	}
	return map[string]any{
		"bid": map[string]any{
			"postingID": p.PostingID, "amount": p.Price.Amount, "currency": p.Price.Currency,
			"deliveryDays": int64(p.DeliveryDays), "proposal": p.Proposal, "attributes": attributes,
		},
		"idempotencyKey": p.IdempotencyKey,
	}
}

func (d *Driver) placeExtras(p marketplace.PlaceRequest) extras {
	header := http.Header{}
	if d.key != "" {
		header.Set(d.key, p.IdempotencyKey)
	}
	return extras{header: header}
}

// Lookup implements marketplace.Driver.
func (d *Driver) Lookup(ctx context.Context, postingID string) ([]marketplace.Bid, error) {
	vars := map[string]any{"bid": map[string]any{"postingID": postingID}}
	bids, err := d.readProven(ctx, marketplace.OpLookup, d.plan.lookup, vars)
	if err != nil {
		return nil, err
	}
	for _, b := range bids {
		if err := d.checkPosting(b, postingID); err != nil {
			return nil, d.call(marketplace.OpLookup, nil, "").Fail(onebidv1.ErrorTransient,
				"the look-up cannot be read: it must give the bids on one posting", err)
		}
	}
	return bids, nil
}

// List implements marketplace.Driver.
func (d *Driver) List(ctx context.Context) ([]marketplace.Bid, error) {
	if d.plan.list == nil {
		return nil, d.call(marketplace.OpList, nil, "").Fail(onebidv1.ErrorInvalid, root+".list is not given", nil)
	}
	bids, err := d.readProven(ctx, marketplace.OpList, d.plan.list, map[string]any{})
	if err != nil {
		return nil, err
	}
	open := bids[:0]
	for _, b := range bids {
		if b.Live() || b.State == onebidv1.RemoteUnknown {
			open = append(open, b)
		}
	}
	return open, nil
}

// readProven reads a list. That it is empty is believed only when the marketplace still knows who we are: some answer
// a stranger with an empty list.
func (d *Driver) readProven(
	ctx context.Context, operation string, l *listing, vars map[string]any,
) ([]marketplace.Bid, error) {
	vars, err := d.withAccount(ctx, vars, l.sees("account"))
	if err != nil {
		return nil, err
	}
	bids, err := d.readAll(ctx, operation, l, vars)
	if err != nil || len(bids) > 0 || d.plan.account == nil {
		return bids, err
	}
	if err := marketplace.Pace(ctx); err != nil {
		return nil, d.call(operation, nil, "").Unanswered(&wire.SendError{Err: err})
	}
	if _, err := d.Account(ctx); err != nil {
		return nil, err
	}
	return bids, nil
}

// Get implements marketplace.Driver.
func (d *Driver) Get(ctx context.Context, ref marketplace.Ref) (marketplace.Bid, error) {
	if d.plan.get == nil {
		return d.find(ctx, ref)
	}
	r, c, err := d.onRemote(ctx, marketplace.OpGet, d.plan.get.request, ref, "")
	if err != nil {
		return marketplace.Bid{}, err
	}
	bid, err := d.readItem(ctx, *d.plan.get, r)
	if err == nil && bid.ID != ref.BidID {
		err = fmt.Errorf("the bid is %q and not %q", bid.ID, ref.BidID)
	}
	if err == nil {
		err = d.checkPosting(bid, ref.PostingID)
	}
	if err != nil {
		return marketplace.Bid{}, c.Unreadable(r, err)
	}
	return bid, nil
}

// find gets a bid where the marketplace has no call for it.
func (d *Driver) find(ctx context.Context, ref marketplace.Ref) (marketplace.Bid, error) {
	c := d.call(marketplace.OpGet, nil, "")
	if ref.PostingID == "" {
		return marketplace.Bid{}, c.Fail(onebidv1.ErrorInvalid, root+".get is not given, and the bid's posting is not known", nil)
	}
	bids, err := d.Lookup(ctx, ref.PostingID)
	if err != nil {
		return marketplace.Bid{}, err
	}
	for _, b := range bids {
		if b.ID == ref.BidID {
			return b, nil
		}
	}
	return marketplace.Bid{}, c.Fail(onebidv1.ErrorNotFound, "the bid is not among ours on its posting", nil)
}

// Withdraw implements marketplace.Driver.
func (d *Driver) Withdraw(ctx context.Context, ref marketplace.Ref, reason string) error {
	if d.plan.withdraw == nil {
		return d.call(marketplace.OpWithdraw, nil, "").Fail(onebidv1.ErrorNotWithdrawable,
			root+".withdraw is not given: bids there cannot be withdrawn by onebid", nil)
	}
	_, _, err := d.onRemote(ctx, marketplace.OpWithdraw, d.plan.withdraw, ref, reason)
	return err
}

// onRemote does an operation on one bid of the marketplace.
func (d *Driver) onRemote(
	ctx context.Context, operation string, t *template, ref marketplace.Ref, reason string,
) (*wire.Reply, *wire.Call, error) {
	if missing := ref.BidID == "" || (ref.PostingID == "" && t.needsPosting()); missing {
		return nil, nil, d.call(operation, nil, "").Fail(onebidv1.ErrorInvalid,
			"the bid's ID, or its posting where the request needs it, is not known", nil)
	}
	vars := map[string]any{
		"remote": map[string]any{"id": ref.BidID, "postingID": ref.PostingID}, "reason": reason,
	}
	return d.do(ctx, operation, t, vars, extras{}, "")
}

// withAccount adds the account, asking for it the first time.
func (d *Driver) withAccount(ctx context.Context, vars map[string]any, needed bool) (map[string]any, error) {
	if !needed {
		return vars, nil
	}
	d.mu.Lock()
	id := d.account
	d.mu.Unlock()
	if id == "" {
		var err error
		if id, err = d.Account(ctx); err != nil {
			return nil, err
		}
	}
	vars = maps.Clone(vars)
	vars["account"] = id
	return vars, nil
}
