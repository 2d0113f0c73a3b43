package drivers_test

import (
	"testing"

	. "github.com/onsi/gomega"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

func TestOneDriverIsAskedFor(t *testing.T) {
	g := NewWithT(t)
	g.Expect(build(t, &onebidv1.MarketplaceSpec{})).To(MatchError("spec: must have one of http and freelancer"))
	both := &onebidv1.MarketplaceSpec{HTTP: &onebidv1.HTTPDriver{}, Freelancer: &onebidv1.FreelancerDriver{}}
	g.Expect(build(t, both)).To(MatchError("spec: must have one of http and freelancer, not both"))
	native := &onebidv1.MarketplaceSpec{Freelancer: &onebidv1.FreelancerDriver{Environment: onebidv1.FreelancerProduction}}
	g.Expect(build(t, native)).To(MatchError(HavePrefix("spec.class: ")), "it is the driver of the site that says so")
	described := &onebidv1.MarketplaceSpec{HTTP: &onebidv1.HTTPDriver{}}
	g.Expect(build(t, described)).To(MatchError(ContainSubstring("spec.http.baseURL: ")))
}
