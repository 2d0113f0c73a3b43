package history

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/onebid-dev/onebid/internal/marketsim"
)

var epoch = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// from and to are seconds; no end is for ever.
func op(from, to int, o Operation) Operation {
	o.Key, o.Call = "posting", epoch.Add(time.Duration(from)*time.Second)
	if to > 0 {
		o.Return = epoch.Add(time.Duration(to) * time.Second)
	}
	if o.Outcome == "" {
		o.Outcome = Done
	}
	return o
}

func TestCheck(t *testing.T) {
	placed := op(1, 2, Operation{Kind: Place, Owner: "a", ID: "1"})
	unknown := op(1, 20, Operation{Kind: Place, Owner: "a", Outcome: Unknown})
	for _, tc := range []struct {
		why string
		ok  bool
		ops []Operation
	}{
		{"one bid, seen", true, []Operation{placed, op(3, 4, Operation{Kind: Lookup, Seen: []string{"1"}})}},
		{"two bids", false, []Operation{placed, op(3, 4, Operation{Kind: Place, Owner: "b", ID: "2"})}},
		{"two bids of one owner", false, []Operation{placed, op(3, 4, Operation{Kind: Place, Owner: "a", ID: "2"})}},
		{"the same key again", true, []Operation{placed, op(3, 4, Operation{Kind: Place, Owner: "a", ID: "1", Again: true})}},
		{"a second after the first was withdrawn", true, []Operation{
			placed, op(3, 4, Operation{Kind: Withdraw, ID: "1"}), op(5, 6, Operation{Kind: Place, Owner: "b", ID: "2"}),
		}},
		{"a second while the first was perhaps withdrawn: it was", true, []Operation{
			placed, op(3, 9, Operation{Kind: Withdraw, ID: "1", Outcome: Unknown}), op(5, 6, Operation{Kind: Place, Owner: "b", ID: "2"}),
		}},
		{"a second after the first ended by itself", true, []Operation{
			placed, op(3, 3, Operation{Kind: End, ID: "1"}), op(5, 6, Operation{Kind: Place, Owner: "b", ID: "2"}),
		}},
		{"a second after a withdrawal that was refused", false, []Operation{
			placed, op(3, 4, Operation{Kind: Withdraw, ID: "1", Outcome: Refused}), op(5, 6, Operation{Kind: Place, Owner: "b", ID: "2"}),
		}},
		{"unknown, not there, and again: it had no effect yet", true, []Operation{
			unknown, op(5, 6, Operation{Kind: Lookup}), op(7, 8, Operation{Kind: Place, Owner: "a", ID: "1"}),
		}},
		{"unknown, and there, and another one", false, []Operation{
			unknown, op(5, 6, Operation{Kind: Lookup, Seen: []string{"1"}}), op(7, 8, Operation{Kind: Place, Owner: "b", ID: "2"}),
		}},
		{"unknown, not there, another one, and then there", false, []Operation{
			unknown, op(5, 6, Operation{Kind: Lookup}), op(7, 8, Operation{Kind: Place, Owner: "b", ID: "2"}),
			op(9, 10, Operation{Kind: Lookup, Seen: []string{"1"}}),
		}},
		{"not shown although it was placed long ago", false, []Operation{placed, op(3, 4, Operation{Kind: Lookup})}},
		{"not shown while it is being placed", true, []Operation{
			op(1, 5, Operation{Kind: Place, Owner: "a", ID: "1"}), op(3, 4, Operation{Kind: Lookup}),
		}},
		{"two seen", false, []Operation{placed, op(3, 4, Operation{Kind: Lookup, Seen: []string{"1", "2"}})}},
		{"a Bid that goes and leaves its bid", false, []Operation{
			op(0, 1, Operation{Kind: Create, Owner: "a"}), placed, op(3, 3, Operation{Kind: Gone, Owner: "a"}),
		}},
		{"a Bid beside another", false, []Operation{
			op(0, 1, Operation{Kind: Create, Owner: "a"}), op(2, 3, Operation{Kind: Create, Owner: "b"}),
		}},
		{"a Bid refused beside another", true, []Operation{
			op(0, 1, Operation{Kind: Create, Owner: "a"}), op(2, 3, Operation{Kind: Create, Owner: "b", Outcome: Refused}),
		}},
		{"a Bid refused beside none", false, []Operation{op(2, 3, Operation{Kind: Create, Owner: "b", Outcome: Refused})}},
	} {
		t.Run(tc.why, func(t *testing.T) {
			g := NewWithT(t)
			err := Check(tc.ops, 10*time.Second)
			if tc.ok {
				g.Expect(err).NotTo(HaveOccurred())
			} else {
				g.Expect(err).To(MatchError(ContainSubstring("no order of the operations on posting has")))
			}
		})
	}
}

