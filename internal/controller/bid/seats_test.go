package bid

import (
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"
)

func TestAMarketplaceThatDoesNotAnswerHasFewSeats(t *testing.T) {
	g := NewWithT(t)
	s := newSeats()
	s.limit(8)
	mute, other := types.NamespacedName{Name: "mute"}, types.NamespacedName{Name: "other"}
	for range 8 {
		g.Expect(s.take(mute)).To(BeTrue(), "it may have every worker while it answers")
	}
	s.heard(mute, false)
	g.Expect(s.take(mute)).To(BeFalse())
	g.Expect(s.take(other)).To(BeTrue())
	for range 7 {
		s.leave(mute)
	}
	g.Expect(s.take(mute)).To(BeTrue())
	g.Expect(s.take(mute)).To(BeFalse(), "a quarter of the workers")
	s.heard(mute, true)
	g.Expect(s.take(mute)).To(BeTrue())
}
