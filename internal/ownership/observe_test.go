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
	o := NewObserver(10)
	g.Expect(o.See("a", Record{UID: "1", ResourceVersion: "5"}, epochStart)).To(Equal(epochStart))
	later := epochStart.Add(time.Minute)
	g.Expect(o.See("a", Record{UID: "1", ResourceVersion: "5"}, later)).To(Equal(epochStart))
	g.Expect(o.See("a", Record{UID: "1", ResourceVersion: "6"}, later)).To(Equal(later), "it was written")
	g.Expect(o.See("a", Record{UID: "2", ResourceVersion: "6"}, later.Add(1))).To(Equal(later.Add(1)), "it is another Lease")
	record, since, known := o.Since("a")
	g.Expect(known).To(BeTrue())
	g.Expect(record.UID).To(BeEquivalentTo("2"))
	g.Expect(since).To(Equal(later.Add(1)))

	o.Forget("a")
	o.Forget("never seen")
	_, _, known = o.Since("a")
	g.Expect(known).To(BeFalse())
}

func TestObserverForgetsWhatWasSeenLongestAgo(t *testing.T) {
	g := NewWithT(t)
	o := NewObserver(2)
	o.See("a", Record{UID: "1"}, epochStart)
	o.See("b", Record{UID: "1"}, epochStart)
	o.See("a", Record{UID: "1"}, epochStart.Add(1))
	o.See("c", Record{UID: "1"}, epochStart.Add(2))
	_, _, known := o.Since("b")
	g.Expect(known).To(BeFalse())
	_, since, known := o.Since("a")
	g.Expect(known).To(BeTrue())
	g.Expect(since).To(Equal(epochStart))
}

func TestRecordOf(t *testing.T) {
	g := NewWithT(t)
	g.Expect(RecordOf(nil)).To(Equal(Record{}))
	g.Expect(RecordOf(&coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{UID: "1", ResourceVersion: "7"}})).
		To(Equal(Record{UID: "1", ResourceVersion: "7", Duration: DefaultTTL}))
}

// However sightings come, memory stays bounded and "since" is never earlier than the record's first sighting in a row.
func TestObserverProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := NewWithT(t)
		o := NewObserver(3)
		first := map[string]time.Time{}
		last := map[string]Record{}
		for i := range rapid.IntRange(1, 60).Draw(t, "sightings") {
			name := rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}).Draw(t, "name")
			record := Record{UID: "1", ResourceVersion: rapid.SampledFrom([]string{"1", "2"}).Draw(t, "version")}
			now := epochStart.Add(time.Duration(i) * time.Second)
			if seen, ok := last[name]; !ok || seen != record {
				first[name], last[name] = now, record
			}
			g.Expect(o.See(name, record, now)).NotTo(BeTemporally("<", first[name]))
			g.Expect(len(o.byName)).To(And(BeNumerically("<=", 3), Equal(o.byUsage.Len())))
		}
	})
}
