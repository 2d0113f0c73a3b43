package harness

import (
	"crypto/tls"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Goroutines of the process, by its own metrics: over TLS, as a user with the right to read them.
func (m *Manager) Goroutines(x *Tenant) float64 {
	x.T.Helper()
	text := m.MetricsText(x)
	for line := range strings.SplitSeq(text, "\n") {
		if value, ok := strings.CutPrefix(line, "go_goroutines "); ok {
			n, err := strconv.ParseFloat(value, 64)
			x.G.Expect(err).NotTo(gomega.HaveOccurred())
			return n
		}
	}
	x.T.Fatal("no go_goroutines among the metrics")
	return 0
}

// MetricsText scrapes the process as Prometheus does: over TLS, with the token of a ServiceAccount that may.
func (m *Manager) MetricsText(x *Tenant) string {
	x.T.Helper()
	if x.token == "" {
		x.token = x.scraper()
	}
	req, err := http.NewRequestWithContext(x.T.Context(), http.MethodGet, "https://"+m.Metrics+"/metrics", http.NoBody)
	x.G.Expect(err).NotTo(gomega.HaveOccurred())
	req.Header.Set("Authorization", "Bearer "+x.token)
	insecure := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true, // the manager signs its own
	}}
	var status int
	var text []byte
	x.G.Eventually(func() error {
		resp, err := insecure.Do(req)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		status = resp.StatusCode
		text, err = io.ReadAll(resp.Body)
		return err
	}).Should(gomega.Succeed(), "the metrics endpoint makes its certificate when it starts")
	x.G.Expect(status).To(gomega.Equal(http.StatusOK))
	return string(text)
}

// scraper makes a ServiceAccount that may read metrics, and returns its token.
func (x *Tenant) scraper() string {
	x.T.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: x.System, Name: "prometheus"}}
	x.Create(account)
	x.Create(&rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "scraper-"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "onebid-metrics-reader"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: x.System, Name: "prometheus"}},
	})
	// The API server takes a moment to heed a binding, and the manager remembers a refusal for longer.
	x.G.Eventually(func() (bool, error) {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User:                  "system:serviceaccount:" + x.System + ":" + account.Name,
			NonResourceAttributes: &authorizationv1.NonResourceAttributes{Verb: "get", Path: "/metrics"},
		}}
		err := x.World.Env.Client.Create(x.T.Context(), review)
		return review.Status.Allowed, err
	}).Should(gomega.BeTrue(), "the account may read metrics")
	user, err := x.World.Env.Login(x.T.Context(), x.System, account.Name)
	x.G.Expect(err).NotTo(gomega.HaveOccurred())
	return user.Config.BearerToken
}
