package freelancer

import (
	"errors"
	"testing"

	. "github.com/onsi/gomega"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/egress"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
)

// TestTheRealSiteNeedsAPerson, whatever admission let through.
func TestTheRealSiteNeedsAPerson(t *testing.T) {
	const (
		live, test = onebidv1.FreelancerProduction, onebidv1.FreelancerSandbox
		byHand     = onebidv1.ApprovalManual
		itself     = onebidv1.ApprovalAutomatic
		unique     = onebidv1.ClassUniquePerPosting
	)
	for name, c := range map[string]struct {
		environment onebidv1.FreelancerEnvironment
		base        string
		approval    onebidv1.ApprovalPolicy
		class       onebidv1.MarketplaceClass
		want        string // the address
		field       string // or the field that is wrong
	}{
		"the real site":               {live, "", byHand, unique, "https://www.freelancer.com", ""},
		"unattended":                  {live, "", itself, unique, "", "spec.approval"},
		"unattended, as nobody knows": {live, "", "", unique, "", "spec.approval"},
		"another address":             {live, "https://proxy.example", byHand, unique, "", "spec.freelancer.baseURL"},
		"the sandbox":                 {test, "", itself, unique, "https://www.freelancer-sandbox.com", ""},
		"nothing is the sandbox":      {"", "", "", unique, "https://www.freelancer-sandbox.com", ""},
		"a new word":                  {"Staging", "", byHand, unique, "", "spec.freelancer.environment"},
		"another class":               {test, "", itself, onebidv1.ClassNone, "", "spec.class"},
		"a simulator":                 {test, "https://sim.example/freelancer/", itself, unique, "https://sim.example/freelancer", ""},
		"in the clear":                {test, "http://sim.example", itself, unique, "", "spec.freelancer.baseURL"},
		"no host":                     {test, "https:///x", itself, unique, "", "spec.freelancer.baseURL"},
		"a query":                     {test, "https://sim.example/?a", itself, unique, "", "spec.freelancer.baseURL"},
		"inside":                      {test, "https://10.0.0.1", itself, unique, "", "spec.freelancer.baseURL"},
		"the real site by hand":       {test, "https://www.freelancer.com", byHand, unique, "", "spec.freelancer.baseURL"},
		"in capitals":                 {test, "https://WWW.Freelancer.COM.:443/", itself, unique, "", "spec.freelancer.baseURL"},
		"in a country":                {test, "https://freelancer.co.uk/api", itself, unique, "", "spec.freelancer.baseURL"},
		"the real sandbox by hand":    {test, "https://freelancer-sandbox.com", itself, unique, "https://freelancer-sandbox.com", ""},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			spec := &onebidv1.MarketplaceSpec{
				Class: c.class, Approval: c.approval, Freelancer: &onebidv1.FreelancerDriver{Environment: c.environment, BaseURL: c.base},
			}
			d, err := New(spec, map[string][]byte{"token": []byte("t")}, wire.Options{})
			if c.field == "" {
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(d.site).To(Equal(c.want))
				g.Expect(d.milestone).To(BeEquivalentTo(50))
				g.Expect(d.Close()).To(Succeed())
				return
			}
			var wrong *marketplace.FieldError
			g.Expect(errors.As(err, &wrong)).To(BeTrue(), "%v", err)
			g.Expect(wrong.Field).To(Equal(c.field))
			g.Expect(wrong.Reason).To(MatchRegexp("must"))
		})
	}
}

func TestWhatElseIsWrongWithASpec(t *testing.T) {
	good := map[string][]byte{"token": []byte("t\r\n")}
	for want, c := range map[string]struct {
		driver      *onebidv1.FreelancerDriver
		credentials map[string][]byte
	}{
		"":                                    {&onebidv1.FreelancerDriver{}, good},
		"spec.freelancer: must be given":      {nil, good},
		`must have the key "token"`:           {&onebidv1.FreelancerDriver{}, nil},
		`the Secret must have the key`:        {&onebidv1.FreelancerDriver{}, map[string][]byte{"token": []byte("\n")}},
		`on one line`:                         {&onebidv1.FreelancerDriver{}, map[string][]byte{"token": []byte("to\nken")}},
		"milestonePercentage: 101 must be 0 ": {&onebidv1.FreelancerDriver{MilestonePercentage: new(int32(101))}, good},
	} {
		g := NewWithT(t)
		spec := &onebidv1.MarketplaceSpec{Class: onebidv1.ClassUniquePerPosting, Freelancer: c.driver}
		d, err := Factory(wire.Options{Egress: egress.Policy{}})(t.Context(), spec, c.credentials)
		if want == "" {
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(d.Capabilities()).To(Equal(marketplace.Capabilities{CanList: true, CanWithdraw: true}))
			continue
		}
		g.Expect(err).To(MatchError(ContainSubstring(want)))
		g.Expect(d).To(BeNil())
		g.Expect(err.Error()).NotTo(ContainSubstring("to\nken"), "the secret")
	}
}
