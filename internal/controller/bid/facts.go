package bid

import (
	"time"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"

	"k8s.io/apimachinery/pkg/api/equality"
)

// facts are what Decide is given.
func (st steps) facts(o *owned) bidding.Owned {
	uid := o.live.UID
	f := bidding.Owned{
		Plan: o.plan.Action, Bid: bidding.ViewOf(o.live), Changed: changed(o), Lease: o.lease,
		EarlierBids: len(o.earlierIntents()) > 0, Lookup: o.lookup, EarlierCertain: o.earlierCertain,
		Reply: o.reply, Attempt: o.attempt, Connected: o.account != nil,
	}
	if o.account != nil {
		spec := o.account.Spec()
		f.Class, f.Preflight = spec.Class, spec.Preflight == onebidv1.PreflightAlways
		f.StoresKey, f.Settled = o.account.Capabilities().StoresKey, st.settleWait(o) <= 0
	}
	if o.claim != nil {
		f.Inherited = o.claim.Inherited
		prior, _ := o.claim.Prior.Of(uid)
		noted, _ := o.claim.Intents.Of(uid)
		f.PriorAttempt, f.NotedAttempt = prior.Attempt, noted.Attempt
	}
	if call, open := st.calls.get(uid); open {
		f.CallAttempt, f.CallLearned = call.attempt, call.learned != nil
	}
	return f
}

// changed compares the uncached Bid with the cached one that the plan was made on.
func changed(o *owned) bool {
	if o.plan.Action == bidding.ActionPlace {
		return o.live.Generation != o.bid.Generation ||
			bidding.Attempts(o.live, onebidv1.OperationPlace) != bidding.Attempts(o.bid, onebidv1.OperationPlace)
	}
	return o.live.ResourceVersion != o.bid.ResourceVersion && !equality.Semantic.DeepEqual(o.live.Status, o.bid.Status)
}

// settleWait is how long to wait until every call that any holder may have started has either taken effect and is shown, or
// never will. It counts from the take-over, or from the end of this process's own calls, those for earlier Bids too.
func (st steps) settleWait(o *owned) time.Duration {
	settle := o.account.SettleTime()
	if o.claim == nil {
		return st.settleWaitWithoutLease(o, settle)
	}
	from := o.claim.AcquiredAt
	for _, uid := range append(o.earlierUIDs(), o.live.UID) {
		if call, ok := st.calls.get(uid); ok && call.ended.After(from) {
			from = call.ended
		}
	}
	return from.Add(settle).Sub(st.Clock.Now())
}

// settleWaitWithoutLease counts from the fence, by the API server's clock, so that a restart does not begin it anew. Without a
// take-over, which takes as long as a heartbeat, a call may start as late as an uncached read allows: the wait is longer by
// that, and by the margin that it relies on. Times in the API are cut to seconds.
func (st steps) settleWaitWithoutLease(o *owned, settle time.Duration) time.Duration {
	var wait time.Duration
	if since := o.live.Status.SettlingSince; since != nil {
		wait = since.Add(settle + time.Second + readFor + st.Leases.Margin()).Sub(st.Wall.Now())
	}
	if call, ok := st.calls.get(o.live.UID); ok && !call.ended.IsZero() {
		wait = max(wait, call.ended.Add(settle).Sub(st.Clock.Now()))
	}
	return wait
}
