package main

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/testenv/build"
)

func bid(postingID string, conditions ...string) *v1alpha1.Bid {
	return build.Bid("demo", "rest", postingID, func(b *v1alpha1.Bid) {
		for _, kind := range conditions {
			b.Status.Conditions = append(b.Status.Conditions, metav1.Condition{Type: kind, Status: metav1.ConditionTrue})
		}
	})
}

func TestTracker(t *testing.T) {
	g := NewWithT(t)
	second := moment(time.Second)
	tr := newTracker([]string{"a", "b", "c"})
	tr.created("a", second)
	tr.saw(bid("a"), 2*second)
	g.Expect(tr.placed("a")).To(BeFalse())
	tr.saw(bid("a", "Placed"), 3*second)
	tr.saw(bid("a", "Placed"), 9*second) // a later change of something else
	g.Expect(tr.placed("a")).To(BeTrue())
	tr.saw(bid("b", "Placed"), 5*second) // quicker than the reply to its creation
	tr.created("b", 6*second)
	g.Expect(tr.tally()).To(Equal(tally{created: 2, active: 2}))

	notes := tr.snapshot()
	g.Expect(durations(notes, 0)).To(Equal([]time.Duration{0, 2 * time.Second}))
	g.Expect(durations(notes, 4*second)).To(Equal([]time.Duration{2 * time.Second}), "b was placed later")

	tr.saw(bid("b", "Placed", "Withdrawn"), 7*second)
	tr.lost(bid("a", "Placed"))
	g.Expect(tr.tally()).To(Equal(tally{created: 2, withdrawn: 2}))
	tr.saw(bid("stranger"), 8*second)
	g.Expect(tr.snapshot()).To(HaveKey("stranger"))
}

func TestPercentile(t *testing.T) {
	g := NewWithT(t)
	var d []time.Duration
	for i := range 200 {
		d = append(d, time.Duration(i+1))
	}
	g.Expect(percentile(d, 50)).To(Equal(time.Duration(100)))
	g.Expect(percentile(d, 99)).To(Equal(time.Duration(198)))
	g.Expect(percentile(d[:1], 99)).To(Equal(time.Duration(1)))
	g.Expect(percentile(nil, 50)).To(BeZero())
}

func TestFormats(t *testing.T) {
	g := NewWithT(t)
	g.Expect(grouped(0)).To(Equal("0"))
	g.Expect(grouped(999)).To(Equal("999"))
	g.Expect(grouped(20000)).To(Equal("20,000"))
	g.Expect(grouped(1234567)).To(Equal("1,234,567"))
	g.Expect(seconds(1500 * time.Millisecond)).To(Equal("1.5 s"))
	g.Expect(seconds(80 * time.Millisecond)).To(Equal("80 ms"))
	g.Expect(clockTime(63_240 * time.Millisecond)).To(Equal("1:03.2"))
}
