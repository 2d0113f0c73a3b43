package scenarios_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketsim"
	"github.com/onebid-dev/onebid/internal/testenv"
	"github.com/onebid-dev/onebid/internal/testenv/build"
	"github.com/onebid-dev/onebid/test/harness"
)

// 17: a namespace is deleted with live bids in it; its Leases go first, and every manager dies before the bids are withdrawn.
// Whoever comes next finds the credentials and withdraws them all.
func TestRow17ANamespaceGoesWithAllItsBids(t *testing.T) {
	for _, class := range classes {
		t.Run(string(class), func(t *testing.T) {
			x := newTenant(t, class)
			first := x.Manager()
			postings := numbered("p", 5)
			for _, posting := range postings {
				x.State(x.Bid(posting), onebidv1.StateActive)
			}
			x.Fault(marketsim.Fault{Verb: "withdraw", Status: 503})
			namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: x.NS}}
			x.G.Expect(world.Env.Client.Delete(t.Context(), namespace)).To(Succeed())
			x.G.Eventually(x.PostingLeases).Should(BeEmpty())
			first.Kill()
			x.G.Expect(totals(x).Live).To(Equal(len(postings)))
			x.NoFaults()
			x.Manager()
			x.G.Eventually(func() bool {
				return apierrors.IsNotFound(world.Env.Client.Get(t.Context(), client.ObjectKeyFromObject(namespace), namespace))
			}).WithTimeout(2 * harness.Patience).Should(BeTrue())
			x.G.Expect(totals(x).Live).To(BeZero())
			x.G.Expect(totals(x).PlaceCalls).To(Equal(len(postings)))
		})
	}
}

var kinds = []string{"bids.onebid.dev", "marketplaces.onebid.dev", "postings.onebid.dev"}

// 18: the manager and the CRDs are removed before the Bids. The way that onebid offers refuses; after the other way a manager
// that is installed again withdraws everything, and the CRDs can come back beside it.
func TestRow18TheCRDsGoBeforeTheBids(t *testing.T) {
	t.Parallel()
	own := ownControlPlane(t)
	x := own.Tenant(t, onebidv1.ClassIdempotencyKey)
	m := x.Manager()
	postings := numbered("p", 3)
	for _, posting := range postings {
		x.State(x.Bid(posting), onebidv1.StateActive)
	}
	m.Kill()

	uninstall := exec.CommandContext(t.Context(), filepath.Join(own.Env.Root, "hack", "remove.sh"), own.Env.KubectlPath(), "config/crd")
	uninstall.Dir, uninstall.Env = own.Env.Root, append(os.Environ(), "KUBECONFIG="+own.Env.Admin().Kubeconfig)
	said, err := uninstall.CombinedOutput()
	var refused *exec.ExitError
	x.G.Expect(errors.As(err, &refused)).To(BeTrue(), "%s", said)
	x.G.Expect(string(said)).To(ContainSubstring("3 Bids still exist"))

	for _, kind := range kinds {
		crd := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: kind}}
		x.G.Expect(own.Env.Client.Delete(t.Context(), crd)).To(Succeed())
	}
	for _, posting := range postings {
		x.Eventually(build.Bid(x.NS, "rest", posting), "a Bid that is to go", func(b *onebidv1.Bid) bool { return !b.DeletionTimestamp.IsZero() })
	}
	x.G.Expect(totals(x).Live).To(Equal(len(postings)))
	install(x)
	x.Manager()
	x.G.Eventually(func() int { return totals(x).Live }).Should(BeZero())
	x.G.Eventually(func() bool { return going(x) }).Should(BeFalse(), "nothing keeps the CRDs")

	install(x)
	again := x.Sample(onebidv1.ClassIdempotencyKey)
	x.G.Eventually(func() error { return own.Env.Client.Create(t.Context(), again.DeepCopy()) }).Should(Succeed())
	bid := build.Bid(x.NS, "rest", postings[0])
	x.G.Eventually(func() error { return own.Env.Client.Create(t.Context(), bid.DeepCopy()) }).Should(Succeed())
	x.G.Eventually(func() int { return x.Row(postings[0]).Live }).WithTimeout(2 * harness.Patience).Should(Equal(1))
	x.State(bid, onebidv1.StateActive)
	x.Settled()
}

// ownControlPlane is a world whose API server nobody else needs.
func ownControlPlane(t *testing.T) *harness.World {
	t.Helper()
	env, err := testenv.Start(t.Context(), testenv.Options{ControllerManager: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Error(err)
		}
	})
	return &harness.World{Env: env, Sim: world.Sim, Binary: world.Binary, Raced: world.Raced}
}

// install applies our CRDs, and waits until they are served. One that is on its way out stays so.
func install(x *harness.Tenant) {
	x.T.Helper()
	objects, err := testenv.ReadManifests(filepath.Join(x.World.Env.Root, "config", "crd", "bases"))
	x.G.Expect(err).NotTo(HaveOccurred())
	x.G.Expect(x.World.Env.Apply(x.T.Context(), objects...)).To(Succeed())
	for _, list := range []client.ObjectList{&onebidv1.BidList{}, &onebidv1.MarketplaceList{}, &onebidv1.PostingList{}} {
		x.G.Eventually(func() error { return x.World.Env.Client.List(x.T.Context(), list) }).Should(Succeed())
	}
}

// going is true while one of our CRDs is being deleted.
func going(x *harness.Tenant) bool {
	x.T.Helper()
	for _, kind := range kinds {
		crd := &apiextensionsv1.CustomResourceDefinition{}
		err := x.World.Env.Client.Get(x.T.Context(), client.ObjectKey{Name: kind}, crd)
		x.G.Expect(client.IgnoreNotFound(err)).To(Succeed())
		if !crd.DeletionTimestamp.IsZero() {
			return true
		}
	}
	return false
}
