package ownership

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
)

func TestObserverKnowsSinceWhenARecordIsUnchanged(t *testing.T) {
	g := NewWithT(t)
	o := newObserver(10)
	g.Expect(o.see("a", record{uid: "1", resourceVersion: "5"}, epochStart)).To(Equal(epochStart))
	later := epochStart.Add(time.Minute)
	g.Expect(o.see("a", record{uid: "1", resourceVersion: "5"}, later)).To(Equal(epochStart))
	g.Expect(o.see("a", record{uid: "1", resourceVersion: "6"}, later)).To(Equal(later), "it was written")
	g.Expect(o.see("a", record{uid: "2", resourceVersion: "6"}, later.Add(1))).To(Equal(later.Add(1)), "it is another Lease")
	last, known := o.last("a")
	g.Expect(known).To(BeTrue())
	g.Expect(last).To(Equal(sighting{record{uid: "2", resourceVersion: "6"}, later.Add(1)}))

	o.forget("a")
	o.forget("never seen")
	_, known = o.last("a")
	g.Expect(known).To(BeFalse())
}

func TestObserverForgetsWhatWasSeenLongestAgo(t *testing.T) {
	g := NewWithT(t)
	o := newObserver(2)
	o.see("a", record{uid: "1"}, epochStart)
	o.see("b", record{uid: "1"}, epochStart)
	o.see("a", record{uid: "1"}, epochStart.Add(1))
	o.see("c", record{uid: "1"}, epochStart.Add(2))
	_, known := o.last("b")
	g.Expect(known).To(BeFalse())
	last, known := o.last("a")
	g.Expect(known).To(BeTrue())
	g.Expect(last.since).To(Equal(epochStart))
}

func TestRecordOf(t *testing.T) {
	g := NewWithT(t)
	g.Expect(recordOf(&coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{UID: "1", ResourceVersion: "7"}})).
		To(Equal(record{uid: "1", resourceVersion: "7", duration: defaultTTL}))
}

// However sightings come, memory stays bounded and "since" is never earlier than the record's first sighting in a row.
func TestObserverProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := NewWithT(t)
		o := newObserver(3)
		first := map[string]time.Time{}
		last := map[string]record{}
		for i := range rapid.IntRange(1, 60).Draw(t, "sightings") {
			name := rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}).Draw(t, "name")
			found := record{uid: "1", resourceVersion: rapid.SampledFrom([]string{"1", "2"}).Draw(t, "version")}
			now := epochStart.Add(time.Duration(i) * time.Second)
			if seen, ok := last[name]; !ok || seen != found {
				first[name], last[name] = now, found
			}
			g.Expect(o.see(name, found, now)).NotTo(BeTemporally("<", first[name]))
			g.Expect(o.byRef.Len()).To(BeNumerically("<=", 3))
		}
	})
}
