package admission

import (
	"encoding/hex"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/onebid-dev/onebid/api/v1alpha1"
)

const (
	// batch of dry runs for one property check; rapid does 100 checks, so some thousands of names are judged.
	batch    = 40
	parallel = 4
)

// candidate is a Bid that somebody may try to create.
type candidate struct {
	name string
	key  v1alpha1.Key
}

// The API server knows the rule of names in CEL, and Go knows it in key.go: they must never disagree. IDs that are not
// UTF-8 are left out, since JSON cannot carry them.
func TestTheAPIServerAndGoAgreeOnNames(t *testing.T) {
	ns := env.Namespace(t)
	var admitted, refused atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		candidates := rapid.SliceOfN(rapid.Custom(drawCandidate), batch, batch).Draw(rt, "candidates")
		var group errgroup.Group
		group.SetLimit(parallel)
		for _, c := range candidates {
			group.Go(func() error {
				right, keyErr := c.key.Name()
				want := keyErr == nil && c.name == right
				err := env.Client.Create(t.Context(), c.bid(ns), client.DryRunAll)
				if (err == nil) != want {
					rt.Errorf("name %q of %+v: Go says %v (the name is %q, %v), the API server says %v", c.name, c.key, want, right, keyErr, err)
				}
				parsed, parseErr := v1alpha1.ParseName(c.name)
				if (parseErr == nil && parsed == c.key) != want {
					rt.Errorf("name %q of %+v: ParseName says %+v, %v", c.name, c.key, parsed, parseErr)
				}
				if keyErr == nil && !want && !strings.Contains(message(err), right) && validObjectName(c.name) {
					rt.Errorf("name %q of %+v: the API server does not say the right one: %v", c.name, c.key, err)
				}
				if want {
					admitted.Add(1)
				} else {
					refused.Add(1)
				}
				return nil
			})
		}
		_ = group.Wait() // no function returns an error
	})
	t.Logf("%d names admitted, %d refused", admitted.Load(), refused.Load())
	if admitted.Load() < 1000 || refused.Load() < 1000 {
		t.Error("too few of either to prove anything")
	}
}

func (c candidate) bid(namespace string) *v1alpha1.Bid {
	return &v1alpha1.Bid{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: c.name},
		Spec: v1alpha1.BidSpec{
			Marketplace: c.key.Marketplace, PostingID: c.key.PostingID, Price: v1alpha1.Money{Amount: "1", Currency: "USD"},
		},
	}
}

// validObjectName says whether the API server gets as far as our rules.
func validObjectName(name string) bool { return len(validation.IsDNS1123Subdomain(name)) == 0 }

func hexOf(text string) string { return hex.EncodeToString([]byte(text)) }

func drawCandidate(t *rapid.T) candidate {
	key := v1alpha1.Key{
		Marketplace: rapid.OneOf(
			rapid.StringMatching(`[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?`),
			rapid.SampledFrom([]string{"m", "x", "a-b", "-a", "a-", "A", "a.b", "", strings.Repeat("m", 41), "ä"}),
		).Draw(t, "marketplace"),
		PostingID: rapid.OneOf(
			rapid.StringMatching(`[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?`),
			rapid.StringMatching(`x\.([0-9a-f]{2}){1,8}`),
			rapid.StringMatching(`[-.~A-Za-z0-9 "'\\/{}%$]{1,24}`),
			rapid.StringMatching(`[標的公告🎉👩‍💻éßΩ\x{300}\x{200d}\x{feff}\x{2028}]{1,36}`),
			rapid.StringN(1, 60, 110),
			rapid.StringMatching(`[a-z]{0,3}[\x00-\x1f\x7f-\x{a0}][a-z]{0,3}`),
			rapid.SampledFrom([]string{
				"", strings.Repeat("9", 100), strings.Repeat("9", 101), strings.Repeat("標", 33), strings.Repeat("標", 34),
				strings.Repeat("🎉", 25), strings.Repeat("🎉", 25) + "a", "-", ".", "a.", "null", "true", "1e3", "%s", "\u0085", "\ufffd",
			}),
		).Draw(t, "postingID"),
	}
	name, err := key.Name()
	if err != nil {
		name = key.Marketplace + ".1"
	}
	mistakes := []func() string{
		func() string { return key.Marketplace + "." + key.PostingID },
		func() string { return key.Marketplace + ".x." + hexOf(key.PostingID) },
		func() string { return key.Marketplace + ".x." + strings.ToUpper(hexOf(key.PostingID)) },
		func() string { return name + "0" },
		func() string { return strings.TrimSuffix(name, name[len(name)-1:]) },
		func() string { return "x" + name },
		func() string { return "some-bid" },
	}
	if wrong := rapid.IntRange(0, 2*len(mistakes)).Draw(t, "mistake"); wrong < len(mistakes) {
		name = mistakes[wrong]()
	}
	if name == "" {
		name = "empty" // would be another error: the name is required
	}
	return candidate{name: name, key: key}
}
