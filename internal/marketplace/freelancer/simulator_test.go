package freelancer_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"go.uber.org/goleak"
	"sigs.k8s.io/yaml"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/conformance"
	"github.com/onebid-dev/onebid/internal/marketplace/egress"
	"github.com/onebid-dev/onebid/internal/marketplace/freelancer"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
	"github.com/onebid-dev/onebid/internal/marketsim"
	"github.com/onebid-dev/onebid/internal/testenv/simulated"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestConformance runs the suite on the Marketplace of config/samples, against each reading of what the sources disagree on
// that one driver can meet without having to learn first.
func TestConformance(t *testing.T) {
	const pageSize = 4
	for name, settings := range map[string]marketsim.Freelancer{
		"as the SDKs have it": {},
		"as others have it":   {NestedErrors: true, HideRetracted: true, Retract: marketsim.RetractForm},
	} {
		t.Run(name, func(t *testing.T) {
			sim := simulated.Start(t)
			market := put(t, sim, settings, pageSize)
			conformance.Run(t, conformance.Harness{
				Open: func(t *testing.T, account string) marketplace.Driver {
					t.Helper()
					return open(t, sample(t), sim.MarketURL(market), account)
				},
				Market:    &simulated.Market{Sim: sim, Name: market},
				Class:     onebidv1.ClassUniquePerPosting,
				Currency:  "USD",
				PageSize:  pageSize,
				Posting:   marketsim.FreelancerID, // a number made of a name
				Takes:     regexp.MustCompile(`^[1-9][0-9]{0,18}$`).MatchString,
				AccountID: marketsim.FreelancerID,
			})
		})
	}
}

// put makes a market of the settings.
func put(t *testing.T, sim *simulated.Simulator, settings marketsim.Freelancer, pageSize int) string {
	t.Helper()
	const name = "freelancer"
	_, err := sim.PutMarket(t.Context(), name, marketsim.Settings{
		Shape: marketsim.ShapeFreelancer, Class: marketsim.ClassUniquePerPosting, PageSize: pageSize, Freelancer: &settings,
	})
	must(t, err)
	return name
}

// sample is the Marketplace of config/samples.
func sample(tb testing.TB) *onebidv1.MarketplaceSpec {
	tb.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "..", "config", "samples", "marketplace-freelancer.yaml"))
	must(tb, err)
	var m onebidv1.Marketplace
	must(tb, yaml.UnmarshalStrict(raw, &m))
	if want := "http://127.0.0.1:8090/" + m.Name; m.Spec.Freelancer.BaseURL != want {
		tb.Errorf("the sample must be at %s, where the simulator is; it is at %s", want, m.Spec.Freelancer.BaseURL)
	}
	return &m.Spec
}

// open returns a driver whose token names the account.
func open(tb testing.TB, spec *onebidv1.MarketplaceSpec, address, account string) *freelancer.Driver {
	tb.Helper()
	return openWith(tb, spec, address, account, wire.Options{Timeout: 5 * time.Second})
}

func openWith(tb testing.TB, spec *onebidv1.MarketplaceSpec, address, account string, o wire.Options) *freelancer.Driver {
	tb.Helper()
	inside, err := egress.ParsePolicy([]string{"127.0.0.0/8"})
	must(tb, err)
	o.Egress = inside
	spec.Freelancer.BaseURL = address
	d, err := freelancer.New(spec, map[string][]byte{"token": []byte(account + "\n")}, o)
	must(tb, err)
	tb.Cleanup(func() { must(tb, d.Close()) })
	return d
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
