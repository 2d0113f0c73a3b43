package httpdriver

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
)

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
func (d *Driver) Account(ctx context.Context, pace marketplace.Pacer) (string, error) {
	return (&operation{Driver: d, name: marketplace.OpAccount, pace: pace}).ask(ctx)
}

// Place implements marketplace.Driver.
func (d *Driver) Place(ctx context.Context, pace marketplace.Pacer, p marketplace.PlaceRequest) (marketplace.Bid, error) {
	o := &operation{Driver: d, name: marketplace.OpPlace, pace: pace, proposal: p.Proposal}
	r, c, err := o.do(ctx, d.plan.place.request, placeVars(p), d.placeExtras(p))
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
func (d *Driver) Lookup(ctx context.Context, pace marketplace.Pacer, postingID string) ([]marketplace.Bid, error) {
	return (&operation{Driver: d, name: marketplace.OpLookup, pace: pace}).lookup(ctx, postingID)
}

func (o *operation) lookup(ctx context.Context, postingID string) ([]marketplace.Bid, error) {
	vars := map[string]any{"bid": map[string]any{"postingID": postingID}}
	bids, err := o.readAll(ctx, o.plan.lookup, vars)
	if err != nil {
		return nil, err
	}
	for _, b := range bids {
		if err := o.checkPosting(b, postingID); err != nil {
			return nil, o.call(nil).Fail(onebidv1.ErrorTransient,
				"the look-up cannot be read: it must give the bids on one posting", err)
		}
	}
	return bids, nil
}

// List implements marketplace.Driver.
func (d *Driver) List(ctx context.Context, pace marketplace.Pacer) ([]marketplace.Bid, error) {
	o := &operation{Driver: d, name: marketplace.OpList, pace: pace}
	if d.plan.list == nil {
		return nil, o.call(nil).Fail(onebidv1.ErrorInvalid, root+".list is not given", nil)
	}
	bids, err := o.readAll(ctx, d.plan.list, map[string]any{})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(bids, func(b marketplace.Bid) bool { return !b.Open() }), nil
}

// Get implements marketplace.Driver.
func (d *Driver) Get(ctx context.Context, pace marketplace.Pacer, ref marketplace.Ref) (marketplace.Bid, error) {
	o := &operation{Driver: d, name: marketplace.OpGet, pace: pace}
	if d.plan.get == nil {
		return o.find(ctx, ref)
	}
	r, c, err := o.onRemote(ctx, d.plan.get.request, ref, "")
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
func (o *operation) find(ctx context.Context, ref marketplace.Ref) (marketplace.Bid, error) {
	c := o.call(nil)
	if ref.PostingID == "" {
		return marketplace.Bid{}, c.Fail(onebidv1.ErrorInvalid, root+".get is not given, and the bid's posting is not known", nil)
	}
	bids, err := (&operation{Driver: o.Driver, name: marketplace.OpLookup, pace: o.pace}).lookup(ctx, ref.PostingID)
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
func (d *Driver) Withdraw(ctx context.Context, pace marketplace.Pacer, ref marketplace.Ref, reason string) error {
	o := &operation{Driver: d, name: marketplace.OpWithdraw, pace: pace}
	if d.plan.withdraw == nil {
		return o.call(nil).Fail(onebidv1.ErrorNotWithdrawable,
			root+".withdraw is not given: bids there cannot be withdrawn by onebid", nil)
	}
	_, _, err := o.onRemote(ctx, d.plan.withdraw, ref, reason)
	return err
}

// onRemote does an operation on one bid of the marketplace.
func (o *operation) onRemote(
	ctx context.Context, t *template, ref marketplace.Ref, reason string,
) (*wire.Reply, *wire.Call, error) {
	if missing := ref.BidID == "" || (ref.PostingID == "" && t.needsPosting()); missing {
		return nil, nil, o.call(nil).Fail(onebidv1.ErrorInvalid,
			"the bid's ID, or its posting where the request needs it, is not known", nil)
	}
	vars := map[string]any{
		"remote": map[string]any{"id": ref.BidID, "postingID": ref.PostingID}, "reason": reason,
	}
	return o.do(ctx, t, vars, extras{})
}
