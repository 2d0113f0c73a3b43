package main

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/onebid-dev/onebid/api/v1alpha1"
)

func TestPostingIDs(t *testing.T) {
	g := NewWithT(t)
	ids := postingIDs(7, 2000)
	g.Expect(postingIDs(7, 2000)).To(Equal(ids), "every process makes them by itself")
	g.Expect(postingIDs(8, 2000)).NotTo(Equal(ids))

	names, ignoringCase := map[string]bool{}, map[string]bool{}
	for _, id := range ids {
		name, err := v1alpha1.Key{Marketplace: "rest", PostingID: id}.Name()
		g.Expect(err).NotTo(HaveOccurred(), id)
		names[name] = true
		ignoringCase[strings.ToLower(id)] = true
	}
	g.Expect(names).To(HaveLen(2000), "each is a posting of its own")
	g.Expect(len(ignoringCase)).To(BeNumerically("<", 2000), "some differ in letter case only")
}

func TestWithdrawals(t *testing.T) {
	g := NewWithT(t)
	ids := postingIDs(1, 100)
	byDelete, bySpec := withdrawals(1, ids, 11)
	g.Expect(byDelete).To(HaveLen(5))
	g.Expect(bySpec).To(HaveLen(6))
	seen := map[string]bool{}
	for _, id := range append(byDelete, bySpec...) {
		g.Expect(seen).NotTo(HaveKey(id))
		g.Expect(ids).To(ContainElement(id))
		seen[id] = true
	}
}

func TestScannerOrder(t *testing.T) {
	g := NewWithT(t)
	g.Expect(scannerOrder(1, 0, 50)).NotTo(Equal(scannerOrder(1, 1, 50)))
	g.Expect(scannerOrder(1, 0, 50)).To(ConsistOf(scannerOrder(2, 0, 50)), "everybody tries every posting")
}
