package freelancer

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
)

// accountUnknown stands in a preview for our ID until a call has read it.
const accountUnknown = "[account]"

// offer is the body of a place. Numbers are sent as they are spelled.
type offer struct {
	ProjectID   json.Number `json:"project_id"`
	BidderID    any         `json:"bidder_id"`
	Amount      json.Number `json:"amount"`
	Period      int32       `json:"period"`
	Milestone   int32       `json:"milestone_percentage"`
	Description string      `json:"description"`
	ProfileID   int64       `json:"profile_id,omitempty"`
}

// Place implements marketplace.Driver. It first makes sure of what the site would refuse, or answer with HTTP 500, which
// would leave open whether the bid was placed.
func (d *Driver) Place(ctx context.Context, pace marketplace.Pacer, p marketplace.PlaceRequest) (marketplace.Bid, error) {
	o := d.operation(marketplace.OpPlace, pace)
	o.proposal = p.Proposal
	if err := o.valid(p); err != nil {
		return marketplace.Bid{}, err
	}
	self, err := o.account(ctx)
	if err != nil {
		return marketplace.Bid{}, err
	}
	if err := o.sameCurrency(ctx, p); err != nil {
		return marketplace.Bid{}, err
	}
	return o.place(ctx, self, p)
}

// Preview implements marketplace.Driver. It makes no call, so it does not check the project's currency.
func (d *Driver) Preview(_ context.Context, p marketplace.PlaceRequest) (marketplace.Preview, error) {
	o := d.operation(marketplace.OpPlace, marketplace.Unpaced{})
	o.proposal = p.Proposal
	if err := o.valid(p); err != nil {
		return marketplace.Preview{}, err
	}
	m, err := d.message(http.MethodPost, pathBids, nil)
	if err != nil {
		return marketplace.Preview{}, o.call(wire.Reading, nil).Unsent(err)
	}
	m.Header.Set(identity, marketplace.Redacted)
	m.Header.Set("Content-Type", wire.TypeJSON)
	bidder := any(accountUnknown)
	if self := d.known(); self != "" {
		bidder = json.Number(self)
	}
	if m.Body, err = d.offer(bidder, p.ForPreview()); err != nil {
		return marketplace.Preview{}, o.call(wire.Reading, m).Unsent(err)
	}
	return m.Preview(), nil
}

// valid refuses what is wrong with a bid by itself.
func (o *operation) valid(p marketplace.PlaceRequest) error {
	if err := o.needsProject(p.PostingID); err != nil {
		return err
	}
	if err := check(p); err != nil {
		return o.invalid(err, "nothing was sent")
	}
	return nil
}

// sameCurrency makes sure that the price means what it says: the site takes every amount for one in the project's currency.
func (o *operation) sameCurrency(ctx context.Context, p marketplace.PlaceRequest) error {
	code, err := o.currencyOf(ctx, p.PostingID)
	if err != nil || code == p.Price.Currency {
		return err
	}
	return o.invalid(nil, "nothing was sent: spec.price.currency: %s must be %s, the currency of the project",
		p.Price.Currency, code)
}

func (o *operation) place(ctx context.Context, self string, p marketplace.PlaceRequest) (marketplace.Bid, error) {
	body, err := o.driver.offer(json.Number(self), p)
	if err != nil {
		return marketplace.Bid{}, o.call(wire.Reading, nil).Unsent(err)
	}
	c, r, err := o.write(ctx, http.MethodPost, pathBids, wire.TypeJSON, body)
	if err != nil {
		return marketplace.Bid{}, err
	}
	var placed bid
	err = result(r, &placed)
	if err == nil {
		err = placed.check(self, p.PostingID)
	}
	if err != nil {
		return marketplace.Bid{}, c.Unreadable(r, err)
	}
	out := o.driver.translate(placed)
	out.Currency = p.Price.Currency
	return out, nil
}

// offer words the body, with & and < as they are, as the site's own SDKs do.
func (d *Driver) offer(bidder any, p marketplace.PlaceRequest) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	err := e.Encode(offer{
		ProjectID: json.Number(p.PostingID), BidderID: bidder, Amount: json.Number(p.Price.Amount), Period: p.DeliveryDays,
		Milestone: d.milestone, Description: p.Proposal, ProfileID: d.profile,
	})
	return bytes.TrimRight(out.Bytes(), "\n"), err
}
