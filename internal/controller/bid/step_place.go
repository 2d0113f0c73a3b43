package bid

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/account"
)

// steps are leaves: each does one thing and returns what is to be written. They write nothing, and none calls another one.
type steps struct{ *state }

const (
	// readFor is how long an uncached read of the Bid authorises a call.
	readFor = time.Second
	// reportWaitFrom is the wait from which on the status says why a Bid waits.
	reportWaitFrom = 10 * time.Second
	// reportAgeFrom is the age at which a waiting Bid gets a status message even if the next retry is near.
	reportAgeFrom = 30 * time.Second
	// longestDenial is after how long a Bid asks again for a slot at the rate limit: those ahead of it may have gone.
	longestDenial = 30 * time.Second
)

// admit waits for a slot of the account before the posting is claimed. The effect says why there is none now; nil admits.
func (st steps) admit(ctx context.Context, s *situation, plan bidding.Plan) *effect {
	answersPlaced := plan.Action == bidding.ActionAnswer && bidding.AnswerWord(bidding.Answer(s.bid)) == onebidv1.ResolvePlaced
	switch {
	case s.account == nil && (plan.Action == bidding.ActionResolve || plan.Action == bidding.ActionWithdraw || answersPlaced):
		return &effect{change: blocked(s)}
	case plan.Action == bidding.ActionWithdraw:
		if d := s.account.AdmitWithdraw(ctx, s.accountPriority()); d.Denied() {
			return &effect{after: st.deniedFor(d)}
		}
	case plan.Action == bidding.ActionPlace:
		if d := s.account.AdmitPlace(ctx, s.accountPriority(), s.bid.Spec.PostingID); d.Denied() {
			return st.waiting(s, d)
		}
	}
	return nil
}

func (st steps) deniedFor(d account.Denial) time.Duration {
	after := st.denied(d)
	if d.Reason == onebidv1.ReasonRateLimited {
		return min(after, longestDenial+st.spread(time.Second))
	}
	return after
}

// waiting says in the status what a Bid waits for, when that takes long, and only once: a thousand waiting Bids cost a thousand
// writes, however often the account is paused. The Marketplace's status has the times.
func (st steps) waiting(s *situation, d account.Denial) *effect {
	e := &effect{after: st.deniedFor(d)}
	long := e.after >= reportWaitFrom || st.Wall.Now().Sub(s.bid.CreationTimestamp.Time) >= reportAgeFrom
	if long && !bidding.ReportsWait(s.bid) {
		change := bidding.Waiting(s.bid.Spec.Marketplace, d.Reason, d.Until.Sub(st.Clock.Now()))
		e.change, e.after = &change, sooner(st.until(s.freshness.Until), e.after)
	}
	return e
}

// blocked says that nothing can be found out while there is no connection to the marketplace.
func blocked(s *situation) *bidding.Change {
	name := s.bid.Spec.Marketplace
	change := bidding.Blocked(onebidv1.ReasonMarketplaceNotReady, "Marketplace "+name+" is not Ready; see its conditions")
	if s.marketplace == nil {
		change = bidding.Blocked(onebidv1.ReasonMarketplaceNotFound, "Marketplace "+name+" is gone and a bid may be open there:"+
			" create it again, or end the bid there and set the annotation "+onebidv1.AnnotationAbandon)
	}
	return &change
}

// send makes the one place call. From here on the process remembers that it may have sent.
func (st steps) send(ctx context.Context, o *owned, step bidding.Step) (effect, error) {
	if o.plan.Action != bidding.ActionPlace { // repeating a key; ActionPlace was admitted before the claim
		if d := o.account.AdmitWithdraw(ctx, o.accountPriority()); d.Denied() {
			return effect{after: st.deniedFor(d)}, nil
		}
	}
	if err := st.refresh(ctx, o); err != nil {
		return effect{}, err
	}
	if stopped, err := st.placingStopped(ctx, o); err != nil || stopped {
		return st.clearUnused(o, errChanged), err
	}
	if err := st.authorize(o); err != nil {
		return effect{}, err
	}
	st.calls.start(o.live.UID, step.Attempt)
	o.reservation.Commit()
	remote, err := o.account.Place(ctx, o.accountPriority(), placeRequest(o.live))
	var learned *bidding.Remote
	o.lookup, o.attempt, o.reply = "", step.Attempt, bidding.Reply(marketplace.ClassOf(err))
	if o.replyErr = err; err == nil {
		o.remote, o.reply, learned = remote, bidding.ReplySuccess, remoteOf(remote, false)
	}
	st.calls.end(o.live.UID, st.Clock.Now(), learned)
	return effect{decide: true}, nil
}

// refresh reads the Bid again when the last read is too old to authorise a call. A Bid that changed is reconciled again.
func (st steps) refresh(ctx context.Context, o *owned) error {
	if st.Clock.Since(o.readAt) < readFor {
		return nil
	}
	o.readAt = st.Clock.Now()
	live, err := st.readLive(ctx, o.live)
	if err == nil && live.ResourceVersion != o.live.ResourceVersion {
		return errChanged
	}
	return err
}

// placingStopped is true when the Marketplace's mode no longer lets this Bid be placed. It is the last check before the call, on
// the cache: as late as the watch, without a request for each bid. A call that belongs to a withdrawal goes on.
func (st steps) placingStopped(ctx context.Context, o *owned) (bool, error) {
	if bidding.Withdrawing(o.live) {
		return false, nil
	}
	mkt := &onebidv1.Marketplace{}
	err := st.Client.Get(ctx, marketplaceOf(o.bid), mkt)
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	return err == nil && mkt.Spec.Mode != onebidv1.ModeLive, err
}

// clearUnused clears this process's intent, if it was not used.
func (st steps) clearUnused(o *owned, err error) effect {
	e := effect{err: err}
	if st.facts(o).UnusedIntent() {
		e.clear = []types.UID{o.live.UID}
	}
	return e
}

// authorize allows a call to start now. Without a Lease only a fresh read of the Bid does.
func (st steps) authorize(o *owned) error {
	if err := o.reservation.Authorize(o.timeout()); err != nil {
		return err
	}
	if o.claim != nil {
		return st.Leases.Authorize(o.claim, o.timeout())
	}
	if st.Clock.Since(o.readAt) >= readFor {
		return errChanged
	}
	return nil
}

func placeRequest(bid *onebidv1.Bid) marketplace.PlaceRequest {
	request := marketplace.PlaceRequest{
		PostingID: bid.Spec.PostingID, Price: bid.Spec.Price, DeliveryDays: bid.Spec.DeliveryDays, Proposal: bid.Spec.Proposal,
		IdempotencyKey: keyOf(bid, bid.UID), Attributes: make(map[string]string, len(bid.Spec.Attributes)),
	}
	for name, value := range bid.Spec.Attributes {
		request.Attributes[name] = string(value)
	}
	return request
}

func remoteOf(b marketplace.Bid, adopted bool) *bidding.Remote {
	return &bidding.Remote{ID: b.ID, URL: b.URL, PlacedAt: b.PlacedAt, State: b.State, Adopted: adopted}
}
