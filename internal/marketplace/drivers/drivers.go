// Package drivers picks the driver that a Marketplace asks for.
package drivers

import (
	"context"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/freelancer"
	httpdriver "github.com/onebid-dev/onebid/internal/marketplace/http"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
)

// Factory builds the driver whose part of the spec is given.
func Factory(o wire.Options) marketplace.Factory {
	described, native := httpdriver.Factory(o), freelancer.Factory(o)
	return func(
		ctx context.Context, spec *onebidv1.MarketplaceSpec, credentials map[string][]byte,
	) (marketplace.Driver, error) {
		switch {
		case spec.HTTP != nil && spec.Freelancer != nil:
			return nil, &marketplace.FieldError{Field: "spec", Reason: "must have one of http and freelancer, not both"}
		case spec.HTTP != nil:
			return described(ctx, spec, credentials)
		case spec.Freelancer != nil:
			return native(ctx, spec, credentials)
		}
		return nil, &marketplace.FieldError{Field: "spec", Reason: "must have one of http and freelancer"}
	}
}
