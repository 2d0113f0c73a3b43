package lifecycle_test

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/testenv/build"
	"github.com/onebid-dev/onebid/test/harness"
)

// What admission cannot know shows in a condition that says what to do, and the Bid goes on by itself once it is done.
// What admission can know is tested in test/integration/admission.

func TestUnknownMarketplace(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey)
	x.Manager()
	bid := build.Bid(x.NS, "elsewhere", "1")
	x.Create(bid)
	lost := x.Reason(bid, onebidv1.ConditionAccepted, onebidv1.ReasonMarketplaceNotFound)
	x.G.Expect(harness.MessageOf(lost, onebidv1.ConditionStalled)).To(Equal(
		`There is no Marketplace "elsewhere" in namespace "` + x.NS + `": create it, or delete this Bid`))
	mkt := x.Sample(onebidv1.ClassIdempotencyKey)
	mkt.Name = "elsewhere"
	x.Create(mkt)
	x.State(bid, onebidv1.StateActive)
}

func TestMissingSecret(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, func(m *onebidv1.Marketplace) {
		m.Spec.CredentialsSecretRef = &onebidv1.SecretReference{Name: "other"}
	})
	x.Manager()
	bid := x.Bid("1")
	x.Reason(bid, onebidv1.ConditionAccepted, onebidv1.ReasonMarketplaceNotReady)
	x.G.Expect(x.notReady(onebidv1.ReasonCredentialsMissing)).To(And(
		ContainSubstring(`There is no Secret "other" in namespace "`+x.NS+`"`), ContainSubstring("create it there")))
	x.Create(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: x.NS, Name: "other"}, StringData: map[string]string{"token": x.Account()},
	})
	x.State(bid, onebidv1.StateActive)
}

func TestBrokenExpression(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, func(m *onebidv1.Marketplace) { m.Spec.HTTP.Bid.ID = "item.id +" })
	x.Manager()
	bid := x.Bid("1")
	x.Reason(bid, onebidv1.ConditionAccepted, onebidv1.ReasonMarketplaceNotReady)
	x.G.Expect(x.notReady(onebidv1.ReasonInvalidDriver)).To(And(
		ContainSubstring("spec.http.bid.id"), ContainSubstring("1:")), "the field and the position of the mistake")
	x.G.Eventually(func() error {
		mkt := &onebidv1.Marketplace{}
		if err := world.Env.Client.Get(t.Context(), harness.KeyOf(x.NS, "rest"), mkt); err != nil {
			return err
		}
		mkt.Spec.HTTP.Bid.ID = "item.id"
		return world.Env.Client.Update(t.Context(), mkt)
	}).Should(Succeed())
	x.State(bid, onebidv1.StateActive)
}

func TestPriceOverTheLimit(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey, func(m *onebidv1.Marketplace) {
		m.Spec.Limits = &onebidv1.MarketplaceLimits{MaxPrice: &onebidv1.Money{Amount: "249.50", Currency: "USD"}}
	})
	x.Manager()
	bid := x.Reason(x.Bid("1"), onebidv1.ConditionAccepted, onebidv1.ReasonPriceTooHigh)
	x.G.Expect(harness.MessageOf(bid, onebidv1.ConditionStalled)).To(Equal(
		`spec.price is 0.5 USD over maxPrice 249.50 USD of Marketplace "rest": raise the limit, or delete this Bid and bid less`))
	x.G.Expect(x.Row("1").PlaceCalls).To(BeZero())
}

// notReady waits for the Marketplace to say why it is not ready.
func (x *tenant) notReady(reason string) string {
	x.T.Helper()
	var ready *metav1.Condition
	x.G.Eventually(func() string {
		mkt := &onebidv1.Marketplace{}
		if err := world.Env.Client.Get(x.T.Context(), harness.KeyOf(x.NS, "rest"), mkt); err != nil {
			return err.Error()
		}
		ready = meta.FindStatusCondition(mkt.Status.Conditions, onebidv1.ConditionReady)
		return ready.Reason
	}).Should(Equal(reason))
	return ready.Message
}
