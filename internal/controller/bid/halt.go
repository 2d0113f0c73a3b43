package bid

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
)

// halted is true when placing was stopped after this Bid was let through, while it waited for its turn or was claimed. It is
// the last look before the call, at the cache: that is as late as the watch, and costs no request for each bid. A call
// that belongs to a withdrawal goes on.
func (r *Reconciler) halted(ctx context.Context, o *owned) (bool, error) {
	if bidding.Withdrawing(o.live) {
		return false, nil
	}
	mkt := &onebidv1.Marketplace{}
	err := r.Client.Get(ctx, marketplaceOf(o.bid), mkt)
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	return err == nil && mkt.Spec.Mode != onebidv1.ModeLive, err
}
