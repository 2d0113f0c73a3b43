package main

import (
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketsim"
)

// ledger writes the records of one account in the market rest, a second apart.
type ledger struct {
	records []marketsim.Record
	bids    map[string]string // the last bid of each posting
}

var start = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func (l *ledger) add(r marketsim.Record) *ledger {
	r.Seq = int64(len(l.records)) + 1
	r.Time = start.Add(time.Duration(r.Seq) * time.Second)
	r.Market, r.Account = "rest", account
	l.records = append(l.records, r)
	return l
}

func (l *ledger) place(posting, bidID string) *ledger {
	if l.bids == nil {
		l.bids = map[string]string{}
	}
	l.bids[posting] = bidID
	l.add(marketsim.Record{Kind: marketsim.KindCall, Verb: marketsim.VerbPlace, Posting: posting})
	call := int64(len(l.records))
	l.add(marketsim.Record{Kind: marketsim.KindEffect, Call: call, Effect: marketsim.EffectPlaced, Posting: posting, BidID: bidID})
	return l.add(marketsim.Record{Kind: marketsim.KindReply, Call: call, Verb: marketsim.VerbPlace, Posting: posting, BidID: bidID})
}

func (l *ledger) withdraw(posting string) *ledger {
	return l.add(marketsim.Record{
		Kind: marketsim.KindEffect, Effect: marketsim.EffectWithdrawn, Posting: posting, BidID: l.bids[posting],
	})
}

// fourPostings is a plan of four postings, of which c is to be deleted and d withdrawn.
func fourPostings() plan {
	return plan{
		market: "rest", account: account, class: v1alpha1.ClassIdempotencyKey,
		postings: []string{"a", "b", "c", "d"}, byDelete: []string{"c"}, bySpec: []string{"d"},
	}
}

func allPlaced() *ledger {
	return (&ledger{}).place("a", "1").place("b", "2").place("c", "3").place("d", "4")
}

// allWell is the ledger and the notes of a run of that plan in which everything went as it should.
func allWell() (*ledger, map[string]note) {
	l := allPlaced().withdraw("c").withdraw("d")
	placed := note{Acks: 1, Seen: true, Placed: true, State: "Active"}
	gone, withdrawn := placed, placed
	gone.Gone = true
	withdrawn.Withdrawn, withdrawn.State = true, "Withdrawn"
	return l, map[string]note{"a": placed, "b": placed, "c": gone, "d": withdrawn}
}

func TestVerdictKept(t *testing.T) {
	g := NewWithT(t)
	l, notes := allWell()
	v := judge(fourPostings(), l.records, notes, time.Time{})
	g.Expect(v.Broken).To(BeEmpty())
	g.Expect(v).To(Equal(verdict{PlaceCalls: 4, Bids: 4, Live: 2, Withdrawn: 2}))
	g.Expect(fourPostings().missing(notes)).To(BeEmpty())
}

