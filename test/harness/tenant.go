package harness

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketsim"
	"github.com/onebid-dev/onebid/internal/testenv"
	"github.com/onebid-dev/onebid/internal/testenv/build"
)

const (
	// Patience is how long a test waits for what must come.
	Patience = 40 * time.Second
	poll     = 50 * time.Millisecond
)

// Tenant is a namespace with a Marketplace at a market of its own, and managers that work in it only: so tenants do not see
// each other's bids, and tests may run beside each other.
type Tenant struct {
	site

	// World is what all tenants share.
	World *World
	// NS is the tenant's namespace, System that of its managers' heartbeats.
	NS, System string
	// Binary of the managers; with the race detector unless a test measures time.
	Binary string
	// Reach is what the managers may connect to: the value of --allow-private-addresses. Everything when empty.
	Reach string

	user     *testenv.User // of the managers
	managers []*Manager
	token    string
}

// Tenant makes a tenant whose Marketplace, called "rest", is the sample of the class after the edits. After the test its
// ledger must show no posting with two live bids at once.
func (w *World) Tenant(t *testing.T, class onebidv1.MarketplaceClass, edit ...func(*onebidv1.Marketplace)) *Tenant {
	t.Helper()
	// `go test` runs a test again when a file that it looked at has changed.
	for _, binary := range []string{w.Binary, w.Raced} {
		_, _ = os.Stat(binary)
	}
	ns := w.Env.Namespace(t)
	x := &Tenant{
		site:  site{T: t, G: gomega.NewWithT(t), Sim: w.Sim, Market: "m-" + ns},
		World: w, NS: ns, System: w.Env.Namespace(t), Binary: w.Raced,
	}
	x.G.SetDefaultEventuallyTimeout(Patience)
	x.G.SetDefaultEventuallyPollingInterval(poll)
	_, err := w.Sim.PutMarket(t.Context(), x.Market, marketsim.Settings{Shape: "rest", Class: marketsim.Class(class), PageSize: 3})
	x.G.Expect(err).NotTo(gomega.HaveOccurred())
	x.Create(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "account"}, StringData: map[string]string{"token": x.Account()},
	})
	mkt := x.Sample(class)
	for _, e := range edit {
		e(mkt)
	}
	x.Create(mkt)
	t.Cleanup(x.checkInvariants)
	return x
}

// Sample is the Marketplace of config/samples for a class, at this tenant's market and with times that tests can wait for.
func (x *Tenant) Sample(class onebidv1.MarketplaceClass) *onebidv1.Marketplace {
	x.T.Helper()
	m, err := build.Sample(x.World.Env.Root, class)
	x.G.Expect(err).NotTo(gomega.HaveOccurred())
	m.Name, m.Namespace = "rest", x.NS
	m.Spec.HTTP.BaseURL = x.World.Sim.MarketURL(x.Market)
	m.Spec.CredentialsSecretRef = &onebidv1.SecretReference{Name: "account"}
	m.Spec.RateLimit = nil
	m.Spec.TimeoutSeconds = 1
	m.Spec.LateCommitSeconds, m.Spec.VisibilitySeconds = ptr.To[int32](0), ptr.To[int32](0)
	m.Spec.Retry = onebidv1.RetryPolicy{InitialSeconds: 1, MaxSeconds: 2, ManualReviewAfter: 3}
	m.Spec.RebidCooldownSeconds = ptr.To[int32](0)
	return m
}

// Create creates an object as an administrator, or fails the test.
func (x *Tenant) Create(o client.Object) {
	x.T.Helper()
	x.G.Expect(x.World.Env.Client.Create(x.T.Context(), o)).To(gomega.Succeed())
}

// Bid creates the Bid on a posting, after the edits.
func (x *Tenant) Bid(posting string, edit ...func(*onebidv1.Bid)) *onebidv1.Bid {
	x.T.Helper()
	bid := build.Bid(x.NS, "rest", posting, edit...)
	x.Create(bid)
	return bid
}

// Known creates a Posting and waits until the manager that runs knows of it, as its status says. Postings and Bids come to it
// by watches of their own, so a Bid that is created at once may be acted on first.
func (x *Tenant) Known(posting *onebidv1.Posting) {
	x.T.Helper()
	x.Create(posting)
	x.G.Eventually(func() []metav1.Condition {
		x.G.Expect(x.World.Env.Client.Get(x.T.Context(), client.ObjectKeyFromObject(posting), posting)).To(gomega.Succeed())
		return posting.Status.Conditions
	}).ShouldNot(gomega.BeEmpty())
}

