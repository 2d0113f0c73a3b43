package scenarios_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketsim"
	"github.com/onebid-dev/onebid/test/harness"
)

var world harness.World

func TestMain(m *testing.M) { os.Exit(harness.Main(m, &world)) }

// newTenant lets its test run beside others.
func newTenant(t *testing.T, class onebidv1.MarketplaceClass, edit ...func(*onebidv1.Marketplace)) *harness.Tenant {
	t.Helper()
	t.Parallel()
	return world.Tenant(t, class, edit...)
}

var classes = []onebidv1.MarketplaceClass{onebidv1.ClassIdempotencyKey, onebidv1.ClassUniquePerPosting, onebidv1.ClassNone}

// inEachClass does the same at a marketplace of each class, beside each other, and then holds the ledger against the
// promises.
func inEachClass(
	t *testing.T, do func(x *harness.Tenant, class onebidv1.MarketplaceClass), edit ...func(*onebidv1.Marketplace),
) {
	t.Helper()
	for _, class := range classes {
		t.Run(string(class), func(t *testing.T) {
			x := newTenant(t, class, edit...)
			do(x, class)
			x.Settled()
		})
	}
}

// timeout is for a marketplace that may take its time.
func timeout(seconds int32) func(*onebidv1.Marketplace) {
	return func(m *onebidv1.Marketplace) { m.Spec.TimeoutSeconds = seconds }
}

// request selects requests to the API server by method and by what their path ends in.
func request(method, end string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Method == method && strings.HasSuffix(r.URL.Path, end) }
}

// leaseWrites selects those that create a posting's Lease of the tenant.
func leaseWrites(x *harness.Tenant) func(*http.Request) bool {
	return request(http.MethodPost, "/namespaces/"+x.NS+"/leases")
}

// totals of the tenant's market.
func totals(x *harness.Tenant) marketsim.Totals {
	x.T.Helper()
	summary, err := world.Sim.Summary(x.T.Context(), x.Market)
	if err != nil {
		x.T.Fatal(err)
	}
	return summary.Totals
}

// numbered makes names that differ.
func numbered(prefix string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%s-%d", prefix, i)
	}
	return out
}
