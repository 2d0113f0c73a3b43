package admission

import (
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/testenv/build"
)

const schemaVersion = "onebid.dev/schema-version"

func TestAnOlderSchemaIsRefused(t *testing.T) {
	for _, name := range []string{"bids.onebid.dev", "marketplaces.onebid.dev", "postings.onebid.dev"} {
		t.Run(name, func(t *testing.T) {
			crd := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: name}}
			crd = live(t, crd)
			current := crd.Annotations[schemaVersion]
			dryRun := func(version *string) error {
				changed := crd.DeepCopy()
				delete(changed.Annotations, schemaVersion)
				if version != nil {
					changed.Annotations[schemaVersion] = *version
				}
				return env.Client.Update(t.Context(), changed, client.DryRunAll)
			}
			refused := func(version string) string {
				return policy("customresourcedefinitions.apiextensions.k8s.io", "crd-downgrade-guard",
					`the annotation onebid.dev/schema-version must be an integer of at least `+current+`, not "`+version+`": an older schema `+
						`would drop fields from stored objects; to downgrade nevertheless, first delete the `+
						`ValidatingAdmissionPolicyBinding crd-downgrade-guard.onebid.dev`)(name)
			}
			g := NewWithT(t)
			g.Expect(message(dryRun(new("0")))).To(Equal(refused("0")))
			g.Expect(message(dryRun(nil))).To(Equal(refused("")))
			g.Expect(message(dryRun(new("newest")))).To(Equal(refused("newest")))
			g.Expect(dryRun(&current)).To(Succeed())
			g.Expect(dryRun(new("1" + current))).To(Succeed())
		})
	}
}

func TestBidsAreSelectedByFields(t *testing.T) {
	g := NewWithT(t)
	ns := env.Namespace(t)
	active := created(t, ns, "1")
	created(t, ns, "2")
	g.Expect(env.Client.Create(t.Context(), build.Bid(ns, "upwork", "1"))).To(Succeed())
	g.Expect(env.Client.Status().Patch(t.Context(), active,
		client.RawPatch("application/merge-patch+json", []byte(`{"status":{"state":"Active"}}`)))).To(Succeed())

	selected := func(field, value string) []string {
		bids := &v1alpha1.BidList{}
		g.ExpectWithOffset(1, env.Client.List(t.Context(), bids, client.InNamespace(ns), client.MatchingFields{field: value})).To(Succeed())
		var names []string
		for _, bid := range bids.Items {
			names = append(names, bid.Name)
		}
		slices.Sort(names)
		return names
	}
	g.Expect(selected("spec.marketplace", "freelancer")).To(Equal([]string{"freelancer.1", "freelancer.2"}))
	g.Expect(selected("spec.postingID", "1")).To(Equal([]string{"freelancer.1", "upwork.1"}))
	g.Expect(selected("status.state", "Active")).To(Equal([]string{"freelancer.1"}))
	g.Expect(selected("status.state", "Pending")).To(Equal([]string{"freelancer.2", "upwork.1"}), "before anybody has seen them")

	err := env.Client.List(t.Context(), &v1alpha1.BidList{}, client.MatchingFields{"spec.price.amount": "250"})
	g.Expect(message(err)).To(ContainSubstring("field label not supported: spec.price.amount"))
}

func TestPostingsAreSelectedByFields(t *testing.T) {
	g := NewWithT(t)
	ns := env.Namespace(t)
	for _, id := range []string{"1", "2"} {
		g.Expect(env.Client.Create(t.Context(), build.Posting(ns, "freelancer", id))).To(Succeed())
	}
	for field, value := range map[string]string{"spec.marketplace": "freelancer", "spec.postingID": "2"} {
		postings := &v1alpha1.PostingList{}
		g.Expect(env.Client.List(t.Context(), postings, client.InNamespace(ns), client.MatchingFields{field: value})).To(Succeed())
		g.Expect(postings.Items).NotTo(BeEmpty())
	}
}

func TestABidThatLeavesASelectionIsDeletedFromItsWatch(t *testing.T) {
	g := NewWithT(t)
	ns := env.Namespace(t)
	bid := created(t, ns, "1")
	watcher, err := env.Client.Watch(t.Context(), &v1alpha1.BidList{}, &client.ListOptions{
		Namespace: ns, FieldSelector: fields.OneTermEqualSelector("status.state", "Pending"),
	})
	g.Expect(err).NotTo(HaveOccurred())
	defer watcher.Stop()
	var event watch.Event
	g.Eventually(watcher.ResultChan()).WithTimeout(10 * time.Second).Should(Receive(&event))
	g.Expect(event.Type).To(Equal(watch.Added))
	g.Expect(env.Client.Status().Patch(t.Context(), bid,
		client.RawPatch("application/merge-patch+json", []byte(`{"status":{"state":"Active"}}`)))).To(Succeed())
	g.Eventually(watcher.ResultChan()).WithTimeout(10 * time.Second).Should(Receive(&event))
	g.Expect(event.Type).To(Equal(watch.Deleted))
}
