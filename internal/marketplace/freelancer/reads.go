package freelancer

import (
	"context"
	"fmt"
	"slices"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

// Lookup implements marketplace.Driver.
func (d *Driver) Lookup(ctx context.Context, pace marketplace.Pacer, postingID string) ([]marketplace.Bid, error) {
	o := d.operation(marketplace.OpLookup, pace)
	if err := o.needsProject(postingID); err != nil {
		return nil, err
	}
	return o.list(ctx, postingID)
}

// List implements marketplace.Driver. The site filters by nothing that says open, so it reads the ended ones too.
func (d *Driver) List(ctx context.Context, pace marketplace.Pacer) ([]marketplace.Bid, error) {
	bids, err := d.operation(marketplace.OpList, pace).list(ctx, "")
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(bids, func(b marketplace.Bid) bool { return !b.Open() }), nil
}

// Get implements marketplace.Driver.
func (d *Driver) Get(ctx context.Context, pace marketplace.Pacer, ref marketplace.Ref) (marketplace.Bid, error) {
	return d.operation(marketplace.OpGet, pace).get(ctx, ref)
}

func (o *operation) get(ctx context.Context, ref marketplace.Ref) (marketplace.Bid, error) {
	if err := o.needsBid(ref); err != nil {
		return marketplace.Bid{}, err
	}
	self, err := o.account(ctx)
	if err != nil {
		return marketplace.Bid{}, err
	}
	var found bid
	c, r, err := o.read(ctx, pathBids+ref.BidID+"/", nil, &found)
	if err != nil {
		return marketplace.Bid{}, err
	}
	switch {
	case found.ID.String() != ref.BidID:
		return marketplace.Bid{}, c.Unreadable(r, fmt.Errorf("the bid is %q and not %s", found.ID, ref.BidID))
	case found.BidderID != "" && found.BidderID.String() != self: // the site shows bids of others too
		return marketplace.Bid{}, c.Fail(onebidv1.ErrorNotFound, "the bid is of another account", nil)
	}
	if err := found.check(self, ref.PostingID); err != nil {
		return marketplace.Bid{}, c.Unreadable(r, err)
	}
	bids := []marketplace.Bid{o.driver.translate(found)}
	if err := o.complete(ctx, bids); err != nil {
		return marketplace.Bid{}, err
	}
	return bids[0], nil
}
