// Command clientgo is a scanner with client-go and the generated client only. It reads one posting per line from standard
// input, such as {"id": "39211345", "title": "A REST service", "price": "250"}.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	onebid "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/pkg/client/clientset/versioned"
)

type posting struct{ ID, Title, Price string }

func main() {
	if err := run(context.Background(), os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, namespace, marketplace string) error {
	loader := clientcmd.NewDefaultClientConfigLoadingRules() // $KUBECONFIG, ~/.kube/config, or the pod's ServiceAccount
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(loader, nil).ClientConfig()
	if err != nil {
		return err
	}
	client, err := versioned.NewForConfig(config)
	if err != nil {
		return err
	}
	for in := json.NewDecoder(os.Stdin); ; {
		var p posting
		if err := in.Decode(&p); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read a posting: %w", err)
		}
		if err := bid(ctx, client, namespace, marketplace, p); err != nil {
			return fmt.Errorf("posting %q: %w", p.ID, err)
		}
	}
}

// bid creates the Bid. When several scanners do so at once, one succeeds.
func bid(ctx context.Context, client versioned.Interface, namespace, marketplace string, p posting) error {
	name, err := onebid.Key{Marketplace: marketplace, PostingID: p.ID}.Name()
	if err != nil {
		return err
	}
	_, err = client.OnebidV1alpha1().Bids(namespace).Create(ctx, &onebid.Bid{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: onebid.BidSpec{
			Marketplace: marketplace, PostingID: p.ID,
			Price:    onebid.Money{Amount: p.Price, Currency: "USD"},
			Proposal: fmt.Sprintf("We can do %q.", p.Title),
		},
	}, metav1.CreateOptions{FieldManager: "my-scanner"})
	if apierrors.IsAlreadyExists(err) {
		fmt.Println(name, "has a Bid already") // another client was faster, or this is a repetition
		return nil
	}
	if err == nil {
		fmt.Println(name, "created")
	}
	return err
}
