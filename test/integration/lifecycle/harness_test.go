package lifecycle_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketsim"
	"github.com/onebid-dev/onebid/internal/testenv/build"
)

const (
	patience = 40 * time.Second
	poll     = 20 * time.Millisecond
)

// tenant is a namespace with a Marketplace at a market of its own, so that tests do not see each other's bids. The
// managers of a test watch everything, so tests do not run beside each other.
type tenant struct {
	t      *testing.T
	g      *WithT
	ns     string
	market string
	system string
	token  string
	// binary of the managers; with the race detector unless a test measures time.
	binary string
	// byHand is how many postings a person put a second bid on.
	byHand int
}

func newTenant(t *testing.T, class onebidv1.MarketplaceClass, edit ...func(*onebidv1.Marketplace)) *tenant {
	t.Helper()
	ns := env.Namespace(t)
	x := &tenant{t: t, g: NewWithT(t), ns: ns, market: "m-" + ns, system: env.Namespace(t), binary: raced}
	x.g.SetDefaultEventuallyTimeout(patience)
	x.g.SetDefaultEventuallyPollingInterval(poll)
	_, err := sim.PutMarket(t.Context(), x.market, marketsim.Settings{Shape: "rest", Class: marketsim.Class(class), PageSize: 3})
	x.g.Expect(err).NotTo(HaveOccurred())
	x.create(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "account"}, StringData: map[string]string{"token": "token-" + ns},
	})
	mkt := x.sample(class)
	for _, e := range edit {
		e(mkt)
	}
	x.create(mkt)
	t.Cleanup(x.checkInvariants)
	t.Cleanup(x.clear) // after the managers of the test have ended
	return x
}

// sample is the Marketplace of config/samples for a class, at this tenant's market and with times that tests can wait for.
func (x *tenant) sample(class onebidv1.MarketplaceClass) *onebidv1.Marketplace {
	x.t.Helper()
	file := map[onebidv1.MarketplaceClass]string{
		onebidv1.ClassIdempotencyKey: "rest", onebidv1.ClassUniquePerPosting: "unique", onebidv1.ClassNone: "none",
	}[class]
	text, err := os.ReadFile(filepath.Join(env.Root, "config", "samples", "marketplace-"+file+".yaml"))
	x.g.Expect(err).NotTo(HaveOccurred())
	m := &onebidv1.Marketplace{}
	x.g.Expect(yaml.UnmarshalStrict(text, m)).To(Succeed())
	m.Name, m.Namespace = "rest", x.ns
	m.Spec.HTTP.BaseURL = sim.MarketURL(x.market)
	m.Spec.CredentialsSecretRef = &onebidv1.SecretReference{Name: "account"}
	m.Spec.RateLimit = nil
	m.Spec.TimeoutSeconds = 1
	m.Spec.LateCommitSeconds, m.Spec.VisibilitySeconds = ptr.To[int32](0), ptr.To[int32](0)
	m.Spec.Retry = onebidv1.RetryPolicy{InitialSeconds: 1, MaxSeconds: 2, ManualReviewAfter: 3}
	m.Spec.RebidCooldownSeconds = ptr.To[int32](0)
	return m
}

func (x *tenant) create(o client.Object) {
	x.t.Helper()
	x.g.Expect(env.Client.Create(x.t.Context(), o)).To(Succeed())
}

func (x *tenant) bid(posting string, edit ...func(*onebidv1.Bid)) *onebidv1.Bid {
	x.t.Helper()
	bid := build.Bid(x.ns, "rest", posting, edit...)
	x.create(bid)
	return bid
}

// get reads the Bid as it is now.
func (x *tenant) get(bid *onebidv1.Bid) *onebidv1.Bid {
	x.t.Helper()
	live := &onebidv1.Bid{}
	x.g.Expect(env.Client.Get(x.t.Context(), client.ObjectKeyFromObject(bid), live)).To(Succeed())
	return live
}

// eventually waits until the Bid is as wanted, and shows its status when it never is.
func (x *tenant) eventually(bid *onebidv1.Bid, want string, ok func(*onebidv1.Bid) bool) *onebidv1.Bid {
	x.t.Helper()
	var live *onebidv1.Bid
	x.g.Eventually(func() bool {
		live = x.get(bid)
		return ok(live)
	}).Should(BeTrue(), func() string { return fmt.Sprintf("want %s, have\n%s", want, describe(live)) })
	return live
}

func (x *tenant) state(bid *onebidv1.Bid, want onebidv1.BidState) *onebidv1.Bid {
	x.t.Helper()
	return x.eventually(bid, string(want), func(b *onebidv1.Bid) bool { return b.Status.State == want })
}

func (x *tenant) reason(bid *onebidv1.Bid, condition, reason string) *onebidv1.Bid {
	x.t.Helper()
	return x.eventually(bid, condition+" "+reason, func(b *onebidv1.Bid) bool { return reasonOf(b, condition) == reason })
}

func reasonOf(bid *onebidv1.Bid, condition string) string {
	if c := meta.FindStatusCondition(bid.Status.Conditions, condition); c != nil {
		return c.Reason
	}
	return ""
}

func messageOf(bid *onebidv1.Bid, condition string) string {
	if c := meta.FindStatusCondition(bid.Status.Conditions, condition); c != nil {
		return c.Message
	}
	return ""
}

