package model

// step is the replica's next step, whatever it is.
func (t *turn) step() {
	switch t.me.pc {
	case idle:
		t.begin()
	case confirm:
		t.own(true)
	case claimed:
		t.readLive()
	case decided:
		t.decide()
	case looked:
		t.send(t.me.live.attempts + 1)
	case calling:
		t.reply()
	case writing:
		t.record()
	case homeless:
		t.retractOrphan()
	case clearing:
		if t.rewrite() {
			t.say("clears the intents of earlier Bids")
			t.s.lease.intents = t.s.lease.intents.only(t.me.cache.uid)
			t.me.known = t.s.lease.intents
			t.me.prior = t.me.prior.only(t.me.cache.uid)
			t.me.inherited = t.me.prior != (intents{})
			t.me.rest()
		}
	case retracted:
		if t.me.live.deleting {
			t.me.live.outcome, t.me.pc = withdrawn, burying
			t.say("believes the withdrawal")
		} else {
			t.say("believes the withdrawal")
			t.write(factWithdrawn, 0, 0)
		}
	case burying:
		t.bury()
	case releasing:
		t.release()
	}
}

// decide goes on with what the live Bid and the Lease say.
func (t *turn) decide() {
	m := t.me
	switch {
	case m.act == abandon:
		t.say("is told to abandon the Bid")
		t.end()
	case m.act == resolve:
		t.resolveOwned()
	case m.act == takeBack:
		t.withdraw()
	case t.isOpen():
		t.resolveOwned()
	case m.act != place && !m.live.sameStatus(m.cache):
		m.rest()
		t.say("sees that the Bid changed meanwhile")
	case m.act != place:
		t.say("is certain that no call is open")
		t.end()
	case m.live.withdrawing() || m.live.outcome != pending || m.live.placed != placedFalse || m.live.remote > 0 ||
		m.live.attempts != m.cache.attempts:
		t.unplaceable()
	case t.c.class == none || m.inherited || !t.c.keys:
		t.preflight()
	default:
		t.send(m.live.attempts + 1)
	}
}

// end is how cancel, tidy, finalize and abandon go on once no call is open.
func (t *turn) end() {
	m := t.me
	switch {
	case m.act == cancel && !t.c.without.keyNotBurned && t.c.class == idempotencyKey && m.live.attempts > 0:
		t.write(factUnknown, m.live.attempts, 0)
	case m.act == cancel && !m.live.deleting:
		t.write(factNeverPlaced, 0, 0)
	case m.held && m.bidUID == m.cache.uid:
		m.pc = burying
	case m.act == tidy:
		m.rest()
	default:
		m.pc = releasing
	}
}

// unplaceable takes back an intent that was not used.
func (t *turn) unplaceable() {
	m, uid := t.me, t.me.cache.uid
	unused := m.live.placed == placedFalse && m.known[uid] > m.live.attempts+1 && m.prior[uid] == 0
	if unused && !t.rewrite() {
		return
	}
	t.say("must not place")
	if unused {
		t.say("must not place, and takes its intent back")
		t.s.lease.intents[uid], m.known[uid] = 0, 0
	}
	m.rest()
}

func (t *turn) preflight() {
	m := t.me
	switch verdict, id := t.lookup(m.live.attempts > 0 && t.c.class != none); verdict {
	case factPlaced:
		t.say("looks before placing, and finds a bid of this Bid")
		t.write(factPlaced, m.live.attempts+1, id)
	case factAbsent:
		t.say("looks before placing, and finds nothing")
		m.pc = looked
	default:
		t.say("looks before placing, and finds another bid")
		t.write(factDuplicate, m.live.attempts+1, 0)
	}
}

// send starts the one call. What becomes of it is for the marketplace's turn to say.
func (t *turn) send(attempt uint8) {
	m := t.me
	if !t.authorized() {
		m.rest()
		t.say("is not certain of its ownership, and does not send")
		return
	}
	burning := t.c.class == idempotencyKey && t.s.open&^bit(m.live.uid) == 0 && m.live.placed == placedUnknown
	if t.s.open != 0 && !burning {
		t.s.broken = brokenI5
	}
	t.s.open |= bit(m.live.uid)
	m.flights[m.live.uid] = flight{attempt: attempt}
	t.s.calls[t.r] = call{stage: sent, uid: m.live.uid}
	m.pc, m.attempt = calling, attempt
	t.say("sends a place call")
}

