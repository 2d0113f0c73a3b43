package model

import (
	"time"

	"github.com/onebid-dev/onebid/internal/bidding"
)

type pc uint8

const (
	idle      pc = iota
	confirm      // saw a dead holder, and is about to take the Lease in the version that it read
	claimed      // holds the Lease, and is about to read the Bid live
	decided      // has read the Bid live
	looked       // has looked, nothing in the way: about to send
	calling      // waits for the marketplace
	writing      // about to write what to the Bid
	homeless     // learned of a bid whose Bid is gone
	clearing     // has withdrawn what earlier Bids left, about to clear their intents
	retracted    // has withdrawn the Bid's own bid
	burying      // about to write the tombstone
	releasing    // about to remove the finalizer
)

type action uint8

const (
	nothing action = iota
	place
	resolve
	withdraw
	report
	cancel
	writeTombstone
	finalize
	abandon
)

// actions are those of bidding.Next that the model knows; all others do nothing in it.
var actions = map[bidding.Action]action{
	bidding.ActionPlace: place, bidding.ActionResolve: resolve, bidding.ActionWithdraw: withdraw, bidding.ActionReport: report,
	bidding.ActionCancel: cancel, bidding.ActionWriteTombstone: writeTombstone, bidding.ActionFinalize: finalize,
	bidding.ActionAbandon: abandon,
}

var plans = [...]bidding.Action{
	nothing: bidding.ActionNone, place: bidding.ActionPlace, resolve: bidding.ActionResolve, withdraw: bidding.ActionWithdraw,
	report: bidding.ActionReport, cancel: bidding.ActionCancel, writeTombstone: bidding.ActionWriteTombstone,
	finalize: bidding.ActionFinalize, abandon: bidding.ActionAbandon,
}

type fact uint8

const (
	factNone fact = iota
	factPlaced
	factUnknown
	factAbsent
	factDuplicate
	factIndeterminate
	factNeverPlaced
	factWithdrawn
)

// turn is one step of one replica. It works on a copy of the state and says what it did.
type turn struct {
	c    *config
	s    state
	r    int
	me   *replica
	said string
	// moved is false when there was nothing to do; wrote is true for a write whose reply may be lost.
	moved, wrote bool
}

func (t *turn) say(what string) { t.said, t.moved = what, true }

func (t *turn) holder() uint8 { return uint8(t.r) + 1 }

// rest ends a reconcile; what a process knows of it is not kept.
func (m *replica) rest() {
	m.pc, m.act, m.live, m.what, m.attempt, m.id, m.exhumed = idle, nothing, bid{}, factNone, 0, 0, false
	m.fresh = false
}

// next plans on the cached Bid.
func (t *turn) next() action {
	m, b := t.me, t.me.cache
	if b.uid == 0 {
		return nothing
	}
	return actions[bidding.Next(bidding.Facts{
		Bid: t.view(b), Class: t.class(), Claimed: m.held && m.bidUID == b.uid, CallOpen: m.flights[b.uid].attempt > 0,
	}, time.Time{}).Action]
}

// begin starts a reconcile of the cached Bid.
func (t *turn) begin() {
	m := t.me
	m.act = t.next()
	switch m.act {
	case nothing:
		return
	case place, resolve, withdraw:
	default:
		if !t.leaseIsOurs() {
			m.live = m.cache
			t.say("sees on the live Lease that nothing was ever sent")
			t.finish()
			return
		}
	}
	t.own(false)
	if !t.moved {
		m.act = nothing
	}
}

func (t *turn) leaseIsOurs() bool {
	m, l, uid := t.me, &t.s.lease, t.me.cache.uid
	if m.held && m.bidUID == uid || m.flights[uid].attempt > 0 {
		return true
	}
	return l.intents[uid] > 0 || l.bidUID == uid && !l.settled
}

// intent that the claim is to carry; 0 for none.
func (t *turn) intent() uint8 {
	if t.me.act == place {
		return t.me.cache.attempts + 2
	}
	return 0
}

// readLive reads the Bid.
func (t *turn) readLive() {
	m := t.me
	if t.c.without.cacheAuthorises {
		m.live, m.pc = m.cache, decided
		t.say("trusts its cache")
		return
	}
	if t.s.bid.uid == m.cache.uid {
		m.live, m.pc = t.s.bid, decided
		t.say("reads the Bid live")
		return
	}
	t.say("reads the Bid live: it is gone")
	uid := m.cache.uid
	at := m.known[uid]
	used := at > 1 && m.cache.placed != placedUnknown && m.cache.attempts >= at-1 ||
		!m.fresh
	switch {
	case m.exhumed:
		if t.rewrite() {
			t.s.lease.holder = 0
			m.forgetClaim()
			m.rest()
		}
	case t.earlier() != intents{} || m.flights[uid].attempt > 0 || m.prior != intents{} || used:
		m.rest()
	default:
		m.live, m.pc = bid{uid: uid}, burying
	}
}

func (m *replica) forgetClaim() {
	m.held, m.prior, m.known, m.inherited, m.bidUID, m.void, m.ousted = false, intents{}, intents{}, false, 0, false, false
}

// earlier are the unresolved intents of other Bids.
func (t *turn) earlier() intents { return t.me.known.without(t.me.cache.uid) }

func (t *turn) write(what fact, attempt, id uint8) {
	m := t.me
	m.pc, m.what, m.attempt, m.id = writing, what, attempt, id
}
