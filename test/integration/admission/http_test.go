package admission

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/onebid-dev/onebid/api/v1alpha1"
)

// sampled is a Marketplace of config/samples.
func sampled(t *testing.T, namespace, file string) *v1alpha1.Marketplace {
	t.Helper()
	raw, err := os.ReadFile(file)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	m := &v1alpha1.Marketplace{}
	NewWithT(t).Expect(yaml.UnmarshalStrict(raw, m)).To(Succeed())
	m.Namespace = namespace
	return m
}

const samples = "../../../config/samples/marketplace-"

func TestEverySampleIsTaken(t *testing.T) {
	ns := env.Namespace(t)
	files, err := filepath.Glob(samples + "*.yaml")
	NewWithT(t).Expect(files, err).NotTo(BeEmpty())
	for _, file := range files {
		t.Run(strings.TrimPrefix(file, samples), func(t *testing.T) {
			m := sampled(t, ns, file)
			g := NewWithT(t)
			g.Expect(env.Client.Create(t.Context(), m)).To(Succeed())
			if m.Spec.HTTP != nil && m.Spec.HTTP.Auth != nil {
				auth := m.Spec.HTTP.Auth
				g.Expect(auth.OAuth2.Grant).To(Equal(v1alpha1.GrantClient), "by default")
				g.Expect(auth.OAuth2.ClientSecretKey).To(BeEquivalentTo("clientSecret"), "by default")
			}
		})
	}
}

// TestHTTPDriversThatCannotBeRightAreRefused where that is cheap to see. What is wrong with an expression shows on Ready.
func TestHTTPDriversThatCannotBeRightAreRefused(t *testing.T) {
	ns := env.Namespace(t)
	for _, c := range []struct {
		why    string
		change func(*v1alpha1.HTTPDriver)
		want   string
	}{
		{"a place that anybody may repeat", func(d *v1alpha1.HTTPDriver) { d.Place.Request.Method, d.Place.Request.Body = "GET", "" },
			`spec.http.place.request.method: Invalid value: must be POST, PUT, PATCH or DELETE: clients and proxies may repeat a GET`},
		{"so a withdrawal", func(d *v1alpha1.HTTPDriver) { d.Withdraw.Request.Method, d.Withdraw.Request.Body = "GET", "" },
			`spec.http.withdraw.request.method: Invalid value: must be POST, PUT, PATCH or DELETE`},
		{"a body that nobody reads", func(d *v1alpha1.HTTPDriver) { d.Get.Request.Method = "GET" },
			"must be left out: a GET has no body"},
		{"neither token nor signature", func(d *v1alpha1.HTTPDriver) { d.Auth = &v1alpha1.HTTPAuth{} },
			"exactly one of the fields in [oauth2 hmac] must be set"},
		{"both", func(d *v1alpha1.HTTPDriver) { d.Auth.HMAC = &v1alpha1.HTTPHMAC{Payload: "request.body"} },
			"exactly one of the fields in [oauth2 hmac] must be set"},
		{"scopes that are not sent", func(d *v1alpha1.HTTPDriver) {
			d.Auth.OAuth2.Grant, d.Auth.OAuth2.Scopes = v1alpha1.GrantRefreshToken, []v1alpha1.OAuth2Scope{"bids"}
		}, "must be left out with the grant RefreshToken: the scopes are those that were consented to"},
		{"a parameter that has a field of its own", func(d *v1alpha1.HTTPDriver) {
			d.Auth.OAuth2.Parameters = []v1alpha1.OAuth2Parameter{{Name: "scope", Value: "bids"}}
		}, "must not be grant_type, client_id, client_secret, scope or refresh_token, which have fields of their own"},
		{"parameters that are not sent", func(d *v1alpha1.HTTPDriver) {
			d.Auth.OAuth2.Grant, d.Auth.OAuth2.Scopes = v1alpha1.GrantRefreshToken, nil
			d.Auth.OAuth2.Parameters = []v1alpha1.OAuth2Parameter{{Name: "audience", Value: "a"}}
		}, "must be left out with the grant RefreshToken, which sends none"},
		{"a grant that there is not", func(d *v1alpha1.HTTPDriver) { d.Auth.OAuth2.Grant = "Password" },
			`spec.http.auth.oauth2.grant: Unsupported value: "Password"`},
		{"a token endpoint with a query", func(d *v1alpha1.HTTPDriver) { d.Auth.OAuth2.TokenURL += "?tenant=1" },
			"must be http:// or https://, a host and an optional path: no user, query or fragment"},
	} {
		t.Run(c.why, func(t *testing.T) {
			m := sampled(t, ns, samples+"graphql.yaml")
			c.change(m.Spec.HTTP)
			g := NewWithT(t)
			g.Expect(message(env.Client.Create(t.Context(), m, client.DryRunAll))).To(ContainSubstring(c.want))
		})
	}
}
