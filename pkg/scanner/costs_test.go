package scanner_test

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/testenv/build"
	"github.com/onebid-dev/onebid/pkg/scanner"
	"github.com/onebid-dev/onebid/pkg/scanner/lock"
)

// mostRequests is what one look at a posting may cost when nobody competes for it.
const mostRequests = 4

// Rows of the table in docs/scanner.md.
const (
	rowCreated  = "`Process`, a Bid is created"
	rowAgainst  = "`Process`, a verdict against it"
	rowKnown    = "`Process`, an earlier verdict against it, or an ended bid"
	rowBid      = "`Process`, there is a Bid"
	rowSeen     = "`Process`, the same when this process knows it already"
	rowCools    = "`Process`, it cools down"
	rowUnasked  = "`Process`, it is stale, closed or paused, as this scanner knows"
	rowLocked   = "`Process`, it stays locked"
	byLease     = 1
	byOtherLock = 2
)

// Every result of Process, counted on the wire, is what docs/scanner.md says of it.
func TestCosts(t *testing.T) {
	w := newWorld(t)
	documented := documentedCosts(w)
	w.create(w.tombstone("cools", time.Now().Add(time.Hour)))
	withdrawn := onebidv1.BidRecord{Outcome: onebidv1.StateWithdrawn}
	stale := posting("stale", func(p *onebidv1.Posting) { p.Spec.CachedAt = &metav1.Time{Time: time.Now().Add(-48 * time.Hour)} })
	type process struct {
		*scanner.Scanner
		*wire
		column int
	}
	start := func(column int, l scanner.Locks) process {
		l.Timeout = 100 * time.Millisecond
		s, sent := w.scanner(locks(l))
		w.warm(s)
		return process{s, sent, column}
	}
	one, other := start(byLease, scanner.Locks{Type: lock.Lease}), start(byLease, scanner.Locks{Type: lock.Lease})
	memory, elsewhere := start(byOtherLock, scanner.Locks{Type: lock.Memory}), start(byOtherLock, scanner.Locks{Type: lock.Memory})
	for _, c := range []struct {
		why     string
		row     string
		by      process
		posting *onebidv1.Posting
		does    scanner.Evaluate
		want    scanner.Outcome
		cost    string
	}{
		{"new", rowCreated, one, posting("1"), suitable, scanner.Created, "POST leases, POST postings, POST bids"},
		{"created here", rowSeen, one, posting("1"), w.never(), scanner.Duplicate, "GET bids"},
		{"created elsewhere", rowBid, other, posting("1"), w.never(), scanner.Duplicate, "POST leases, GET bids"},
		{"learned here", rowSeen, other, posting("1"), w.never(), scanner.Duplicate, "GET bids"},
		{"created elsewhere", rowBid, elsewhere, posting("1"), w.never(), scanner.Duplicate, "GET leases, GET bids"},
		{"not worth it", rowAgainst, one, posting("2"), unsuitable, scanner.NotSuitable,
			"POST leases, POST postings, PATCH postings, DELETE leases"},
		{"judged here", rowSeen, one, posting("2"), w.never(), scanner.NotSuitable, "GET postings"},
		{"judged elsewhere", rowKnown, other, posting("2"), w.never(), scanner.NotSuitable,
			"POST leases, POST postings, GET postings, DELETE leases"},
		{"learned here", rowSeen, other, posting("2"), w.never(), scanner.NotSuitable, "GET postings"},
		{"judged elsewhere", rowKnown, elsewhere, posting("2"), w.never(), scanner.NotSuitable,
			"GET leases, POST postings, GET postings"},
		{"new", rowCreated, memory, posting("3"), suitable, scanner.Created, "GET leases, POST postings, POST bids"},
		{"not worth it", rowAgainst, memory, posting("4"), unsuitable, scanner.NotSuitable,
			"GET leases, POST postings, PATCH postings"},
		{"a bid ended", rowKnown, one, w.remembered("ended", withdrawn), w.never(), scanner.Ended,
			"POST leases, POST postings, GET postings, DELETE leases"},
		{"learned here", rowSeen, one, posting("ended"), w.never(), scanner.Ended, "GET postings"},
		{"cools down", rowCools, one, posting("cools"), w.never(), scanner.CoolingDown, "POST leases, GET bids, GET leases"},
		{"cools down", rowCools, memory, posting("cools"), w.never(), scanner.CoolingDown, "GET leases, GET bids"},
		{"stale", rowUnasked, one, stale, w.never(), scanner.Stale, ""},
		{"stale", rowUnasked, memory, stale, w.never(), scanner.Stale, ""},
	} {
		c.by.Sent()
		result := w.process(c.by.Scanner, c.posting, c.does)
		w.Expect(result.Outcome).To(Equal(c.want), c.why)
		// The Marketplace is read again every 10 s, whatever is processed.
		sent := slices.DeleteFunc(c.by.Sent(), func(what string) bool { return what == "GET marketplaces" })
		w.Expect(strings.Join(sent, ", ")).To(Equal(c.cost), "%s: %s", c.row, c.why)
		w.Expect(sent).To(HaveLen(documented(c.row, c.by.column)), "the table in docs/scanner.md, %s", c.row)
		w.Expect(len(sent)).To(BeNumerically("<=", mostRequests))
	}
	locked := func(holder, by process, want ...string) {
		held, err := holder.Acquire(t.Context(), "locked")
		w.Expect(err).NotTo(HaveOccurred())
		by.Sent()
		w.Expect(w.process(by.Scanner, posting("locked"), w.never()).Outcome).To(Equal(scanner.LockTimeout))
		sent := slices.DeleteFunc(by.Sent(), func(what string) bool { return what == "GET marketplaces" })
		w.Expect(sent).To(ConsistOf(want))
		w.Expect(sent).To(HaveLen(documented(rowLocked, by.column)))
		w.Expect(holder.Release(t.Context(), held)).To(Succeed())
	}
	locked(one, other, "POST leases", "GET bids", "GET leases", "WATCH bids", "WATCH postings", "WATCH leases", "GET leases",
		"GET bids", "GET postings")
	locked(memory, memory, "WATCH bids", "WATCH postings", "GET bids", "GET postings")
}

