package model

// own makes one attempt to hold the posting for the cached Bid.
func (t *turn) own(confirmed bool) {
	m, l, uid := t.me, &t.s.lease, t.me.cache.uid
	if !m.beating {
		return
	}
	if m.held && !m.void && m.bidUID == uid && m.known[uid] >= t.intent() && !confirmed {
		m.pc = claimed
		t.say("goes on with the claim that it has")
		return
	}
	if l.holder != 0 && l.holder != t.holder() && !confirmed {
		if t.dead(l.holder) {
			m.pc = confirm
			t.say("finds the holder dead")
		}
		return
	}
	if l.settled {
		if l.bidUID == uid && !t.c.without.tombstoneOpen {
			t.exhume()
			return
		}
		if l.cooldown && !t.c.without.noCooldown {
			if confirmed {
				m.rest()
				t.say("meets a cooldown")
			}
			return
		}
	}
	t.take(false)
}

// exhume takes the tombstone of a Bid that is still there.
func (t *turn) exhume() {
	m := t.me
	if t.s.bid.uid != m.cache.uid || m.act == place {
		if m.pc == confirm {
			m.rest()
			t.say("leaves the tombstone of its Bid alone")
		}
		return
	}
	t.take(true)
	m.exhumed = true
}

func (t *turn) dead(holder uint8) bool {
	if holder == deadHolder || t.c.without.deathUnconfirmed {
		return true
	}
	return !t.s.reps[holder-1].beating
}

// take writes the Lease, intent included.
func (t *turn) take(keepTombstone bool) {
	m, l, uid := t.me, &t.s.lease, t.me.cache.uid
	past, old := l.intents, *l
	if l.bidUID != 0 && !l.settled && l.bidUID != uid && past[l.bidUID] == 0 {
		past[l.bidUID] = 1
	}
	if t.c.without.intentsAreOverwritten {
		past = past.only(uid)
	}
	continued := m.held && !m.ousted && l.holder == t.holder() && m.bidUID == uid
	if l.holder != t.holder() {
		t.cover()
		other := &t.s.reps[1-t.r]
		other.ousted = other.held
	}
	l.intents, l.holder = past, t.holder()
	if want := t.intent(); want > 0 && (want > past[uid] || t.c.without.earlierAttemptWins) {
		l.intents[uid] = want
	}
	m.known, m.fresh = l.intents, old.bidUID != uid || old.settled
	if !l.settled || !keepTombstone {
		l.settled, l.cooldown, l.givenUp, l.bidUID = false, false, false, uid
	}
	t.leaseWritten()
	t.say("writes itself and its intent to the Lease")
	if !continued {
		m.prior = past
		claim := old.bidUID != 0 && !old.settled
		other := old.holder != 0 && old.holder != t.holder()
		m.inherited = past != intents{} || claim || other || old.givenUp
	}
	m.held, m.ousted, m.bidUID, m.void, m.pc = true, false, uid, false, claimed
}

// leaseWritten makes the other replica's compare-and-swap fail.
func (t *turn) leaseWritten() {
	t.wrote = true
	if other := &t.s.reps[1-t.r]; other.pc == confirm {
		other.rest()
	}
}

// cover notes what a settle wait that starts now waits for.
func (t *turn) cover() {
	for i := range t.s.calls {
		t.s.calls[i].covered = t.s.calls[i].stage == sent
	}
	t.s.coverHidden()
}

// coverHidden is for the end of a call: what it left is waited for, too.
func (s *state) coverHidden() {
	for i := range s.market {
		if s.market[i].sight == hidden {
			s.market[i].sight = hiddenCovered
		}
	}
}

// rewrite is a compare-and-swap in the replica's own tenure.
func (t *turn) rewrite() bool {
	m := t.me
	if !m.held || m.ousted || t.s.lease.holder != t.holder() {
		m.forgetClaim()
		m.rest()
		t.say("finds that it has lost the Lease")
		return false
	}
	m.void = m.void && !m.beating // a write of a lapsed epoch proves nothing once the heartbeat is back
	t.leaseWritten()
	return true
}

func (t *turn) authorized() bool { return t.me.beating && t.me.held && !t.me.void }
