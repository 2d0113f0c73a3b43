package bid_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// A guard that passed must not stay in the status until the next attempt, which may be a day off.
func TestABidBetweenAttemptsDoesNotNameAGuardThatPassed(t *testing.T) {
	w := newWorld(t, onebidv1.ClassUniquePerPosting, newBid("a"))
	p := w.process("one")
	w.errors["place"] = []error{refused(onebidv1.ErrorQuotaExhausted)}
	p.step()
	next := w.stored().Status.Attempts.NextTime
	w.mode(onebidv1.ModeSuspended)
	p.step()
	w.Expect(w.accepted().Reason).To(Equal(onebidv1.ReasonMarketplaceSuspended))
	w.mode(onebidv1.ModeLive)
	p.step()
	w.Expect(w.accepted().Status).To(Equal(metav1.ConditionTrue))
	w.Expect(w.placed()).To(Equal("False/QuotaExhausted"))
	attempts := w.stored().Status.Attempts
	w.Expect(attempts.NextTime).To(Equal(next))
	w.Expect(attempts.Count).To(Equal(int32(1)))
	w.Expect(attempts.LastError).NotTo(BeEmpty())
	wait, requests := p.step()
	w.Expect(requests).To(BeEmpty())
	w.Expect(wait).To(Equal(30 * time.Minute))
}