// documentedCosts reads the numbers that begin the cells of the table.
func documentedCosts(w *world) func(row string, column int) int {
	page, err := os.ReadFile(filepath.Join(env.Root, "docs", "scanner.md"))
	w.Expect(err).NotTo(HaveOccurred())
	return func(row string, column int) int {
		w.t.Helper()
		_, rest, found := strings.Cut(string(page), "| "+row+" |")
		w.Expect(found).To(BeTrue(), "no row %q in docs/scanner.md", row)
		line, _, _ := strings.Cut(rest, "\n")
		text := strings.TrimSpace(strings.Split(line, "|")[column-1])
		digits := strings.IndexFunc(text+":", func(r rune) bool { return r < '0' || r > '9' })
		number, err := strconv.Atoi(text[:digits])
		w.Expect(err).NotTo(HaveOccurred(), "%s: %q", row, text)
		return number
	}
}

// A Bid that somebody made by hand, without a Posting, and that the controller has not claimed, is paid for once.
func TestABidByHandIsEvaluatedAtMostOnce(t *testing.T) {
	w := newWorld(t)
	w.create(build.Bid(w.ns, marketName, "1"))
	first, _ := w.scanner()
	result := w.process(first, posting("1"), suitable)
	w.Expect(result.Outcome).To(Equal(scanner.Duplicate))
	w.Expect(result.Evaluated).To(BeTrue())
	second, _ := w.scanner()
	w.Expect(w.process(second, posting("1"), w.never()).Outcome).To(Equal(scanner.Duplicate))
	w.Expect(w.bids()).To(HaveLen(1))
	w.Expect(w.leases()).To(BeEmpty())
}
