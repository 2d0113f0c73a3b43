package lifecycle_test

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketsim"
	"github.com/onebid-dev/onebid/internal/testenv/build"
)

// What admission cannot know shows in a condition that says what to do, and the Bid goes on by itself once it is done.
// What admission can know is tested in test/integration/admission.

func TestUnknownMarketplace(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey)
	x.manager()
	bid := build.Bid(x.ns, "elsewhere", "1")
	x.create(bid)
	lost := x.reason(bid, onebidv1.ConditionAccepted, onebidv1.ReasonMarketplaceNotFound)
	x.g.Expect(messageOf(lost, onebidv1.ConditionStalled)).To(Equal(
		`There is no Marketplace "elsewhere" in namespace "` + x.ns + `": create it, or delete this Bid`))
	mkt := x.sample(onebidv1.ClassIdempotencyKey)
	mkt.Name = "elsewhere"
	x.create(mkt)
	x.state(bid, onebidv1.StateActive)
}

func TestMissingSecret(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, func(m *onebidv1.Marketplace) {
		m.Spec.CredentialsSecretRef = &onebidv1.SecretReference{Name: "other"}
	})
	x.manager()
	bid := x.bid("1")
	x.reason(bid, onebidv1.ConditionAccepted, onebidv1.ReasonMarketplaceNotReady)
	x.g.Expect(x.notReady(onebidv1.ReasonCredentialsMissing)).To(And(
		ContainSubstring(`There is no Secret "other" in namespace "`+x.ns+`"`), ContainSubstring("create it there")))
	x.create(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: x.ns, Name: "other"}, StringData: map[string]string{"token": "token-" + x.ns},
	})
	x.state(bid, onebidv1.StateActive)
}

func TestRefusedCredentialsHealWhenTheSecretChanges(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey)
	x.manager()
	x.state(x.bid("1"), onebidv1.StateActive)
	x.revoke()
	bid := x.bid("2")
	x.reason(bid, onebidv1.ConditionPlaced, onebidv1.ReasonAuthenticationFailed)
	x.g.Expect(x.row("2").Placed).To(BeZero())
	x.g.Expect(sim.PutToken(t.Context(), marketsim.Token{
		Token: "second-token-" + x.ns, Valid: true, Account: "token-" + x.ns,
	})).To(Succeed())
	secret := &corev1.Secret{}
	x.g.Expect(env.Client.Get(t.Context(), keyOf(x.ns, "account"), secret)).To(Succeed())
	secret.Data["token"] = []byte("second-token-" + x.ns)
	x.g.Expect(env.Client.Update(t.Context(), secret)).To(Succeed())
	x.state(bid, onebidv1.StateActive)
}

func TestBrokenExpression(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, func(m *onebidv1.Marketplace) { m.Spec.HTTP.Bid.ID = "item.id +" })
	x.manager()
	bid := x.bid("1")
	x.reason(bid, onebidv1.ConditionAccepted, onebidv1.ReasonMarketplaceNotReady)
	x.g.Expect(x.notReady(onebidv1.ReasonInvalidDriver)).To(And(
		ContainSubstring("spec.http.bid.id"), ContainSubstring("1:")), "the field and the position of the mistake")
	x.g.Eventually(func() error {
		mkt := &onebidv1.Marketplace{}
		if err := env.Client.Get(t.Context(), keyOf(x.ns, "rest"), mkt); err != nil {
			return err
		}
		mkt.Spec.HTTP.Bid.ID = "item.id"
		return env.Client.Update(t.Context(), mkt)
	}).Should(Succeed())
	x.state(bid, onebidv1.StateActive)
}

func TestPriceOverTheLimit(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, func(m *onebidv1.Marketplace) {
		m.Spec.Limits = &onebidv1.MarketplaceLimits{MaxPrice: &onebidv1.Money{Amount: "249.50", Currency: "USD"}}
	})
	x.manager()
	bid := x.reason(x.bid("1"), onebidv1.ConditionAccepted, onebidv1.ReasonPriceTooHigh)
	x.g.Expect(messageOf(bid, onebidv1.ConditionStalled)).To(Equal(
		`spec.price is 0.5 USD over maxPrice 249.50 USD of Marketplace "rest": raise the limit, or delete this Bid and bid less`))
	x.g.Expect(x.row("1").PlaceCalls).To(BeZero())
}

// notReady waits for the Marketplace to say why it is not ready.
func (x *tenant) notReady(reason string) string {
	x.t.Helper()
	var ready *metav1.Condition
	x.g.Eventually(func() string {
		mkt := &onebidv1.Marketplace{}
		if err := env.Client.Get(x.t.Context(), keyOf(x.ns, "rest"), mkt); err != nil {
			return err.Error()
		}
		ready = meta.FindStatusCondition(mkt.Status.Conditions, onebidv1.ConditionReady)
		return ready.Reason
	}).Should(Equal(reason))
	return ready.Message
}
