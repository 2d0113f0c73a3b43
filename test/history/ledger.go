package history

import (
	"maps"
	"slices"

	"github.com/onebid-dev/onebid/internal/marketsim"
)

// FromLedger gives the operations in a simulator's ledger. A place or withdrawal is what its caller saw of it;
// after every effect comes a Lookup by the oracle, which sees everything. Postings are those of one account at one market.
// Markets that get a second bid by a person's hand with the same account have two live bids, and the check says so.
func FromLedger(records []marketsim.Record) []Operation {
	l := &ledger{calls: map[int64]int{}, live: map[string]map[string]bool{}}
	for i := range records {
		switch r := &records[i]; r.Kind {
		case marketsim.KindCall:
			l.call(r)
		case marketsim.KindEffect:
			l.effect(r)
		case marketsim.KindReply:
			l.reply(r)
		case marketsim.KindSetting:
		}
	}
	return l.operations
}

type ledger struct {
	operations []Operation
	calls      map[int64]int              // seq of a call → its operation
	live       map[string]map[string]bool // IDs by posting
}

func keyOf(r *marketsim.Record) string { return r.Market + "/" + r.Account + "/" + r.Posting }

// call begins an operation, whose outcome is unknown until a reply is found.
func (l *ledger) call(r *marketsim.Record) {
	o := Operation{Key: keyOf(r), Outcome: Unknown, Owner: r.Key, Call: r.Time}
	switch r.Verb {
	case marketsim.VerbPlace:
		o.Kind, o.Again = Place, true
	case marketsim.VerbWithdraw:
		o.Kind, o.ID = Withdraw, r.BidID
	default:
		return
	}
	l.calls[r.Seq] = len(l.operations)
	l.operations = append(l.operations, o)
}

func (l *ledger) effect(r *marketsim.Record) {
	key := keyOf(r)
	live := l.live[key]
	if live == nil {
		live = map[string]bool{}
		l.live[key] = live
	}
	at, called := l.calls[r.Call]
	switch r.Effect {
	case marketsim.EffectPlaced:
		live[r.BidID] = true
		if called {
			l.operations[at].Again = false
		}
	case marketsim.EffectWithdrawn, marketsim.EffectLost, marketsim.EffectRejected, marketsim.EffectExpired, marketsim.EffectAwarded:
		delete(live, r.BidID)
		if !called {
			l.operations = append(l.operations, Operation{Key: key, Kind: End, Outcome: Done, ID: r.BidID, Call: r.Time, Return: r.Time})
		}
	case marketsim.EffectReinstated:
		// A bid that came back was never away, as far as anybody may rely on it.
		live[r.BidID] = true
		l.operations = append(l.operations, Operation{
			Key: key, Kind: Place, Outcome: Done, Owner: r.Key, ID: r.BidID, Call: r.Time, Return: r.Time,
		})
	default:
		return
	}
	l.operations = append(l.operations, Operation{
		Key: key, Kind: Lookup, Outcome: Done, Seen: slices.Sorted(maps.Keys(live)), Call: r.Time, Return: r.Time,
	})
}

// reply ends an operation whose caller got the outcome.
func (l *ledger) reply(r *marketsim.Record) {
	at, found := l.calls[r.Call]
	if !found {
		return
	}
	o := &l.operations[at]
	switch {
	case r.Status >= 200 && r.Status < 300:
		o.Outcome, o.ID = Done, r.BidID
	case r.Status >= 400 && r.Status < 500:
		o.Outcome = Refused
	default:
		return
	}
	o.Return = r.Time
}
