package simulation

import (
	"fmt"
	"time"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/testenv/build"
	"github.com/onebid-dev/onebid/test/history"
)

// do carries out one step.
func (w *world) do(s Step) {
	switch s.Action {
	case Create, Delete, Withdraw, Edit, Answer:
		w.use(s)
	case Award, Reject, PersonBids, PersonWithdraws:
		w.market.happen(s.Action, postingID(s.Which))
	case Crash:
		w.crash(s.Which, s.For)
	case Pause, CutAPI, CutMarket, Stale:
		r := w.replica(s.Which)
		what := map[Action]fault{Pause: paused, CutAPI: noAPI, CutMarket: noMarket, Stale: stale}[s.Action]
		w.note(r.name, "is %s for %s", what, s.For)
		r.addFault(what, s.For)
	default:
		panic(s.Action)
	}
}

// use is what users do. The API server refuses some of it.
func (w *world) use(s Step) {
	name := bidName(s.Which)
	var err error
	switch s.Action {
	case Create:
		bid := build.Bid(namespace, siteName, postingID(s.Which), build.Price(fmt.Sprint(100+len(w.owners)), "USD"))
		if err = w.api.create("user", bid); err != nil {
			w.journal.happened(history.Create, history.Refused, bid.Spec.PostingID, "", "")
		}
	case Delete:
		err = w.api.remove("user", name)
	case Withdraw:
		err = w.api.edit("user", name, func(bid *onebidv1.Bid) {
			if bid.Spec.Withdraw == nil {
				bid.Spec.Withdraw = &onebidv1.BidWithdraw{Reason: "changed our mind"}
			}
		})
	case Edit:
		if err = w.api.edit("user", name, func(bid *onebidv1.Bid) { bid.Spec.Price.Amount = "1" }); err == nil {
			w.violate("I3", "the price of Bid %s could be changed", name)
		}
	default:
		w.answer(name, postingID(s.Which))
	}
	if err != nil {
		w.note("user", "%s of %s is refused: %s", s.Action, name, err)
	}
}

// answer is what a careful person says of a Bid that is Indeterminate: they wait until nothing can be under way any more.
func (w *world) answer(name, posting string) {
	bid := w.api.bid(name)
	if bid == nil || !bidding.Indeterminate(bid) || !w.market.quiet() {
		return
	}
	word := onebidv1.ResolveNotPlaced
	w.market.mu.Lock()
	if len(w.market.liveOn(posting, true)) == 1 {
		word = onebidv1.ResolvePlaced
	}
	w.market.mu.Unlock()
	_ = w.api.edit("user", name, func(bid *onebidv1.Bid) { // it was there a moment ago, and nothing else runs
		if bid.Annotations == nil {
			bid.Annotations = map[string]string{}
		}
		bid.Annotations[onebidv1.AnnotationResolve] = fmt.Sprintf("%s:%d", word, time.Since(w.begun))
	})
}

// crash kills a replica. Another one of the same name begins after a while.
func (w *world) crash(index int, after time.Duration) {
	r := w.replica(index)
	if r.isDead() {
		return
	}
	w.note(r.name, "crashes for %s", after)
	r.stop()
	w.after(after, func() { w.start(index) })
}

// happen is what the posting's owner, or a person with the account, does to the one live bid.
func (m *market) happen(action Action, posting string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	live := m.liveOn(posting, true)
	if action == PersonBids {
		if len(live) == 0 || m.plan.Class != onebidv1.ClassUniquePerPosting {
			m.insert(&remote{posting: posting, state: onebidv1.RemoteLive, price: onebidv1.Money{Amount: "7", Currency: "USD"}})
			m.persons[posting] = true
			m.note("person", "bids on %s", posting)
		}
		return
	}
	if len(live) == 0 {
		return
	}
	state := map[Action]onebidv1.RemoteState{
		Award: onebidv1.RemoteAwardPending, Reject: onebidv1.RemoteRejected, PersonWithdraws: onebidv1.RemoteWithdrawn,
	}[action]
	live[0].state = state
	if action != Award {
		m.journal.happened(history.End, history.Done, posting, "", live[0].id)
	}
	m.note("person", "makes bid %s %s", live[0].id, state)
}
