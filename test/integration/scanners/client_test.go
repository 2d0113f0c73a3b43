package scanners_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	apply "github.com/onebid-dev/onebid/pkg/client/applyconfiguration/api/v1alpha1"
	"github.com/onebid-dev/onebid/pkg/client/clientset/versioned"
	"github.com/onebid-dev/onebid/pkg/client/informers/externalversions"
)

// The generated client does with the rights of a scanner what a scanner needs: apply a Posting, create a Bid once, and
// follow both in a cache.
func TestTheGeneratedClient(t *testing.T) {
	g := NewWithT(t)
	ns := world.Env.Namespace(t)
	clients, err := versioned.NewForConfig(world.Env.AsUser(t, ns, "scanner", "onebid-scanner").Config)
	g.Expect(err).NotTo(HaveOccurred())
	client := clients.OnebidV1alpha1()

	informers := externalversions.NewSharedInformerFactoryWithOptions(clients, 0, externalversions.WithNamespace(ns))
	bids, postings := informers.Onebid().V1alpha1().Bids(), informers.Onebid().V1alpha1().Postings()
	bids.Informer()
	postings.Informer()
	informers.Start(t.Context().Done())
	informers.WaitForCacheSync(t.Context().Done())

	wanted := apply.Posting("rest.39211345", ns).WithSpec(
		apply.PostingSpec().WithMarketplace("rest").WithPostingID("39211345").WithTitle("A REST service"))
	var versions []string
	for range 3 {
		applied, err := client.Postings(ns).Apply(t.Context(), wanted, metav1.ApplyOptions{FieldManager: "my-scanner"})
		g.Expect(err).NotTo(HaveOccurred())
		versions = append(versions, applied.ResourceVersion)
	}
	// The first write after the creation stores the default of the status as well.
	g.Expect(versions[2]).To(Equal(versions[1]), "the same once more writes nothing")

	bid := &onebidv1.Bid{
		ObjectMeta: metav1.ObjectMeta{Name: "rest.39211345"},
		Spec:       onebidv1.BidSpec{Marketplace: "rest", PostingID: "39211345", Price: onebidv1.Money{Amount: "250", Currency: "USD"}},
	}
	_, err = client.Bids(ns).Create(t.Context(), bid, metav1.CreateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	_, err = client.Bids(ns).Create(t.Context(), bid, metav1.CreateOptions{})
	g.Expect(apierrors.IsAlreadyExists(err)).To(BeTrue(), "%v", err)
	g.Expect(apierrors.IsForbidden(client.Bids(ns).Delete(t.Context(), bid.Name, metav1.DeleteOptions{}))).To(BeTrue())

	g.Eventually(func() ([]*onebidv1.Bid, error) {
		return bids.Lister().Bids(ns).List(labels.Everything())
	}).WithTimeout(20 * time.Second).Should(HaveLen(1))
	g.Eventually(func() (*onebidv1.Posting, error) {
		return postings.Lister().Postings(ns).Get("rest.39211345")
	}).WithTimeout(20 * time.Second).Should(HaveField("Spec.Title", "A REST service"))
}