func (x *tenant) delete(bid *onebidv1.Bid) {
	x.t.Helper()
	x.g.Expect(env.Client.Delete(x.t.Context(), bid)).To(Succeed())
}

func (x *tenant) gone(bid *onebidv1.Bid) {
	x.t.Helper()
	live := &onebidv1.Bid{}
	x.g.Eventually(func() error {
		return env.Client.Get(x.t.Context(), client.ObjectKeyFromObject(bid), live)
	}).Should(MatchError(ContainSubstring("not found")), func() string { return describe(live) })
}

func (x *tenant) withdraw(bid *onebidv1.Bid, reason string) {
	x.t.Helper()
	patch := fmt.Sprintf(`{"spec":{"withdraw":{"reason":%q}}}`, reason)
	x.g.Expect(env.Client.Patch(x.t.Context(), bid.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(patch)))).To(Succeed())
}

func (x *tenant) annotate(bid *onebidv1.Bid, name, value string) {
	x.t.Helper()
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, name, value)
	x.g.Expect(env.Client.Patch(x.t.Context(), bid.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(patch)))).To(Succeed())
}

func (x *tenant) fault(f marketsim.Fault) {
	x.t.Helper()
	f.Market = x.market
	_, err := sim.AddFault(x.t.Context(), f)
	x.g.Expect(err).NotTo(HaveOccurred())
	x.t.Cleanup(func() { _ = sim.ClearFaults(context.Background()) })
}

func (x *tenant) row(posting string) marketsim.Row {
	x.t.Helper()
	summary, err := sim.Summary(x.t.Context(), x.market)
	x.g.Expect(err).NotTo(HaveOccurred())
	return summary.Row(x.market, "token-"+x.ns, posting)
}

// clear takes away what a test leaves, so that the managers of the next one find nothing to do but theirs.
func (x *tenant) clear() {
	ctx := context.Background()
	stripped := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))
	bids, markets := &onebidv1.BidList{}, &onebidv1.MarketplaceList{}
	_ = env.Client.List(ctx, bids, client.InNamespace(x.ns))
	_ = env.Client.List(ctx, markets, client.InNamespace(x.ns))
	var left []client.Object
	for i := range bids.Items {
		left = append(left, &bids.Items[i])
	}
	for i := range markets.Items {
		left = append(left, &markets.Items[i])
	}
	for _, object := range left {
		_ = env.Client.Patch(ctx, object, stripped)
		if err := client.IgnoreNotFound(env.Client.Delete(ctx, object)); err != nil {
			x.t.Errorf("clear away %s: %v", object.GetName(), err)
		}
	}
}

// checkInvariants holds after every test: I1, one live bid per posting at every instant.
func (x *tenant) checkInvariants() {
	summary, err := sim.Summary(context.Background(), x.market)
	if err != nil {
		x.t.Errorf("read the ledger: %v", err)
		return
	}
	if summary.Totals.PlacedTwice > x.byHand {
		x.t.Errorf("I1 broken: %d postings had two live bids at once", summary.Totals.PlacedTwice)
	}
}

func describe(bid *onebidv1.Bid) string {
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

func keyOf(ns, name string) client.ObjectKey { return client.ObjectKey{Namespace: ns, Name: name} }

// calls are the records of one kind of call on a posting, in their order.
func (x *tenant) calls(verb marketsim.Verb, posting string) []marketsim.Record {
	x.t.Helper()
	records, err := sim.Ledger(x.t.Context(), 0)
	x.g.Expect(err).NotTo(HaveOccurred())
	var out []marketsim.Record
	for _, r := range records {
		if r.Kind == marketsim.KindCall && r.Market == x.market && r.Verb == verb && r.Posting == posting {
			out = append(out, r)
		}
	}
	return out
}

// placeByHand puts a bid on a posting as a person would, in the marketplace's own pages.
func (x *tenant) placeByHand(posting string) {
	x.t.Helper()
	body := strings.NewReader(fmt.Sprintf(`{"posting_id":%q,"amount":"99","currency":"USD"}`, posting))
	req, err := http.NewRequestWithContext(x.t.Context(), http.MethodPost, sim.MarketURL(x.market)+"/bids", body)
	x.g.Expect(err).NotTo(HaveOccurred())
	req.Header.Set("Authorization", "Bearer token-"+x.ns)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	x.g.Expect(err).NotTo(HaveOccurred())
	x.g.Expect(resp.Body.Close()).To(Succeed())
	x.g.Expect(resp.StatusCode).To(Equal(http.StatusCreated))
}

func (x *tenant) ledger() []marketsim.Record {
	x.t.Helper()
	records, err := sim.Ledger(x.t.Context(), 0)
	x.g.Expect(err).NotTo(HaveOccurred())
	return slices.DeleteFunc(records, func(r marketsim.Record) bool { return r.Market != x.market })
}

// postingLeases are the Leases of the tenant's postings.
func (x *tenant) postingLeases() []coordinationv1.Lease {
	x.t.Helper()
	list := &coordinationv1.LeaseList{}
	x.g.Expect(env.Client.List(x.t.Context(), list, client.InNamespace(x.ns))).To(Succeed())
	return list.Items
}

// revoke makes the marketplace refuse the account's token.
func (x *tenant) revoke() {
	x.t.Helper()
	x.g.Expect(sim.PutToken(x.t.Context(), marketsim.Token{Token: "token-" + x.ns, Valid: false})).To(Succeed())
}
