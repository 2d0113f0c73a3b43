package bid_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// A process that has just started has no connection yet to a Marketplace that is Ready. It writes nothing then, neither to Bids
// that are to be placed nor to those that are to be withdrawn. When the Marketplace is not Ready it does.
func TestAProcessThatIsNotConnectedYetWritesNothing(t *testing.T) {
	w := newWorld(t, onebidv1.ClassUniquePerPosting, newBid("a"))
	first := w.process("one")
	second := w.process("two")
	second.connections.Delete(client.ObjectKeyFromObject(newMarketplace("")))
	ready := func(status metav1.ConditionStatus) {
		w.change(func(m *onebidv1.Marketplace) {
			meta.SetStatusCondition(&m.Status.Conditions, metav1.Condition{Type: onebidv1.ConditionReady, Status: status, Reason: "Test"})
		})
	}
	ready(metav1.ConditionTrue)
	wait, requests := second.step()
	w.Expect(wait).To(Equal(10 * time.Second))
	w.Expect(requests).To(BeEmpty())

	first.step()
	w.Expect(w.placed()).To(Equal("True/Placed"))
	w.delete()
	_, requests = second.step()
	w.Expect(requests).To(BeEmpty())
	ready(metav1.ConditionFalse)
	second.step()
	w.Expect(w.events).To(HaveKey(onebidv1.ReasonMarketplaceNotReady))
}
