package admission

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/testenv"
	"github.com/onebid-dev/onebid/internal/testenv/build"
)

// What a role may be asked for. A right outside this table would go unnoticed, so it holds what would hurt.
var (
	verbs = []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "approve", "abandon", "resolve"}

	resources = []string{
		"onebid.dev/bids", "onebid.dev/bids/status", "onebid.dev/bids/finalizers",
		"onebid.dev/postings", "onebid.dev/postings/status", "onebid.dev/postings/finalizers",
		"onebid.dev/marketplaces", "onebid.dev/marketplaces/status", "onebid.dev/marketplaces/finalizers",
		"coordination.k8s.io/leases", "/secrets", "/configmaps", "/events", "events.k8s.io/events", "/namespaces",
		"authentication.k8s.io/tokenreviews", "authorization.k8s.io/subjectaccessreviews",
		"rbac.authorization.k8s.io/rolebindings",
	}
)

const (
	reads  = "get list watch"
	writes = "get list watch create update patch delete deletecollection"
)

// rights are, for each resource, all the verbs that a role allows.
type rights map[string]string

func TestRolesAllowThisAndNoMore(t *testing.T) {
	for role, want := range map[string]rights{
		"onebid-viewer": {"onebid.dev/bids": reads, "onebid.dev/postings": reads, "onebid.dev/marketplaces": reads},
		"onebid-bidder": {"onebid.dev/bids": writes, "onebid.dev/postings": writes, "onebid.dev/marketplaces": reads},
		"onebid-admin":  {"onebid.dev/bids": writes, "onebid.dev/postings": writes, "onebid.dev/marketplaces": writes},
		"onebid-scanner": {
			"onebid.dev/bids":            "get list watch create",
			"onebid.dev/postings":        "get list watch create update patch",
			"onebid.dev/marketplaces":    reads,
			"coordination.k8s.io/leases": "get list watch create update delete",
			"events.k8s.io/events":       "create",
		},
		"onebid-approver": {
			"onebid.dev/bids": "get list watch update patch approve", "onebid.dev/postings": reads, "onebid.dev/marketplaces": reads,
		},
		"onebid-abandoner":         {"onebid.dev/bids": "get list watch update patch abandon"},
		"onebid-resolver":          {"onebid.dev/bids": "get list watch update patch resolve"},
		"onebid-marketplace-admin": {"onebid.dev/marketplaces": writes},
		"onebid-metrics-reader":    {},
		"onebid-manager": {
			"onebid.dev/bids":                           "get list watch patch",
			"onebid.dev/bids/status":                    "update patch",
			"onebid.dev/bids/finalizers":                "update",
			"onebid.dev/postings":                       reads,
			"onebid.dev/postings/status":                "update patch",
			"onebid.dev/marketplaces":                   "get list watch patch",
			"onebid.dev/marketplaces/status":            "update patch",
			"onebid.dev/marketplaces/finalizers":        "update",
			"coordination.k8s.io/leases":                "get list watch create update delete",
			"/secrets":                                  reads + " patch",
			"/namespaces":                               "get",
			"events.k8s.io/events":                      "create patch",
			"authentication.k8s.io/tokenreviews":        "create",
			"authorization.k8s.io/subjectaccessreviews": "create",
		},
	} {
		t.Run(role, func(t *testing.T) {
			ns := env.Namespace(t)
			NewWithT(t).Expect(rightsOf(t, env.AsUser(t, ns, "user", role), ns, resources)).To(Equal(want))
		})
	}
}

func TestKubernetesOwnRolesReachOurKinds(t *testing.T) {
	ours := slices.DeleteFunc(slices.Clone(resources), func(r string) bool { return !strings.HasPrefix(r, "onebid.dev/") })
	for role, want := range map[string]rights{
		"view":  {"onebid.dev/bids": reads, "onebid.dev/postings": reads, "onebid.dev/marketplaces": reads},
		"edit":  {"onebid.dev/bids": writes, "onebid.dev/postings": writes, "onebid.dev/marketplaces": reads},
		"admin": {"onebid.dev/bids": writes, "onebid.dev/postings": writes, "onebid.dev/marketplaces": writes},
	} {
		t.Run(role, func(t *testing.T) {
			ns := env.Namespace(t)
			user := env.AsUser(t, ns, "user", role)
			NewWithT(t).Eventually(func() rights { return rightsOf(t, user, ns, ours) }).
				WithTimeout(30 * time.Second).Should(Equal(want))
		})
	}
}

