package model

import "github.com/onebid-dev/onebid/internal/bidding"

// settled is true when every call that the settle wait covers has had its effect, and shows.
func (t *turn) settled() bool {
	if t.c.without.settleNotWaited {
		return true
	}
	for _, c := range t.s.calls {
		if c.stage == sent && c.covered && !c.beyond {
			return false
		}
	}
	for _, b := range t.s.market {
		if b.sight == hiddenCovered {
			return false
		}
	}
	return true
}

// lookedUp closes the open outcomes, when the look-up could tell.
func (t *turn) lookedUp() {
	for _, c := range t.s.calls {
		if c.stage == sent && !c.beyond {
			return
		}
	}
	for _, b := range t.s.market {
		if b.sight != visible {
			return
		}
	}
	t.s.open = 0
}

// keys of the Bids, by UID.
var keys = [maxUIDs + 1]string{"", "1", "2"}

// lookup is the driver's Lookup and bidding.Match on what it shows; id is the bid that Match speaks of.
func (t *turn) lookup(wasSent bool) (verdict bidding.Verdict, id uint8) {
	t.lookedUp()
	var found [maxRemotes]bidding.Found
	var ids [maxRemotes]uint8
	n := 0
	for i, b := range t.s.market {
		if b.uid == 0 || b.sight != visible {
			continue
		}
		found[n], ids[n] = bidding.Found{Open: b.live}, uint8(i)+1
		if t.c.keys {
			found[n].Key = keys[b.uid]
		}
		n++
	}
	match := bidding.Match(bidding.MatchInput{
		Found: found[:n], Key: keys[t.me.live.uid], StoresKey: t.c.keys, Sent: wasSent,
	})
	if match.Verdict != bidding.VerdictOurs {
		return match.Verdict, 0
	}
	return match.Verdict, ids[match.Index]
}

// record writes a fact to the Bid's status. A learned bid is added to whatever version there is, any other verdict
// counts only for the version that was read.
func (t *turn) record() {
	m, b := t.me, &t.s.bid
	uid, what := m.live.uid, m.what
	if b.uid != uid {
		t.gone()
		return
	}
	learned := what == factPlaced && !t.c.without.learnedNotAdded
	if !learned && !t.c.without.verdictOnAnyVersion && !b.sameStatus(m.live) {
		if what == factPlaced {
			m.flights[uid] = flight{} // the mutant gives up what it learned
		}
		m.rest()
		t.say("finds the Bid changed, and drops its verdict")
		return
	}
	t.apply(b)
	t.wrote = true
	t.say(factWords[what])
	m.live = *b
	switch what {
	case factPlaced, factAbsent:
		m.flights[uid] = flight{}
		m.prior, m.inherited = intents{}, false
		t.s.open &^= bit(uid)
	case factDuplicate, factNeverPlaced, factWithdrawn:
		m.flights[uid] = flight{}
	default:
	}
	if b.outcome != pending && m.held && m.bidUID == uid {
		m.pc, m.what = burying, factNone
		return
	}
	m.rest()
}

func (t *turn) apply(b *bid) {
	m := t.me
	attempts := max(m.attempt, b.attempts)
	switch m.what {
	case factPlaced:
		if b.placed == placedTrue && b.remote == m.id {
			return
		}
		b.placed, b.remote, b.outcome, b.indeterminate, b.attempts = placedTrue, m.id, pending, false, attempts
		if !t.s.market[m.id-1].live {
			b.outcome = withdrawn
		}
	case factUnknown:
		b.placed, b.outcome, b.attempts, b.indeterminate = placedUnknown, pending, attempts, false
	case factAbsent:
		b.placed, b.attempts = placedFalse, attempts
	case factDuplicate:
		b.placed, b.outcome, b.attempts, b.indeterminate = placedFalse, duplicate, attempts, false
	case factIndeterminate:
		b.placed, b.indeterminate = placedUnknown, true
	case factNeverPlaced:
		b.placed, b.outcome = placedFalse, withdrawn
	case factWithdrawn:
		b.outcome = withdrawn
	default:
	}
}

var factWords = map[fact]string{
	factPlaced: "records the bid", factUnknown: "records that the outcome is unknown", factAbsent: "records that nothing was placed",
	factDuplicate: "records a duplicate", factIndeterminate: "calls a person", factNeverPlaced: "records that nothing is to be withdrawn",
	factWithdrawn: "records the withdrawal",
}

// gone is what follows when the Bid to be written to is not there any more.
func (t *turn) gone() {
	m := t.me
	uid := m.live.uid
	t.say("comes to record, and finds the Bid gone")
	switch m.what {
	case factPlaced:
		t.s.open &^= bit(uid)
		t.s.owed |= bit(m.id)
		if !t.c.without.noHome {
			m.pc = homeless
			return
		}
		m.flights[uid] = flight{}
	case factAbsent, factDuplicate, factNeverPlaced, factWithdrawn:
		m.flights[uid] = flight{}
	default:
	}
	m.rest()
}

// withdrawUnaccounted withdraws a bid that was just learned of and has no Bid.
func (t *turn) withdrawUnaccounted() {
	m := t.me
	t.s.owed &^= bit(m.id) // from here on it is the sweep's, where this fails: the claim is left to be found
	if !m.beating {
		m.rest()
		t.say("is not certain of its ownership, and keeps the homeless bid in mind")
		return
	}
	if m.void && !t.rewrite() {
		return
	}
	uid := m.live.uid
	t.say("withdraws the homeless bid")
	t.s.market[m.id-1].live = false
	m.flights[uid] = flight{}
	if t.earlier() != (intents{}) {
		t.s.lease.intents[uid], m.known[uid] = 0, 0
		m.rest()
		return
	}
	m.pc = burying
}

// withdraw withdraws the open bid by its ID, and reads back.
func (t *turn) withdraw() {
	m := t.me
	if !t.authorized() {
		m.rest()
		t.say("is not certain of its ownership, and does not withdraw")
		return
	}
	t.s.market[m.live.remote-1].live = false
	m.pc = retracted
	t.say("withdraws the bid")
}

// bury makes the Lease the tombstone.
func (t *turn) bury() {
	m, l := t.me, &t.s.lease
	if !t.rewrite() {
		return
	}
	t.say("writes the tombstone")
	b := m.live
	if m.act == abandon {
		for uid, at := range l.intents {
			if at > 0 {
				t.s.abandoned |= bit(uint8(uid))
			}
		}
	}
	*l = lease{
		bidUID: b.uid, settled: true, cooldown: b.remote > 0 || b.placed == placedUnknown || m.act == abandon,
		givenUp: m.act == abandon && b.outcome == pending,
	}
	m.forgetClaim()
	if b.deleting && t.s.bid.uid == b.uid {
		m.pc = releasing
		return
	}
	m.rest()
}

// release removes the finalizer, from the very version that was read.
func (t *turn) release() {
	m, b := t.me, &t.s.bid
	if b.uid == m.live.uid {
		m.live.outcome = b.outcome // a deleted Bid gets no status write of its own
	}
	if *b != m.live {
		if b.uid == 0 {
			m.flights[m.live.uid] = flight{}
		}
		m.rest()
		t.say("finds the Bid changed, and leaves the finalizer")
		return
	}
	if m.act == abandon {
		t.s.abandoned |= bit(b.uid)
	}
	m.flights[b.uid] = flight{}
	t.say("removes the finalizer")
	t.wrote = true
	*b = bid{}
	m.rest()
}
