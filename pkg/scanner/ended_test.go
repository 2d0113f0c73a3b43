package scanner_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/testenv/build"
	"github.com/onebid-dev/onebid/pkg/scanner"
	"github.com/onebid-dev/onebid/pkg/scanner/lock"
)

// remembered is a Posting whose bids ended as given, the latest one first. Their Bids are gone.
func (w *world) remembered(id string, ends ...onebidv1.BidRecord) *onebidv1.Posting {
	w.t.Helper()
	p := build.Posting(w.ns, marketName, id)
	w.create(p)
	for i := range ends {
		ends[i].UID = string(rune('a' + i))
		ends[i].EndedAt = new(metav1.Now())
	}
	p.Status.History = ends
	w.Expect(env.Client.Status().Update(w.t.Context(), p)).To(Succeed())
	return p
}

// Who withdrew a bid does not want it back as soon as the cooldown is over.
func TestABidThatEndedIsNotBidAgain(t *testing.T) {
	w := newWorld(t)
	withdrawn := onebidv1.BidRecord{Outcome: onebidv1.StateWithdrawn, Reason: "Too little time"}
	w.remembered("withdrawn", withdrawn)
	w.remembered("refused", onebidv1.BidRecord{Outcome: onebidv1.StateRejected})
	w.remembered("abandoned", onebidv1.BidRecord{Outcome: onebidv1.StateIndeterminate})
	w.remembered("lapsed", onebidv1.BidRecord{Outcome: onebidv1.StateExpired}, withdrawn)
	w.remembered("after", onebidv1.BidRecord{Outcome: onebidv1.StateWithdrawn}, onebidv1.BidRecord{Outcome: onebidv1.StateExpired})
	alive := w.remembered("alive", withdrawn)
	alive.Status.ActiveBid = &onebidv1.ActiveBid{Name: alive.Name, UID: "z"}
	w.Expect(env.Client.Status().Update(t.Context(), alive)).To(Succeed())
	w.create(build.Bid(w.ns, marketName, "alive"))
	// The cooldown of this one is over.
	w.create(w.tombstone("withdrawn", time.Now().Add(-time.Second)))

	s, _ := w.scanner()
	elsewhere, _ := w.scanner(locks(scanner.Locks{Type: lock.Memory}))
	for id, reason := range map[string]string{
		"withdrawn": "the last bid ended as Withdrawn: Too little time; delete its Posting, or set Options.Rebid, to have it bid on again",
		"refused":   "the last bid ended as Rejected; delete its Posting, ",
		"abandoned": "the last bid ended as Indeterminate; ",
		"after":     "the last bid ended as Withdrawn; ",
	} {
		for _, by := range []*scanner.Scanner{s, elsewhere} {
			result := w.process(by, posting(id), w.never())
			w.Expect(result.Outcome).To(Equal(scanner.Ended), id)
			w.Expect(result.Reason).To(HavePrefix(reason))
			should, err := by.ShouldBid(t.Context(), posting(id))
			w.Expect(err).NotTo(HaveOccurred())
			w.Expect(should.Outcome).To(Equal(scanner.Ended), id)
		}
	}
	w.Expect(w.process(s, posting("alive"), w.never()).Outcome).To(Equal(scanner.Duplicate))
	w.Expect(w.process(s, posting("lapsed"), suitable).Outcome).To(Equal(scanner.Created))

	again, _ := w.scanner(func(o *scanner.Options) { o.Rebid = true })
	w.Expect(w.process(again, posting("withdrawn"), suitable).Outcome).To(Equal(scanner.Created))
	w.Expect(env.Client.Delete(t.Context(), w.posting("refused"))).To(Succeed())
	w.Expect(w.process(s, posting("refused"), suitable).Outcome).To(Equal(scanner.Created))
}
