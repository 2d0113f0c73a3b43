package bid

import (
	"context"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
)

// lookUp lists the account's bids on the posting and judges whose they are.
func (st steps) lookUp(ctx context.Context, o *owned, step bidding.Step) effect {
	if o.reply == "" && o.plan.Action != bidding.ActionPlace {
		if d := o.account.Denied(o.accountPriority()); d.Denied() {
			return effect{after: st.denied(d)}
		}
	}
	o.found, o.lookupErr = o.account.Find(ctx, o.query(), o.bid.Spec.PostingID)
	if o.lookupErr != nil {
		o.lookup = bidding.VerdictFailed
		return effect{decide: true}
	}
	in := bidding.MatchInput{
		Key: keyOf(o.live, o.live.UID), StoresKey: o.account.Capabilities().StoresKey, Sent: step.Sent, Price: o.live.Spec.Price,
	}
	for _, b := range o.found {
		in.Found = append(in.Found, bidding.Found{Key: b.IdempotencyKey, Open: b.Open(), Amount: b.Amount, Currency: b.Currency})
	}
	o.match = bidding.Match(in)
	o.lookup = o.match.Verdict
	o.earlier, o.earlierCertain = st.leftByEarlier(o)
	return effect{decide: true}
}

// leftByEarlier returns the open bids that earlier Bids left, known by their keys and by the replies that this process saw. That
// is not certain where the marketplace stores no keys, or the Lease cannot be read, and another bid is open, or may be without
// being shown.
func (st steps) leftByEarlier(o *owned) (ids []string, certain bool) {
	intents := o.earlierIntents()
	keys, learned := map[string]bool{}, map[string]bool{}
	for _, intent := range intents {
		keys[keyOf(o.bid, intent.BidUID)] = true
		if call, ok := st.calls.get(intent.BidUID); ok && call.learned != nil {
			learned[call.learned.ID] = true
		}
	}
	others := 0
	for _, b := range o.found {
		switch {
		case !b.Open():
		case learned[b.ID] || keys[b.IdempotencyKey]:
			ids = append(ids, b.ID)
		default:
			others++
		}
	}
	_, unreadable := intents.Of("")
	if o.account.Capabilities().StoresKey && !unreadable || len(learned) == len(intents) {
		return ids, true
	}
	return ids, others == 0 && o.account.Spec().Class != onebidv1.ClassNone
}
