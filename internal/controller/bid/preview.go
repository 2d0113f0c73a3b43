package bid

import (
	"context"
	"maps"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

// preview shows the request that would place the bid.
func (r *Reconciler) preview(ctx context.Context, s *situation) (reconcile.Result, error) {
	var shown *onebidv1.BidPreview
	problem := ""
	if preview, err := s.conn.Preview(ctx, placeRequest(s.bid)); err != nil {
		problem = err.Error()
	} else {
		shown = previewOf(preview)
	}
	return r.report(ctx, s, bidding.DryRun(s.bid.Spec.Marketplace, shown, problem))
}

func previewOf(preview marketplace.Preview) *onebidv1.BidPreview {
	out := &onebidv1.BidPreview{Method: preview.Method, URL: preview.URL, Body: preview.Body}
	for _, name := range slices.Sorted(maps.Keys(preview.Headers)) {
		value := preview.Headers[name]
		out.Headers = append(out.Headers, onebidv1.PreviewHeader{Name: name, Value: &value})
	}
	return out
}