func TestPostingsAreApart(t *testing.T) {
	g := NewWithT(t)
	one := op(1, 2, Operation{Kind: Place, Owner: "a", ID: "1"})
	other := op(3, 4, Operation{Kind: Place, Owner: "b", ID: "2"})
	other.Key = "another"
	g.Expect(Check([]Operation{one, other}, 10*time.Second)).To(Succeed())
}

func TestFromLedger(t *testing.T) {
	call := func(seq int64, verb marketsim.Verb, key, id string) marketsim.Record {
		return marketsim.Record{Seq: seq, Kind: marketsim.KindCall, Verb: verb, Key: key, BidID: id}
	}
	effect := func(seq, call int64, e marketsim.Effect, id string) marketsim.Record {
		return marketsim.Record{Seq: seq, Kind: marketsim.KindEffect, Call: call, Effect: e, BidID: id}
	}
	reply := func(seq, call int64, status int, id string) marketsim.Record {
		return marketsim.Record{Seq: seq, Kind: marketsim.KindReply, Call: call, Status: status, BidID: id}
	}
	place, withdraw := marketsim.VerbPlace, marketsim.VerbWithdraw
	for _, tc := range []struct {
		why     string
		ok      bool
		records []marketsim.Record
	}{
		{"placed, withdrawn, placed again", true, []marketsim.Record{
			call(1, place, "a", ""), effect(2, 1, marketsim.EffectPlaced, "1"), reply(3, 1, 201, "1"),
			call(4, withdraw, "", "1"), effect(5, 4, marketsim.EffectWithdrawn, "1"), reply(6, 4, 200, "1"),
			call(7, place, "b", ""), effect(8, 7, marketsim.EffectPlaced, "2"), reply(9, 7, 201, "2"),
		}},
		{"carried out without a reply, and told by the same key", true, []marketsim.Record{
			call(1, place, "a", ""), effect(2, 1, marketsim.EffectPlaced, "1"), reply(3, 1, 502, "1"),
			call(4, place, "a", ""), reply(5, 4, 201, "1"),
		}},
		{"carried out late, beside another", false, []marketsim.Record{
			call(1, place, "a", ""), reply(2, 1, 0, ""),
			call(3, place, "b", ""), effect(4, 3, marketsim.EffectPlaced, "1"), reply(5, 3, 201, "1"),
			effect(6, 1, marketsim.EffectPlaced, "2"),
		}},
		{"ended by its owner, and another one", true, []marketsim.Record{
			call(1, place, "a", ""), effect(2, 1, marketsim.EffectPlaced, "1"), reply(3, 1, 201, "1"),
			effect(4, 0, marketsim.EffectRejected, "1"),
			call(5, place, "b", ""), effect(6, 5, marketsim.EffectPlaced, "2"), reply(7, 5, 201, "2"),
		}},
		{"a reply that tells of a bid which the market does not have", false, []marketsim.Record{
			call(1, place, "a", ""), effect(2, 1, marketsim.EffectPlaced, "1"), reply(3, 1, 201, "1"),
			call(4, withdraw, "", "1"), reply(5, 4, 200, "1"),
			effect(6, 0, marketsim.EffectAwardPending, "1"), call(7, place, "b", ""), effect(8, 7, marketsim.EffectPlaced, "2"),
		}},
	} {
		t.Run(tc.why, func(t *testing.T) {
			g := NewWithT(t)
			for i := range tc.records {
				r := &tc.records[i]
				r.Market, r.Account, r.Posting = "rest", "us", "p"
				r.Time = epoch.Add(time.Duration(r.Seq) * time.Second)
			}
			g.Expect(Check(FromLedger(tc.records), 10*time.Second) == nil).To(Equal(tc.ok))
		})
	}
}
