package stack

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/onebid-dev/onebid/api/v1alpha1"
)

func createBid(ctx context.Context, kubeconfig, namespace, postingID string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	var client rest.Interface
	if client, err = BidClient(config); err != nil {
		return err
	}
	bid := &v1alpha1.Bid{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "rest." + postingID},
		Spec: v1alpha1.BidSpec{
			Marketplace: "rest", PostingID: postingID, Price: v1alpha1.Money{Amount: "1", Currency: "USD"},
		},
	}
	return client.Post().Namespace(namespace).Resource("bids").Body(bid).Do(ctx).Error()
}

func TestControlPlane(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a control plane (-short)")
	}
	g := NewWithT(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	root, err := FindRoot()
	g.Expect(err).NotTo(HaveOccurred())
	assets, err := FindAssets(root)
	g.Expect(err).NotTo(HaveOccurred())
	dir := t.TempDir()
	group := newGroup(t)
	cp, err := StartControlPlane(ctx, group, ControlPlaneOptions{Assets: assets, Dir: dir})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(cp.Install(ctx, root)).To(Succeed())

	g.Expect(cp.CreateNamespace(ctx, "tenant")).To(Succeed())
	g.Expect(cp.CreateNamespace(ctx, "tenant")).To(Succeed(), "it may be there from the last time")
	scanner, err := cp.CreateUser(ctx, "tenant", "scanner-1", "onebid-scanner")
	g.Expect(err).NotTo(HaveOccurred())
	manager, err := cp.Login(ctx, "onebid-system", "onebid-manager")
	g.Expect(err).NotTo(HaveOccurred())

	g.Eventually(func() error { return createBid(ctx, scanner, "tenant", "1") }, "20s").Should(Succeed())
	g.Expect(createBid(ctx, scanner, "tenant", "1")).To(Satisfy(apierrors.IsAlreadyExists))
	g.Expect(createBid(ctx, scanner, "default", "1")).To(Satisfy(apierrors.IsForbidden), "its rights end with its namespace")
	g.Expect(createBid(ctx, manager, "tenant", "2")).To(Satisfy(apierrors.IsForbidden), "a manager never bids by itself")

	group.Stop(20 * time.Second)
	for _, p := range group.Processes() {
		g.Expect(p.Alive()).To(BeFalse(), p.Name)
	}
}
