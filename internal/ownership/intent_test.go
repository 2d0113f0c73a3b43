package ownership

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

var anIntent = rapid.Custom(func(t *rapid.T) Intent {
	return Intent{
		Operation: rapid.SampledFrom([]onebidv1.AttemptOperation{onebidv1.OperationPlace, onebidv1.OperationWithdraw}).Draw(t, "op"),
		BidUID:    types.UID(rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "uid")),
		Attempt:   rapid.Int32Range(0, 20).Draw(t, "attempt"),
		Key:       rapid.StringMatching(`[0-9a-f]{0,64}`).Draw(t, "key"),
		Time:      epochStart.Add(time.Duration(rapid.Int64Range(0, 1e15).Draw(t, "time"))),
	}
})

var someIntents = rapid.Custom(func(t *rapid.T) Intents {
	var intents Intents
	for _, i := range rapid.SliceOfN(anIntent, 0, 6).Draw(t, "intents") {
		intents = intents.With(i)
	}
	return intents
})

func TestIntentsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := NewWithT(t)
		intents := someIntents.Draw(t, "intents")
		shuffled := rapid.Permutation(intents).Draw(t, "shuffled")
		g.Expect(shuffled.Format()).To(Equal(intents.Format()), "the order must not matter")

		parsed, err := ParseIntents(intents.Format())
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(parsed).To(ConsistOf([]Intent(intents)))
	})
}

// Rule 1 of the protocol: a new intent never erases another Bid's.
func TestIntentsOfOthersStay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := NewWithT(t)
		intents, added := someIntents.Draw(t, "intents"), anIntent.Draw(t, "added")
		before := intents.Format()
		with := intents.With(added)

		g.Expect(intents.Format()).To(Equal(before), "With must not change its receiver")
		g.Expect(with.Without(added.BidUID).Format()).To(Equal(intents.Without(added.BidUID).Format()))
		found, ok := with.Of(added.BidUID)
		g.Expect(ok).To(BeTrue())
		g.Expect(found).To(Equal(added))
		_, ok = with.Without(added.BidUID).Of(added.BidUID)
		g.Expect(ok).To(BeFalse())
		g.Expect(intents.not(with)).To(BeEmpty())
		g.Expect(with.kept(with)).To(HaveLen(len(with)))
	})
}

func TestIntentsKeptAreUnchanged(t *testing.T) {
	g := NewWithT(t)
	prior := Intents{*placing("a", 1), *placing("b", 1)}
	elsewhere := *placing("b", 1)
	elsewhere.Time = elsewhere.Time.In(time.FixedZone("", 3600))
	g.Expect(prior.kept(Intents{*placing("a", 2), elsewhere})).To(Equal(Intents{*placing("b", 1)}))
	g.Expect(prior.not(Intents{*placing("a", 2)})).To(Equal(Intents{*placing("b", 1)}))
}

func TestUnreadableIntentsAreNeverNone(t *testing.T) {
	for _, c := range []struct{ text, why string }{
		{"not JSON", "a person edited it"},
		{`{"op":"Place","bidUID":"a"}`, "an object and no list"},
		{`null`, "JSON's nothing is not ours"},
		{`[{"op":"Place"}]`, "no Bid"},
		{`[{"op":"Place","bidUID":"a"},{"op":"Steal","bidUID":"b"}]`, "an operation of a newer version"},
	} {
		g := NewWithT(t)
		intents, err := ParseIntents(c.text)
		g.Expect(err).To(MatchError(ContainSubstring("unreadable")), c.why)
		g.Expect(intents).To(Equal(Intents{{Raw: c.text}}), c.why)
		g.Expect(intents[0].Unknown()).To(BeTrue())

		// It survives that another intent is added, and is still unknown afterwards.
		again, err := ParseIntents(intents.With(*placing("z", 1)).Format())
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(again).To(ConsistOf(Intent{Raw: c.text}, *placing("z", 1)))
	}
}

func TestNoIntents(t *testing.T) {
	g := NewWithT(t)
	for _, text := range []string{"", "[]"} {
		intents, err := ParseIntents(text)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(intents).To(BeEmpty())
	}
	g.Expect(Intents{}.Format()).To(BeEmpty())
}
