package admission

import (
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/testenv/build"
)

// freelancer is the Marketplace of the native driver that nothing is wrong with, after the change.
func freelancer(namespace, name string, change func(*v1alpha1.MarketplaceSpec)) *v1alpha1.Marketplace {
	m := &v1alpha1.Marketplace{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.MarketplaceSpec{
			Class: v1alpha1.ClassUniquePerPosting, CredentialsSecretRef: &v1alpha1.SecretReference{Name: "account"},
			Freelancer: &v1alpha1.FreelancerDriver{},
		},
	}
	change(&m.Spec)
	return m
}

func TestWhatTheFreelancerDriverNeeds(t *testing.T) {
	const (
		byHand  = "must be Manual with freelancer.environment Production: the terms of Freelancer.com prohibit unattended bidding"
		notReal = "must not be Freelancer.com: for the real site leave it out and set environment to Production"
		noURL   = "must be http:// or https://, a host and an optional path: no user, query or fragment"
	)
	ns := env.Namespace(t)
	described := build.Marketplace(ns, "described", "https://marketplace.example")
	for name, c := range map[string]struct {
		change func(*v1alpha1.MarketplaceSpec)
		want   string // part of the refusal; "" when there is none
	}{
		"sandbox":   {func(*v1alpha1.MarketplaceSpec) {}, ""},
		"simulator": {func(s *v1alpha1.MarketplaceSpec) { s.Freelancer.BaseURL = "http://freelancer-sandbox.example:8090/x" }, ""},
		"approved": {func(s *v1alpha1.MarketplaceSpec) {
			s.Freelancer.Environment, s.Approval = v1alpha1.FreelancerProduction, v1alpha1.ApprovalManual
		}, ""},
		"unattended": {func(s *v1alpha1.MarketplaceSpec) {
			s.Freelancer.Environment, s.Approval = v1alpha1.FreelancerProduction, v1alpha1.ApprovalAutomatic
		}, byHand},
		"by-default": {func(s *v1alpha1.MarketplaceSpec) { s.Freelancer.Environment = v1alpha1.FreelancerProduction }, byHand},
		"elsewhere": {func(s *v1alpha1.MarketplaceSpec) {
			s.Freelancer.Environment, s.Approval = v1alpha1.FreelancerProduction, v1alpha1.ApprovalManual
			s.Freelancer.BaseURL = "https://proxy.example"
		}, "must be left out with environment Production, whose address is fixed"},
		"real":    {func(s *v1alpha1.MarketplaceSpec) { s.Freelancer.BaseURL = "https://WWW.Freelancer.com/api" }, notReal},
		"country": {func(s *v1alpha1.MarketplaceSpec) { s.Freelancer.BaseURL = "https://freelancer.co.uk" }, notReal},
		"no-url":  {func(s *v1alpha1.MarketplaceSpec) { s.Freelancer.BaseURL = "https://a@b/" }, noURL},
		"class": {
			func(s *v1alpha1.MarketplaceSpec) { s.Class = v1alpha1.ClassNone },
			"spec.class: Invalid value: must be UniquePerPosting with freelancer",
		},
		"no-token": {
			func(s *v1alpha1.MarketplaceSpec) { s.CredentialsSecretRef = nil },
			"spec.credentialsSecretRef: Invalid value: must be given with freelancer",
		},
		"both": {
			func(s *v1alpha1.MarketplaceSpec) { s.HTTP = described.Spec.HTTP },
			"exactly one of the fields in [http freelancer] must be set",
		},
		"neither": {
			func(s *v1alpha1.MarketplaceSpec) { s.Freelancer = nil },
			"exactly one of the fields in [http freelancer] must be set",
		},
		"too-much": {
			func(s *v1alpha1.MarketplaceSpec) { s.Freelancer.MilestonePercentage = new(int32(101)) },
			"should be less than or equal to 100",
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			err := env.Client.Create(t.Context(), freelancer(ns, name, c.change))
			if c.want == "" {
				g.Expect(err).NotTo(HaveOccurred())
				return
			}
			g.Expect(err).To(MatchError(ContainSubstring(c.want)))
		})
	}
}

func TestTheFreelancerEnvironmentNeverChanges(t *testing.T) {
	g := NewWithT(t)
	m := freelancer(env.Namespace(t), "m", func(*v1alpha1.MarketplaceSpec) {})
	g.Expect(env.Client.Create(t.Context(), m)).To(Succeed())
	g.Expect(m.Spec.Freelancer.Environment).To(Equal(v1alpha1.FreelancerSandbox))
	g.Expect(m.Spec.Freelancer.MilestonePercentage).To(HaveValue(BeEquivalentTo(50)))
	m.Spec.Freelancer.Environment, m.Spec.Approval = v1alpha1.FreelancerProduction, v1alpha1.ApprovalManual
	g.Expect(env.Client.Update(t.Context(), m)).To(MatchError(ContainSubstring(
		"spec.freelancer.environment: Invalid value: \"Production\": must not change: bids of one site would be looked for at the other")))
}
