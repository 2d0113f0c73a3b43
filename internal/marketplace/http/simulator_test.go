package httpdriver_test

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/conformance"
	"github.com/onebid-dev/onebid/internal/marketplace/egress"
	httpdriver "github.com/onebid-dev/onebid/internal/marketplace/http"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
	"github.com/onebid-dev/onebid/internal/testenv/simulated"
)

// TestConformance runs the suite on the Marketplaces of config/samples, as they are but for their address.
func TestConformance(t *testing.T) {
	sim := simulated.Start(t)
	for _, market := range []string{"rest", "unique", "none", "freelancehunt", "taskfast", "botguild", "loadboard", "graphql"} {
		t.Run(market, func(t *testing.T) {
			const pageSize = 4
			settings, err := sim.Markets(t.Context())
			must(t, err)
			mine := settings[market]
			mine.PageSize = pageSize
			_, err = sim.PutMarket(t.Context(), market, mine)
			must(t, err)
			spec := sample(t, market)
			conformance.Run(t, conformance.Harness{
				Open: func(t *testing.T, account string) marketplace.Driver {
					t.Helper()
					return open(t, spec.HTTP, sim.Address+"/"+market, account)
				},
				Market:   &simulated.Market{Sim: sim, Name: market, Unfiltered: market == "taskfast", ByPosting: mine.Put},
				Class:    spec.Class,
				Currency: "USD",
				PageSize: pageSize,
			})
		})
	}
}

// sample reads a Marketplace of config/samples, strictly.
func sample(t *testing.T, market string) *onebidv1.MarketplaceSpec {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "..", "config", "samples", "marketplace-"+market+".yaml"))
	must(t, err)
	var m onebidv1.Marketplace
	must(t, yaml.UnmarshalStrict(raw, &m))
	if u, err := url.Parse(m.Spec.HTTP.BaseURL); err != nil || u.Host != "127.0.0.1:8090" || u.Path != "/"+m.Name {
		t.Errorf("the sample %s must be at http://127.0.0.1:8090/%[1]s, where the simulator is; it is at %s", market, u)
	}
	return &m.Spec
}

// open returns a driver whose token names the account.
func open(t *testing.T, spec *onebidv1.HTTPDriver, address, account string) *httpdriver.Driver {
	t.Helper()
	spec = spec.DeepCopy()
	if spec.Auth != nil && spec.Auth.OAuth2 != nil {
		spec.Auth.OAuth2.TokenURL = address + strings.TrimPrefix(spec.Auth.OAuth2.TokenURL, spec.BaseURL)
	}
	spec.BaseURL = address
	d, err := httpdriver.New(t.Context(), spec, accountOf(account), wire.Options{Egress: inside(t), Timeout: 5 * time.Second})
	must(t, err)
	t.Cleanup(func() { must(t, d.Close()) })
	return d
}

// accountOf has what the simulator knows an account by.
func accountOf(account string) map[string][]byte {
	return map[string][]byte{
		"token": []byte(account + "\n"), "clientID": []byte(account), "clientSecret": []byte("secret-" + account),
		"refreshToken": []byte("refresh-" + account), "signingKey": []byte("secret-" + account),
	}
}

func inside(t *testing.T) egress.Policy {
	t.Helper()
	p, err := egress.ParsePolicy([]string{"127.0.0.0/8"})
	must(t, err)
	return p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
