package drivers_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace/drivers"
	"github.com/onebid-dev/onebid/internal/marketplace/egress"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
)

// TestSamples holds config/samples to what they teach.
func TestSamples(t *testing.T) {
	folder := filepath.Join("..", "..", "..", "config", "samples")
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	must(t, err)
	var kustomization struct {
		metav1.TypeMeta `json:",inline"`

		Resources []string `json:"resources"`
	}
	read(t, filepath.Join(folder, "kustomization.yaml"), &kustomization)
	var secret corev1.Secret
	read(t, filepath.Join(folder, "credentials.yaml"), &secret)
	NewWithT(t).Expect(secret.StringData).To(HaveKeyWithValue("token", ContainSubstring("not-a-real")))
	marketplaces := map[string]bool{}

	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			if name != "kustomization.yaml" {
				g.Expect(kustomization.Resources).To(ContainElement(name))
			}
			switch kind, _, _ := strings.Cut(strings.TrimSuffix(name, ".yaml"), "-"); kind {
			case "marketplace":
				var m onebidv1.Marketplace
				read(t, file, &m)
				g.Expect(name).To(Equal("marketplace-" + m.Name + ".yaml"))
				g.Expect(m.Spec.CredentialsSecretRef.Name).To(Equal(secret.Name))
				g.Expect(build(t, &m.Spec)).To(Succeed())
				marketplaces[m.Name] = true
			case "bid":
				var b onebidv1.Bid
				read(t, file, &b)
				checkName(t, b.Name, b.Spec.Marketplace, b.Spec.PostingID)
			case "posting":
				var p onebidv1.Posting
				read(t, file, &p)
				checkName(t, p.Name, p.Spec.Marketplace, p.Spec.PostingID)
			}
		})
	}
	NewWithT(t).Expect(marketplaces).To(HaveLen(9))
}

// TestTheGuideIsTrue compiles every expression and every Marketplace that docs/marketplaces.md shows.
func TestTheGuideIsTrue(t *testing.T) {
	g := NewWithT(t)
	raw, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "marketplaces.md"))
	g.Expect(err).NotTo(HaveOccurred())
	found := 0
	var first *onebidv1.Marketplace
	for _, block := range strings.Split(string(raw), "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		if strings.HasPrefix(block, "auth:") {
			found++
			checkAuth(t, first.Spec, block)
		}
		if !strings.Contains(block, "kind: Marketplace") {
			continue
		}
		found++
		var m onebidv1.Marketplace
		g.Expect(yaml.UnmarshalStrict([]byte(block), &m)).To(Succeed(), block)
		g.Expect(build(t, &m.Spec)).To(Succeed(), block)
		if first == nil {
			first = &m
		}
	}
	g.Expect(found).To(BeNumerically(">=", 3))
}

// checkAuth compiles the first Marketplace of the page with the auth and headers of another part of it.
func checkAuth(t *testing.T, spec onebidv1.MarketplaceSpec, block string) {
	t.Helper()
	g := NewWithT(t)
	http := spec.HTTP.DeepCopy()
	http.Headers, spec.HTTP = nil, http
	g.Expect(yaml.UnmarshalStrict([]byte(block), http)).To(Succeed(), block)
	g.Expect(build(t, &spec)).To(Succeed(), block)
}

// build builds the driver as the manager does, with a credential.
func build(t *testing.T, spec *onebidv1.MarketplaceSpec) error {
	t.Helper()
	inside, err := egress.ParsePolicy([]string{"127.0.0.0/8"})
	must(t, err)
	credentials := map[string][]byte{}
	for _, key := range []string{"token", "clientID", "clientSecret", "signingKey", "keyID"} {
		credentials[key] = []byte("x")
	}
	_, err = drivers.Factory(wire.Options{Egress: inside})(t.Context(), spec, credentials)
	return err
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string, into any) {
	t.Helper()
	raw, err := os.ReadFile(file)
	must(t, err)
	if err := yaml.UnmarshalStrict(raw, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

func checkName(t *testing.T, name, marketplace, postingID string) {
	t.Helper()
	want, err := onebidv1.Key{Marketplace: marketplace, PostingID: postingID}.Name()
	must(t, err)
	if name != want {
		t.Errorf("the name is %q and must be %q", name, want)
	}
}
