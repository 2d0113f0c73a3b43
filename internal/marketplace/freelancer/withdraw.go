package freelancer

import (
	"context"
	"net/http"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
)

// encoding of a retraction. The site's SDKs disagree on it; a form is what the newest of its own sends.
type encoding int

const (
	asForm encoding = iota
	asJSON
)

func (e encoding) other() encoding { return 1 - e }

func (e encoding) body() (contentType string, body []byte) {
	if e == asJSON {
		return wire.TypeJSON, []byte(`{"action":"retract"}`)
	}
	return wire.TypeForm, []byte("action=retract")
}

// Withdraw implements marketplace.Driver. The site has no field for a reason.
func (d *Driver) Withdraw(ctx context.Context, pace marketplace.Pacer, ref marketplace.Ref, _ string) error {
	o := d.operation(marketplace.OpWithdraw, pace)
	if err := o.needsBid(ref); err != nil {
		return err
	}
	d.mu.Lock()
	form := d.form
	d.mu.Unlock()
	unread, err := o.retract(ctx, ref, form)
	if unread {
		form = form.other()
		_, err = o.retract(ctx, ref, form)
	}
	if err != nil {
		return o.explain(ctx, ref, err)
	}
	d.mu.Lock()
	d.form = form
	d.mu.Unlock()
	return nil
}

// retract sends one request. Unread means that the site refused its encoding: that had no effect.
func (o *operation) retract(ctx context.Context, ref marketplace.Ref, form encoding) (unread bool, err error) {
	contentType, body := form.body()
	c, r, err := o.write(ctx, http.MethodPut, pathBids+ref.BidID+"/", contentType, body)
	return err != nil && r != nil && badForm(c, r), err
}

// explain finds out why a retraction was refused. Which codes the site has for a bid that is retracted already, or that
// was awarded meanwhile, is not known; the state of the bid shows it. Otherwise the refusal stays as it was.
func (o *operation) explain(ctx context.Context, ref marketplace.Ref, refusal error) error {
	switch marketplace.ClassOf(refusal) {
	case onebidv1.ErrorInvalid, onebidv1.ErrorForbidden, onebidv1.ErrorNotFound, onebidv1.ErrorNotWithdrawable,
		onebidv1.ErrorPostingClosed:
	default:
		return refusal
	}
	bid, err := o.get(ctx, ref)
	if err != nil {
		return refusal
	}
	var class onebidv1.ErrorClass
	switch bid.State {
	case onebidv1.RemoteLive, onebidv1.RemoteUnknown:
		return refusal
	case onebidv1.RemoteAwardPending, onebidv1.RemoteWon:
		class = onebidv1.ErrorNotWithdrawable
	default: // it ended: there is nothing to take back
		class = onebidv1.ErrorAlreadyWithdrawn
	}
	return o.call(wire.Reading, nil).Fail(class, "the bid is "+bid.Word, refusal)
}
