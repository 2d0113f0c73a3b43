package httpdriver_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/conformance"
	httpdriver "github.com/onebid-dev/onebid/internal/marketplace/http"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
	"github.com/onebid-dev/onebid/internal/testenv/simulated"
)

// thePage is docs/add-a-marketplace.md and the Marketplace that it shows.
func thePage(t *testing.T) (string, *onebidv1.Marketplace) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "add-a-marketplace.md"))
	must(t, err)
	_, block, _ := strings.Cut(string(raw), "```yaml\n")
	block, _, _ = strings.Cut(block, "```")
	m := &onebidv1.Marketplace{}
	must(t, yaml.UnmarshalStrict([]byte(block), m))
	return string(raw), m
}

// TestConformanceOfThePage runs the whole suite on what a reader of the page ends up with.
func TestConformanceOfThePage(t *testing.T) {
	_, m := thePage(t)
	sim := simulated.Start(t)
	settings, err := sim.Markets(t.Context())
	must(t, err)
	mine := settings[m.Name]
	mine.PageSize = 4
	_, err = sim.PutMarket(t.Context(), m.Name, mine)
	must(t, err)
	conformance.Run(t, conformance.Harness{
		Open: func(t *testing.T, account string) marketplace.Driver {
			t.Helper()
			return open(t, m.Spec.HTTP, sim.Address+"/"+m.Name, account)
		},
		Market: &simulated.Market{Sim: sim, Name: m.Name}, Class: m.Spec.Class, Currency: "EUR", PageSize: 4,
	})
}

// TestThePageShowsWhatAPersonSees makes the mistakes that the page makes.
func TestThePageShowsWhatAPersonSees(t *testing.T) {
	page, m := thePage(t)
	g := NewWithT(t)
	g.Expect(m.Spec.HTTP.BaseURL).To(Equal("http://127.0.0.1:8090/" + m.Name))
	_, err := httpdriver.New(t.Context(), m.Spec.HTTP, map[string][]byte{"clientID": []byte("demo")}, wire.Options{Egress: inside(t)})
	g.Expect(page).To(ContainSubstring("Message:  " + err.Error() + "\n```"))

	m.Spec.HTTP.Lookup.Items = "resp.body.offers"
	_, err = httpdriver.New(t.Context(), m.Spec.HTTP, accountOf("demo"), wire.Options{Egress: inside(t)})
	g.Expect(page).To(ContainSubstring("Message:  " + err.Error() + "\n```"))
}
