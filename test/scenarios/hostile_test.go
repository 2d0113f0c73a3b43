package scenarios_test

import (
	"net"
	"strings"
	"sync/atomic"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketsim"
	"github.com/onebid-dev/onebid/internal/testenv/build"
	"github.com/onebid-dev/onebid/test/harness"
)

// bait is a service that no marketplace may lead to.
type bait struct {
	port string
	met  atomic.Int32
}

// newBait listens on an address and counts who connects.
func newBait(t *testing.T, address string) *bait {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	b := &bait{}
	if _, b.port, err = net.SplitHostPort(l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b.met.Add(1)
			_ = c.Close()
		}
	}()
	return b
}

// 26: Marketplaces whose addresses are those of the inside: metadata, loopback, link-local, however they are written.
// Nothing is connected to, and each says why.
func TestRow26AddressesOfTheInside(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey)
	trap := newBait(t, "127.0.0.2")
	x.Reach = "127.0.0.1/32" // where the simulator is
	x.Manager()
	for name, host := range map[string]string{
		"metadata": "169.254.169.254", "metadata6": "[fd00:ec2::254]", "inside": "127.0.0.2:" + trap.port,
		"inside6": "[::ffff:127.0.0.2]:" + trap.port, "anywhere": "0.0.0.0:" + trap.port, "private": "10.0.0.1",
	} {
		mkt := x.Sample(onebidv1.ClassIdempotencyKey)
		mkt.Name, mkt.Spec.HTTP.BaseURL = name, "http://"+host
		x.Create(mkt)
		x.Create(build.Bid(x.NS, name, "1"))
		x.G.Eventually(func() string { return ready(x, name) }).Should(ContainSubstring("refused to connect"), name)
	}
	x.State(x.Bid("1"), onebidv1.StateActive)
	x.G.Expect(trap.met.Load()).To(BeZero())
}

// 26: the same by the addresses that other drivers and credentials bring along.
func TestRow26OtherAddressesOfTheInside(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey)
	trap := newBait(t, "127.0.0.2")
	x.Reach = "127.0.0.1/32"
	x.Manager()
	x.Create(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: x.NS, Name: "client"},
		StringData: map[string]string{"token": "t", "clientID": "us", "clientSecret": "s"},
	})
	tokens := x.Sample(onebidv1.ClassIdempotencyKey)
	tokens.Name = "tokens"
	tokens.Spec.HTTP.Auth = &onebidv1.HTTPAuth{OAuth2: &onebidv1.HTTPOAuth2{TokenURL: "http://127.0.0.2:" + trap.port + "/token"}}
	tokens.Spec.HTTP.Headers = []onebidv1.HTTPParameter{{Name: "Authorization", Value: "'Bearer ' + accessToken"}}
	sandbox := x.Sample(onebidv1.ClassUniquePerPosting)
	sandbox.Name, sandbox.Spec.HTTP = "sandbox", nil
	sandbox.Spec.Freelancer = &onebidv1.FreelancerDriver{BaseURL: "http://127.0.0.2:" + trap.port}
	for _, mkt := range []*onebidv1.Marketplace{tokens, sandbox} {
		mkt.Spec.CredentialsSecretRef = &onebidv1.SecretReference{Name: "client"}
		x.Create(mkt)
		x.Create(build.Bid(x.NS, mkt.Name, "1"))
		x.G.Eventually(func() string { return ready(x, mkt.Name) }).Should(ContainSubstring("refused to connect"), mkt.Name)
	}
	x.State(x.Bid("1"), onebidv1.StateActive)
	x.G.Expect(trap.met.Load()).To(BeZero())
}

// 26: the marketplace answers with a redirect, to an address that may be connected to. It is not followed, and the call that
// was answered so is unknown.
func TestRow26ARedirect(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey)
	trap := newBait(t, "127.0.0.1")
	for _, status := range []int{301, 302, 303, 307, 308} {
		x.Fault(marketsim.Fault{
			Verb: "place", Status: status, Times: 1, Headers: map[string]string{"Location": "http://127.0.0.1:" + trap.port + "/"},
		})
	}
	x.Fault(marketsim.Fault{
		Verb: "withdraw", Status: 307, Times: 1, Headers: map[string]string{"Location": "http://127.0.0.1:" + trap.port + "/"},
	})
	x.Manager()
	postings := numbered("p", 5)
	for _, posting := range postings {
		x.Bid(posting)
	}
	for _, posting := range postings {
		x.State(build.Bid(x.NS, "rest", posting), onebidv1.StateActive)
	}
	x.Delete(build.Bid(x.NS, "rest", postings[0]))
	x.Gone(build.Bid(x.NS, "rest", postings[0]))
	x.G.Expect(trap.met.Load()).To(BeZero())
	x.Settled()
}

