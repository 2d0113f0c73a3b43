package marketplace_test

import (
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/testenv/build"
)

// The Secret stays as long as a Bid needs it, and no longer, and the driver does not notice.
func TestSecretIsKeptWhileBidsNeedIt(t *testing.T) {
	f := start(t)
	one, two := f.secret("one", "good"), f.secret("two", "good")
	f.create(one, two, build.Marketplace(f.ns, "m", "https://example.com", withSecret("one")),
		build.Marketplace(f.ns, "other", "https://example.com", withSecret("two")))
	f.Eventually(f.condition("Ready")).Should(Equal(readyText))
	held := func(s *corev1.Secret) func() string {
		return func() string {
			f.clock.Step(time.Second)
			live := &corev1.Secret{}
			if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(s), live); err != nil {
				return "gone"
			}
			return strings.Join(live.Finalizers, " ")
		}
	}
	f.Consistently(held(one)).WithTimeout(300*time.Millisecond).Should(BeEmpty(), "nobody needs it yet")
	bid := build.Bid(f.ns, "m", "1", func(b *onebidv1.Bid) { b.Finalizers = []string{onebidv1.FinalizerWithdraw} })
	f.create(bid)
	f.Eventually(held(one)).Should(Equal(onebidv1.FinalizerInUse), "before the bid is live")
	f.Eventually(func() string { return f.get().Status.HeldSecret }).Should(Equal("one"))

	f.update(func(m *onebidv1.Marketplace) { m.Spec.CredentialsSecretRef.Name = "two" })
	f.Eventually(held(one)).Should(BeEmpty(), "another one is named")
	f.Eventually(held(two)).Should(Equal(onebidv1.FinalizerInUse))
	f.site.mu.Lock()
	built := f.site.built
	f.site.mu.Unlock()
	f.Expect(built).To(Equal(3), "one of each Marketplace and one for the new Secret, none for our own finalizers")

	f.Expect(env.Client.Delete(t.Context(), two)).To(Succeed())
	f.Consistently(held(two)).WithTimeout(300 * time.Millisecond).Should(Equal(onebidv1.FinalizerInUse))
	f.Expect(f.token()()).To(Equal("good"))
	f.Expect(env.Client.Delete(t.Context(), f.get())).To(Succeed())
	before := bid.DeepCopy()
	bid.Finalizers = nil
	f.Expect(env.Client.Patch(t.Context(), bid, client.MergeFrom(before))).To(Succeed())
	f.Expect(env.Client.Delete(t.Context(), bid)).To(Succeed())
	f.Eventually(held(two)).Should(Equal("gone"))
	f.Eventually(f.get).Should(BeNil())
}
