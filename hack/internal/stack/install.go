package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"

	"github.com/onebid-dev/onebid/api/v1alpha1"
)

// Kubectl runs the control plane's kubectl as the administrator.
func (cp *ControlPlane) Kubectl(ctx context.Context, args ...string) error {
	kubectl := exec.CommandContext(ctx, filepath.Join(cp.assets, "kubectl"), args...)
	kubectl.Env = append(kubectl.Environ(), "KUBECONFIG="+cp.Kubeconfig)
	kubectl.SysProcAttr = childAttributes()
	var complaints bytes.Buffer
	kubectl.Stderr = &complaints
	if err := kubectl.Run(); err != nil {
		return fmt.Errorf("kubectl %s: %w\n%s", strings.Join(args, " "), err, bytes.TrimSpace(complaints.Bytes()))
	}
	return nil
}

// Install applies config/default, as `make deploy` does, and returns when the API server obeys it: the kinds are served
// and the admission policies are in force. There is no node, so nothing comes of the Deployment in it; managers run as
// processes instead.
func (cp *ControlPlane) Install(ctx context.Context, root string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout,
		fmt.Errorf("the CRDs and policies of config/default are not in force after %s", startTimeout))
	defer cancel()
	if err := cp.Kubectl(ctx, "apply", "--server-side", "-k", filepath.Join(root, "config", "default")); err != nil {
		return err
	}
	client, err := BidClient(cp.Config)
	if err != nil {
		return err
	}
	return Await(ctx, 100*time.Millisecond, func(ctx context.Context) error { return admissionWorks(ctx, client) })
}

// BidClient returns client-go's plain REST client for onebid's kinds.
func BidClient(config *rest.Config) (*rest.RESTClient, error) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	config = rest.CopyConfig(config)
	config.APIPath = "/apis"
	config.GroupVersion = &v1alpha1.GroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	return client, nil
}

// admissionWorks tries two Bids, without leaving any: one whose name is wrong in a way that only the policies notice,
// and one that must come back with the finalizer.
func admissionWorks(ctx context.Context, client rest.Interface) error {
	dryRun := func(name, postingID string) (*v1alpha1.Bid, error) {
		bid := &v1alpha1.Bid{
			ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: name},
			Spec: v1alpha1.BidSpec{
				Marketplace: "probe", PostingID: postingID, Price: v1alpha1.Money{Amount: "1", Currency: "USD"},
			},
		}
		made := &v1alpha1.Bid{}
		err := client.Post().Namespace(bid.Namespace).Resource("bids").
			Param("dryRun", metav1.DryRunAll).Body(bid).Do(ctx).Into(made)
		return made, err
	}
	switch _, err := dryRun("probe.x.00", "Not Plain"); {
	case err == nil:
		return errors.New("a Bid with a wrong name is still admitted")
	case !apierrors.IsInvalid(err):
		return err
	}
	bid, err := dryRun("probe.plain", "plain")
	if err != nil {
		return err
	}
	if !slices.Contains(bid.Finalizers, v1alpha1.FinalizerWithdraw) {
		return errors.New("a Bid is still created without its finalizer")
	}
	return nil
}
