// Package build makes valid objects for tests and demos, so that each states only what matters to it.
package build

import (
	"fmt"
	"os"
	"path/filepath"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/onebid-dev/onebid/api/v1alpha1"
)

// Bid is a valid Bid of 250 USD under its canonical name. It panics when the key has no name: for an invalid Bid, build a
// valid one and change it with an option.
func Bid(namespace, marketplace, postingID string, options ...func(*v1alpha1.Bid)) *v1alpha1.Bid {
	bid := &v1alpha1.Bid{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: Name(marketplace, postingID)},
		Spec: v1alpha1.BidSpec{
			Marketplace: marketplace,
			PostingID:   postingID,
			Price:       v1alpha1.Money{Amount: "250", Currency: "USD"},
		},
	}
	for _, option := range options {
		option(bid)
	}
	return bid
}

// Price sets the price of a Bid.
func Price(amount, currency string) func(*v1alpha1.Bid) {
	return func(bid *v1alpha1.Bid) { bid.Spec.Price = v1alpha1.Money{Amount: amount, Currency: currency} }
}

// Proposal sets the text of a Bid.
func Proposal(text string) func(*v1alpha1.Bid) {
	return func(bid *v1alpha1.Bid) { bid.Spec.Proposal = text }
}

// Posting is a valid Posting under its canonical name. It panics when the key has no name.
func Posting(namespace, marketplace, postingID string, options ...func(*v1alpha1.Posting)) *v1alpha1.Posting {
	posting := &v1alpha1.Posting{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: Name(marketplace, postingID)},
		Spec: v1alpha1.PostingSpec{
			Marketplace: marketplace,
			PostingID:   postingID,
			Title:       "Posting " + postingID,
		},
	}
	for _, option := range options {
		option(posting)
	}
	return posting
}

// Marketplace is a valid Marketplace of class IdempotencyKey with the http driver, which speaks the plain REST shape of
// cmd/marketsim at baseURL.
func Marketplace(namespace, name, baseURL string, options ...func(*v1alpha1.Marketplace)) *v1alpha1.Marketplace {
	marketplace := &v1alpha1.Marketplace{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.MarketplaceSpec{
			Class: v1alpha1.ClassIdempotencyKey,
			HTTP:  restDriver(baseURL),
		},
	}
	for _, option := range options {
		option(marketplace)
	}
	return marketplace
}

// Sample is the Marketplace of config/samples for a class, in the repository at root.
func Sample(root string, class v1alpha1.MarketplaceClass) (*v1alpha1.Marketplace, error) {
	name := map[v1alpha1.MarketplaceClass]string{
		v1alpha1.ClassIdempotencyKey: "rest", v1alpha1.ClassUniquePerPosting: "unique", v1alpha1.ClassNone: "none",
	}[class]
	text, err := os.ReadFile(filepath.Join(root, "config", "samples", "marketplace-"+name+".yaml"))
	if err != nil {
		return nil, err
	}
	m := &v1alpha1.Marketplace{}
	return m, yaml.UnmarshalStrict(text, m)
}

// Name is the canonical name of a Bid or Posting; it panics when there is none.
func Name(marketplace, postingID string) string {
	name, err := v1alpha1.Key{Marketplace: marketplace, PostingID: postingID}.Name()
	if err != nil {
		panic(fmt.Sprintf("no name for this posting: %v", err))
	}
	return name
}