func TestVerdictBroken(t *testing.T) {
	for _, test := range []struct {
		name    string
		why     string
		spoil   func(l *ledger, notes map[string]note)
		posting string
		says    string
	}{
		{
			name: "double placement", why: "two live bids on one posting are what onebid exists to prevent",
			spoil:   func(l *ledger, _ map[string]note) { l.place("b", "9") },
			posting: "b", says: "placed 2 times, 2 of them live at once",
		},
		{
			name: "placed again after a withdrawal", why: "nothing was bid on again, so it is a bid too many",
			spoil:   func(l *ledger, _ map[string]note) { l.place("d", "9").withdraw("d") },
			posting: "d", says: "placed 2 times",
		},
		{
			name: "deleted and still live", why: "a Bid that is gone must not leave a bid behind",
			spoil:   func(l *ledger, _ map[string]note) { *l = *allPlaced().withdraw("d") },
			posting: "c", says: "still live after withdrawal by delete: bid [3]",
		},
		{
			name: "withdrawn and still live", why: "Withdrawn=True is a claim about the marketplace",
			spoil:   func(l *ledger, _ map[string]note) { *l = *allPlaced().withdraw("c") },
			posting: "d", says: "still live after withdrawal by spec.withdraw: bid [4]",
		},
		{
			name: "never placed", why: "a Bid that nobody withdrew must not get lost",
			spoil: func(l *ledger, notes map[string]note) {
				*l = *(&ledger{}).place("a", "1").place("c", "3").place("d", "4").withdraw("c").withdraw("d")
				notes["b"] = note{Acks: 1, Seen: true, State: "Pending", Reason: "NotPlaced", Message: "waiting"}
			},
			posting: "b", says: "lost: no bid was ever placed; the Bid is Pending (NotPlaced: waiting)",
		},
		{
			name: "withdrawn without a wish", why: "the cluster says Active and the marketplace has nothing",
			spoil:   func(l *ledger, _ map[string]note) { l.withdraw("a") },
			posting: "a", says: "lost: no live bid is left",
		},
		{
			name: "not deleted", why: "a delete that hangs is not done, even when the bid is not live any more",
			spoil: func(_ *ledger, notes map[string]note) {
				n := notes["c"]
				n.Gone = false
				notes["c"] = n
			},
			posting: "c", says: "the withdrawal by delete has not ended",
		},
		{
			name: "two creations", why: "the name is the unique index",
			spoil: func(_ *ledger, notes map[string]note) {
				n := notes["a"]
				n.Acks = 2
				notes["a"] = n
			},
			posting: "a", says: "acknowledged 2 creations",
		},
		{
			name: "stranger", why: "a bid on a posting that no scanner found is somebody's money",
			spoil:   func(l *ledger, _ map[string]note) { l.place("z", "9") },
			posting: "z", says: "no scanner found",
		},
		{
			name: "other account", why: "a call without the account's token went somewhere else",
			spoil: func(l *ledger, _ map[string]note) {
				l.place("a", "9")
				for i := range l.records {
					if l.records[i].BidID == "9" {
						l.records[i].Account = ""
					}
				}
			},
			posting: "a", says: `by account ""`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := NewWithT(t)
			l, notes := allWell()
			test.spoil(l, notes)
			v := judge(fourPostings(), l.records, notes, time.Time{})
			g.Expect(v.Broken).To(ContainElement(And(
				HaveField("Posting", test.posting), HaveField("What", ContainSubstring(test.says)),
			)), test.why)

			var table strings.Builder
			writeTable(&table, result{settings: settings{market: "rest"}, verdict: v})
			g.Expect(table.String()).To(ContainSubstring("BROKEN PROMISES"))
			g.Expect(table.String()).To(ContainSubstring(test.says))
			g.Expect(table.String()).NotTo(ContainSubstring("Every promise was kept"))
			g.Expect(conclusion(v)).To(MatchError(errBroken))
		})
	}
}

func TestVerdictOfClassNone(t *testing.T) {
	g := NewWithT(t)
	l, notes := allWell()
	*l = *(&ledger{}).place("a", "1").place("c", "3").place("d", "4").withdraw("c").withdraw("d")
	notes["b"] = note{Acks: 1, Seen: true, State: "Indeterminate", Stalled: v1alpha1.ReasonIndeterminate}

	p := fourPostings()
	g.Expect(judge(p, l.records, notes, time.Time{}).Broken).NotTo(BeEmpty(), "other classes leave nothing to a person")

	p.class = v1alpha1.ClassNone
	v := judge(p, l.records, notes, time.Time{})
	g.Expect(v.Broken).To(BeEmpty())
	g.Expect(v.Waiting).To(Equal(1))
	g.Expect(p.missing(notes)).To(BeEmpty())

	l.place("b", "8").place("b", "9")
	g.Expect(judge(p, l.records, notes, time.Time{}).Broken).To(ConsistOf(HaveField("What", ContainSubstring("placed 2 times"))),
		"at most once holds there too")
}

func TestCutOff(t *testing.T) {
	g := NewWithT(t)
	l := (&ledger{}).place("a", "1").place("b", "2") // b: call at 4 s, reply at 6 s
	at := func(seconds float64) int {
		return cutOff(l.records, "rest", start.Add(time.Duration(seconds*float64(time.Second))))
	}
	g.Expect(at(0.5)).To(Equal(0))
	g.Expect(at(4.5)).To(Equal(1))
	g.Expect(at(6.5)).To(Equal(0))
	g.Expect(cutOff(l.records, "rest", time.Time{})).To(Equal(0), "nobody was killed")
}

func TestMissing(t *testing.T) {
	g := NewWithT(t)
	g.Expect(fourPostings().missing(nil)).To(HaveLen(4))
	_, notes := allWell()
	n := notes["d"]
	n.Withdrawn, n.Reason, n.Message = false, "AuthenticationFailed", "401"
	notes["d"] = n
	g.Expect(fourPostings().missing(notes)).To(ConsistOf(
		broken{"d", "not withdrawn by spec.withdraw: the Bid is Withdrawn (AuthenticationFailed: 401)"}))
}