// 26: a Marketplace names a Secret of another namespace, in every way that could be meant. What names one is refused, and none is sent
// anywhere.
func TestRow26ASecretOfAnotherNamespace(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey)
	foreign := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: x.System, Name: "foreign"}, StringData: map[string]string{"token": "stolen-" + x.NS},
	}
	x.Create(foreign)
	x.Manager()
	thief := func(name string) *onebidv1.Marketplace {
		mkt := x.Sample(onebidv1.ClassIdempotencyKey)
		mkt.Name, mkt.Spec.CredentialsSecretRef = "thief", &onebidv1.SecretReference{Name: name}
		return mkt
	}
	for _, name := range []string{x.System + "/foreign", "../" + x.System + "/foreign", x.System + "%2Fforeign"} {
		x.G.Expect(world.Env.Client.Create(t.Context(), thief(name))).To(MatchError(ContainSubstring(
			"spec.credentialsSecretRef.name: Invalid value: \"" + name + "\": must be the name of a Secret in the same namespace")))
	}
	x.Create(thief("foreign"))
	bid := build.Bid(x.NS, "thief", "1")
	x.Create(bid)
	x.Reason(bid, onebidv1.ConditionAccepted, onebidv1.ReasonMarketplaceNotReady)
	x.G.Eventually(func() string { return ready(x, "thief") }).Should(ContainSubstring(`There is no Secret "foreign" in namespace "` + x.NS))
	x.State(x.Bid("2"), onebidv1.StateActive)
	for _, r := range x.Ledger() {
		x.G.Expect(r.Account).NotTo(HavePrefix("stolen"))
	}
}

// 26: an expression that would compute for ever. It is given up, other marketplaces go on, and once it is mended the bid
// that could not be read is found.
func TestRow26AnExpressionThatExplodes(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey)
	x.Manager("--max-concurrent-reconciles", "2")
	numbers := "[" + strings.TrimSuffix(strings.Repeat("1,", 40), ",") + "]"
	nested := numbers
	for range 5 {
		nested = numbers + ".map(a, " + nested + ")"
	}
	market := second(x, "bomb", func(m *onebidv1.Marketplace) {
		m.Spec.HTTP.Bid.ID = onebidv1.CELExpression("item.id + string(" + nested + ".size())")
	})
	bid := build.Bid(x.NS, "bomb", "1")
	x.Create(bid)
	for _, posting := range numbered("p", 5) {
		x.State(x.Bid(posting), onebidv1.StateActive)
	}
	x.Reason(bid, onebidv1.ConditionPlaced, onebidv1.ReasonOutcomeUnknown)
	mkt := &onebidv1.Marketplace{}
	x.G.Expect(world.Env.Client.Get(t.Context(), harness.KeyOf(x.NS, "bomb"), mkt)).To(Succeed())
	patch := client.MergeFrom(mkt.DeepCopy())
	mkt.Spec.HTTP.Bid.ID = "item.id"
	x.G.Expect(world.Env.Client.Patch(t.Context(), mkt, patch)).To(Succeed())
	x.State(bid, onebidv1.StateActive)
	summary, err := world.Sim.Summary(t.Context(), market)
	x.G.Expect(err).NotTo(HaveOccurred())
	x.G.Expect(summary.Totals.PlaceCalls).To(Equal(1))
}

// ready is why a Marketplace is not ready, or why it is.
func ready(x *harness.Tenant, name string) string {
	mkt := &onebidv1.Marketplace{}
	if err := world.Env.Client.Get(x.T.Context(), harness.KeyOf(x.NS, name), mkt); err != nil {
		return err.Error()
	}
	if c := meta.FindStatusCondition(mkt.Status.Conditions, onebidv1.ConditionReady); c != nil {
		return c.Message
	}
	return ""
}