// Get reads the Bid as it is now.
func (x *Tenant) Get(bid *onebidv1.Bid) *onebidv1.Bid {
	x.T.Helper()
	live := &onebidv1.Bid{}
	x.G.Expect(x.World.Env.Client.Get(x.T.Context(), client.ObjectKeyFromObject(bid), live)).To(gomega.Succeed())
	return live
}

// Eventually waits until the Bid is as wanted, and shows its status when it never is.
func (x *Tenant) Eventually(bid *onebidv1.Bid, want string, ok func(*onebidv1.Bid) bool) *onebidv1.Bid {
	x.T.Helper()
	var live *onebidv1.Bid
	x.G.Eventually(func() bool {
		live = x.Get(bid)
		return ok(live)
	}).Should(gomega.BeTrue(), func() string { return fmt.Sprintf("want %s, have\n%s", want, Describe(live)) })
	return live
}

// State waits until the Bid has the state.
func (x *Tenant) State(bid *onebidv1.Bid, want onebidv1.BidState) *onebidv1.Bid {
	x.T.Helper()
	return x.Eventually(bid, string(want), func(b *onebidv1.Bid) bool { return b.Status.State == want })
}

// Reason waits until a condition of the Bid has the reason.
func (x *Tenant) Reason(bid *onebidv1.Bid, condition, reason string) *onebidv1.Bid {
	x.T.Helper()
	return x.Eventually(bid, condition+" "+reason, func(b *onebidv1.Bid) bool { return ReasonOf(b, condition) == reason })
}

// ReasonOf a condition of a Bid; empty when it has none of the type.
func ReasonOf(bid *onebidv1.Bid, condition string) string {
	if c := meta.FindStatusCondition(bid.Status.Conditions, condition); c != nil {
		return c.Reason
	}
	return ""
}

// MessageOf a condition of a Bid; empty when it has none of the type.
func MessageOf(bid *onebidv1.Bid, condition string) string {
	if c := meta.FindStatusCondition(bid.Status.Conditions, condition); c != nil {
		return c.Message
	}
	return ""
}

// Delete asks for the deletion of a Bid.
func (x *Tenant) Delete(bid *onebidv1.Bid) {
	x.T.Helper()
	x.G.Expect(x.World.Env.Client.Delete(x.T.Context(), bid)).To(gomega.Succeed())
}

// Gone waits until there is no Bid of the name.
func (x *Tenant) Gone(bid *onebidv1.Bid) {
	x.T.Helper()
	live := &onebidv1.Bid{}
	x.G.Eventually(func() error {
		return x.World.Env.Client.Get(x.T.Context(), client.ObjectKeyFromObject(bid), live)
	}).Should(gomega.MatchError(gomega.ContainSubstring("not found")), func() string { return Describe(live) })
}

// Withdraw sets spec.withdraw.
func (x *Tenant) Withdraw(bid *onebidv1.Bid, reason string) {
	x.T.Helper()
	patch := fmt.Sprintf(`{"spec":{"withdraw":{"reason":%q}}}`, reason)
	x.patch(bid, patch)
}

// Annotate sets an annotation of a Bid.
func (x *Tenant) Annotate(bid *onebidv1.Bid, name, value string) {
	x.T.Helper()
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, name, value)
	x.patch(bid, patch)
}

func (x *Tenant) patch(bid *onebidv1.Bid, patch string) {
	x.T.Helper()
	merge := client.RawPatch("application/merge-patch+json", []byte(patch))
	x.G.Expect(x.World.Env.Client.Patch(x.T.Context(), bid.DeepCopy(), merge)).To(gomega.Succeed())
}

// Describe says in a few lines how a Bid is.
func Describe(bid *onebidv1.Bid) string {
	if bid == nil {
		return "(no Bid)"
	}
	out := fmt.Sprintf("%s: state %q outcome %q remote %v attempts %v deleted %v\n", bid.Name, bid.Status.State, bid.Status.Outcome,
		bid.Status.Remote, bid.Status.Attempts, bid.DeletionTimestamp)
	for _, c := range bid.Status.Conditions {
		out += fmt.Sprintf("  %s=%s %s: %s\n", c.Type, c.Status, c.Reason, c.Message)
	}
	return out
}

// KeyOf an object by its namespace and name.
func KeyOf(ns, name string) client.ObjectKey { return client.ObjectKey{Namespace: ns, Name: name} }

// PostingLeases are the Leases of the tenant's postings.
func (x *Tenant) PostingLeases() []coordinationv1.Lease {
	x.T.Helper()
	list := &coordinationv1.LeaseList{}
	x.G.Expect(x.World.Env.Client.List(x.T.Context(), list, client.InNamespace(x.NS))).To(gomega.Succeed())
	return slices.DeleteFunc(list.Items, func(l coordinationv1.Lease) bool { return !strings.HasPrefix(l.Name, onebidv1.LeasePrefix) })
}
