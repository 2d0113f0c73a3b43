// Package lifecycle_test takes Bids through every transition of their life: real manager processes, a real API server,
// and the simulator as the oracle that outlives them.
package lifecycle_test

import (
	"os"
	"testing"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/test/harness"
)

var world harness.World

func TestMain(m *testing.M) { os.Exit(harness.Main(m, &world)) }

// tenant is what a test has for itself.
type tenant struct{ *harness.Tenant }

// newTenant lets its test run beside others.
func newTenant(t *testing.T, class onebidv1.MarketplaceClass, edit ...func(*onebidv1.Marketplace)) *tenant {
	t.Helper()
	t.Parallel()
	return alone(t, class, edit...)
}

// alone is for a test that counts what the API server does, or that needs the whole machine: no other runs beside it.
func alone(t *testing.T, class onebidv1.MarketplaceClass, edit ...func(*onebidv1.Marketplace)) *tenant {
	t.Helper()
	return &tenant{world.Tenant(t, class, edit...)}
}
