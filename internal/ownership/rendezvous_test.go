package ownership

import (
	"fmt"
	"slices"
	"testing"

	. "github.com/onsi/gomega"
	"pgregory.net/rapid"
)

func TestRendezvousWithoutMembers(t *testing.T) {
	NewWithT(t).Expect(rendezvous(nil, "k")).To(BeEmpty())
}

// A version that picked differently would make two replicas of one rolling upgrade act on the same postings.
func TestRendezvousIsPinned(t *testing.T) {
	g := NewWithT(t)
	members := []string{"controller/a_1", "controller/b_2", "controller/c_3"}
	var picks []string
	for i := range 6 {
		picks = append(picks, rendezvous(members, fmt.Sprintf("tenant/freelancer.%d", i))[len("controller/"):])
	}
	g.Expect(picks).To(Equal([]string{"b_2", "b_2", "a_1", "a_1", "b_2", "b_2"}))
}

func TestRendezvousMovesOnlyTheKeysOfTheMemberThatLeft(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := NewWithT(t)
		members := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{1,8}`), 2, 8, rapid.ID).Draw(t, "members")
		key := rapid.String().Draw(t, "key")
		chosen := rendezvous(members, key)
		g.Expect(members).To(ContainElement(chosen))
		g.Expect(rendezvous(rapid.Permutation(members).Draw(t, "order"), key)).To(Equal(chosen), "the order must not matter")

		left := rapid.SampledFrom(members).Draw(t, "left")
		rest := slices.DeleteFunc(slices.Clone(members), func(m string) bool { return m == left })
		if left != chosen {
			g.Expect(rendezvous(rest, key)).To(Equal(chosen))
		}
	})
}

func TestRendezvousSpreads(t *testing.T) {
	g := NewWithT(t)
	members := []string{"a", "b", "c", "d"}
	count := map[string]int{}
	for i := range 4000 {
		count[rendezvous(members, fmt.Sprintf("freelancer.%d", i))]++
	}
	for _, m := range members {
		g.Expect(count[m]).To(BeNumerically("~", 1000, 150), m)
	}
}