func rightsOf(t *testing.T, user *testenv.User, namespace string, of []string) rights {
	t.Helper()
	found := rights{}
	for _, path := range of {
		group, rest, _ := strings.Cut(path, "/")
		resource, subresource, _ := strings.Cut(rest, "/")
		for _, verb := range verbs {
			may, err := user.Can(t.Context(), authorizationv1.ResourceAttributes{
				Namespace: namespace, Verb: verb, Group: group, Resource: resource, Subresource: subresource,
			})
			NewWithT(t).Expect(err).NotTo(HaveOccurred())
			if may {
				found[path] = strings.TrimSpace(found[path] + " " + verb)
			}
		}
	}
	return found
}

func TestAScannerBidsAndDoesNoMore(t *testing.T) {
	g := NewWithT(t)
	ns := env.Namespace(t)
	scanner := env.AsUser(t, ns, "scanner", "onebid-scanner")
	bid, posting := build.Bid(ns, "freelancer", "1"), build.Posting(ns, "freelancer", "1")
	g.Expect(scanner.Client.Create(t.Context(), posting)).To(Succeed())
	g.Expect(patched(t, scanner.Client, posting, `{"spec":{"closed":true}}`)).To(Succeed())
	g.Expect(scanner.Client.Create(t.Context(), bid)).To(Succeed())

	g.Expect(message(scanner.Client.Delete(t.Context(), bid))).To(Equal(role(scanner, "delete", "bids", ns)(bid.Name)))
	g.Expect(message(patched(t, scanner.Client, bid, `{"spec":{"withdraw":{"reason":"no"}}}`))).To(
		Equal(role(scanner, "patch", "bids", ns)(bid.Name)))
	marketplace := build.Marketplace(ns, "freelancer", "https://marketplace.example")
	g.Expect(message(scanner.Client.Create(t.Context(), marketplace))).To(
		HavePrefix(`marketplaces.onebid.dev is forbidden: User "` + scanner.Name + `" cannot create resource "marketplaces"`))
}

func TestAStatusIsTheControllersAlone(t *testing.T) {
	ns := env.Namespace(t)
	bidder := env.AsUser(t, ns, "bidder", "onebid-bidder", "onebid-admin", "onebid-approver", "onebid-abandoner", "admin")
	manager := env.AsUser(t, ns, "manager", "onebid-manager")
	for resource, object := range map[string]client.Object{
		"bids":         build.Bid(ns, "freelancer", "1"),
		"postings":     build.Posting(ns, "freelancer", "1"),
		"marketplaces": build.Marketplace(ns, "freelancer", "https://marketplace.example"),
	} {
		t.Run(resource, func(t *testing.T) {
			g := NewWithT(t)
			g.Expect(bidder.Client.Create(t.Context(), object)).To(Succeed())
			refused := func(verb string) string { return role(bidder, verb, resource+"/status", ns)(object.GetName()) }
			g.Expect(message(bidder.Client.Status().Update(t.Context(), object))).To(Equal(refused("update")))
			patch := client.RawPatch("application/merge-patch+json", []byte(`{"status":{"observedGeneration":1}}`))
			g.Expect(message(bidder.Client.Status().Patch(t.Context(), object, patch))).To(Equal(refused("patch")))
			g.Expect(manager.Client.Status().Patch(t.Context(), object, patch)).To(Succeed())
		})
	}
}

func TestAStatusThatIsSentAtCreationIsIgnored(t *testing.T) {
	bid := created(t, env.Namespace(t), "1", func(b *v1alpha1.Bid) {
		b.Status = v1alpha1.BidStatus{State: v1alpha1.StateWon, ObservedGeneration: 1}
	})
	status := live(t, bid).Status
	NewWithT(t).Expect(fmt.Sprintf("%s %d", status.State, status.ObservedGeneration)).To(Equal("Pending -1"))
}