// reply is the end of a call that the marketplace answered.
func (t *turn) reply() {
	m, c := t.me, &t.s.calls[t.r]
	if c.stage != answered {
		return
	}
	id, attempt := c.id, m.attempt
	*c = call{}
	t.s.coverHidden()
	if id > 0 {
		t.say("is told that its bid is placed")
		m.flights[m.live.uid].learned = id
		t.write(factPlaced, attempt, id)
		return
	}
	t.say("is told that there is a bid already, and looks")
	switch verdict, id := t.lookup(attempt > 1); verdict {
	case factPlaced:
		t.write(factPlaced, attempt, id)
	case factDuplicate:
		t.write(factDuplicate, attempt, 0)
	default:
		t.write(factUnknown, attempt, 0)
	}
}

func (t *turn) resolveOwned() {
	m := t.me
	uid := m.live.uid
	last := max(t.openPlace(), m.live.attempts, 1)
	switch f := m.flights[uid]; {
	case f.learned > 0 && m.live.remote == 0:
		t.say("remembers what it was told")
		t.write(factPlaced, last, f.learned)
	case t.openPlace() > 0 && m.live.placed != placedUnknown && !t.c.without.noFence:
		t.say("finds a call whose outcome is open, and fences")
		t.write(factUnknown, last, 0)
	case t.foreign() != intents{}:
		t.resolveForeign()
	case m.live.placed != placedUnknown && (!t.c.without.noFence || t.openPlace() == 0):
		t.say("sees that somebody resolved it")
		m.flights[uid] = flight{}
		m.rest()
	case !t.settled():
		t.say("waits for calls to settle")
		m.rest()
	default:
		t.lookAndConclude(last)
	}
}

func (t *turn) lookAndConclude(attempt uint8) {
	m := t.me
	verdict, id := t.lookup(true)
	switch {
	case verdict == factPlaced:
		t.say("looks, and finds its bid")
		t.write(factPlaced, attempt, id)
	case verdict == factDuplicate:
		t.say("looks, and finds another bid")
		t.write(factDuplicate, attempt, 0)
	case verdict == factIndeterminate || t.c.class == none:
		t.say("looks, and cannot tell")
		t.write(factIndeterminate, attempt, 0)
	case t.c.class == idempotencyKey && m.live.withdrawing() && !t.c.without.keyNotBurned:
		t.send(attempt)
		t.say("looks, finds nothing, and burns the key")
	default:
		t.say("looks, and finds nothing")
		t.write(factAbsent, attempt, 0)
	}
}

func (t *turn) resolveForeign() {
	m := t.me
	if !t.settled() {
		t.say("waits for earlier Bids' calls to settle")
		m.rest()
		return
	}
	left, told := t.foreign(), 0
	shown, count, orphans := false, 0, []int{}
	for uid, at := range left {
		if at > 0 {
			count++
			if m.flights[uid].learned > 0 {
				told++
			}
		}
	}
	t.lookedUp()
	for i, b := range t.s.market {
		switch {
		case !b.live || b.sight != visible:
		case t.c.keys && left[b.uid] > 0 || left[b.uid] > 0 && m.flights[b.uid].learned == uint8(i)+1:
			orphans = append(orphans, i)
		default:
			shown = true
		}
	}
	if !t.c.keys && told < count && (shown || t.c.class == none) {
		t.say("cannot tell what an earlier Bid left")
		t.write(factIndeterminate, 0, 0)
		return
	}
	if len(orphans) > 0 && !t.authorized() {
		m.rest()
		t.say("is not certain of its ownership, and withdraws nothing")
		return
	}
	for _, i := range orphans {
		t.s.market[i].live = false
	}
	for uid, at := range left {
		if at > 0 {
			m.flights[uid] = flight{}
		}
	}
	m.pc = clearing
	t.say("withdraws what earlier Bids left")
}
