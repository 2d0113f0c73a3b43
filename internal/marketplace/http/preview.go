package httpdriver

import (
	"context"

	"github.com/onebid-dev/onebid/internal/marketplace"
)

// accountUnknown stands in a preview for the account's ID as long as no call has told it.
const accountUnknown = "[account]"

// Preview implements marketplace.Driver.
func (d *Driver) Preview(ctx context.Context, p marketplace.PlaceRequest) (marketplace.Preview, error) {
	p = p.ForPreview()
	vars, x := placeVars(p), d.placeExtras(p)
	d.mu.Lock()
	vars["account"] = d.account
	d.mu.Unlock()
	if vars["account"] == "" {
		vars["account"] = accountUnknown
	}
	x.preview = true
	m, err := d.build(ctx, d.plan.place.request, vars, x)
	if err != nil {
		return marketplace.Preview{}, (&operation{Driver: d, name: marketplace.OpPlace, proposal: p.Proposal}).call(m).Unsent(err)
	}
	return m.Preview(), nil
}
