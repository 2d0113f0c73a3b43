package model

const (
	fine violation = iota
	brokenI1
	brokenI2
	brokenI5
	stuck
)

var violationWords = map[violation]string{
	fine:     "holds",
	brokenI1: "I1 is broken: two live bids of one key",
	brokenI2: "I2 is broken: the Bid is gone and a bid of it is live",
	brokenI5: "I5 is broken: a second place while an outcome is open",
	stuck:    "no quiescent good state can be reached, and no person is called",
}

// who acts.
type who uint8

const (
	replicaA who = iota
	replicaB
	site
	clock
	user
)

var names = [...]string{"replica A", "replica B", "the marketplace", "time", "the user"}

// edge is one step. Only progress counts as a way out: nobody may rely on a fault or on the user.
type edge struct {
	to       state
	by       who
	said     string
	progress bool
}

func (c *config) initial() state {
	s := state{faults: c.faults, whims: c.whims}
	for r := range s.reps {
		s.reps[r].up, s.reps[r].beating = true, true
	}
	return s
}

// steps are all that can happen next.
func (c *config) steps(s *state, out func(edge)) {
	for r := range s.reps {
		c.replicaSteps(s, r, out)
	}
	c.siteSteps(s, out)
	c.userSteps(s, out)
	if s.lease.cooldown && !s.underway() {
		t := *s
		t.lease.cooldown = false
		out(edge{t, clock, "the cooldown ends", true})
	}
}

func (c *config) replicaSteps(s *state, r int, out func(edge)) {
	m, by := &s.reps[r], who(r)
	with := func(said string, progress bool, change func(*state, *replica)) {
		t := *s
		change(&t, &t.reps[r])
		out(edge{t, by, said, progress})
	}
	if !m.up {
		with("starts again", true, func(_ *state, m *replica) { m.up, m.beating = true, true })
		return
	}
	t := &turn{c: c, s: *s, r: r}
	t.me = &t.s.reps[r]
	t.step()
	if t.moved {
		out(edge{t.s, by, t.said, true})
	}
	if t.wrote && s.faults > 0 {
		out(edge{t.replyLost(s), by, t.said + ", but the reply is lost", false})
	}
	if m.pc == idle && m.cache != s.bid {
		with("sees the Bid's present version in its cache", true, func(t *state, m *replica) { m.cache = t.bid })
	}
	if !m.beating {
		with("has its heartbeat acknowledged again", true, func(_ *state, m *replica) { m.beating = true })
	}
	if s.faults == 0 {
		return
	}
	if m.beating && m.held {
		with("has a lapse of its heartbeat", false, func(t *state, m *replica) {
			t.faults--
			m.beating, m.void = false, !c.without.lapseKeepsTokens
		})
	}
	c.faultsOf(s, r, with)
}

// replyLost is the state in which the API server has what the turn wrote, and the replica knows nothing of it.
func (t *turn) replyLost(before *state) state {
	s, mine := t.s, before.reps[t.r]
	s.faults--
	// A learned bid it goes on to record, and adds to what it finds; any other reconcile ends.
	if mine.what != factPlaced && mine.pc != homeless {
		mine.rest()
	}
	if before.lease.holder != t.holder() && s.lease.holder == t.holder() {
		mine.ousted = mine.held // it does not know that this is another tenure
	}
	s.reps[t.r] = mine
	return s
}

func (c *config) faultsOf(s *state, r int, with func(string, bool, func(*state, *replica))) {
	m := &s.reps[r]
	spare := s.spareCall()
	if m.pc == calling && (s.calls[r].stage == answered || spare > 0) {
		with("gets no reply in time", false, func(t *state, m *replica) {
			t.faults--
			t.giveUp(r, spare)
			m.pc, m.what = writing, factUnknown
			if c.without.flightsForgotten {
				m.flights[m.live.uid] = flight{}
			}
		})
	}
	if m.pc == writing {
		with("cannot reach the API server to record, and gives up", false, func(t *state, m *replica) {
			t.faults--
			m.rest()
		})
	}
	if m.pc != calling || s.calls[r].stage == answered || spare > 0 {
		with("crashes", false, func(t *state, m *replica) {
			t.faults--
			t.giveUp(r, spare)
			if t.lease.holder == uint8(r)+1 {
				t.lease.holder = deadHolder
			}
			cache := m.cache
			*m = replica{cache: cache}
			t.owed = 0 // what it learned died with it; its claim is left to be found
		})
	}
}

// spareCall is the place of a call that its sender gives up; 0 when there is none.
func (s *state) spareCall() int {
	for i := len(s.reps); i < maxCalls; i++ {
		if s.calls[i].stage == noCall {
			return i
		}
	}
	return 0
}

func (s *state) giveUp(r, spare int) {
	if s.calls[r].stage == sent {
		s.calls[spare] = s.calls[r]
		s.calls[spare].covered = true
	}
	s.calls[r] = call{}
	s.coverHidden()
}

// underway is true while something may still take effect or come to be seen, within the bounds.
func (s *state) underway() bool {
	for _, c := range s.calls {
		if c.stage == sent && !c.beyond {
			return true
		}
	}
	for _, b := range s.market {
		if b.sight != visible {
			return true
		}
	}
	return false
}

func (c *config) siteSteps(s *state, out func(edge)) {
	for i, call := range s.calls {
		if call.stage != sent {
			continue
		}
		t := *s
		c.commit(&t, i, visible)
		out(edge{t, site, "carries out the place call", true})
		if s.faults > 0 {
			t := *s
			t.faults--
			c.commit(&t, i, hidden)
			out(edge{t, site, "carries out the place call and does not show it yet", false})
		}
		if i >= len(s.reps) {
			t := *s
			t.calls[i] = noCallAtAll
			out(edge{t, site, "never sees the place call", true})
		}
		if c.beyond && s.faults > 0 && !call.beyond {
			t := *s
			t.faults--
			t.calls[i].beyond = true
			out(edge{t, clock, "the place call is on its way for longer than every bound", false})
		}
	}
	for i, b := range s.market {
		if b.sight != visible {
			t := *s
			t.market[i].sight = visible
			out(edge{t, site, "shows the bid", true})
		}
	}
}

var noCallAtAll call

// commit carries a place call out, as the class does it.
func (c *config) commit(s *state, i int, seen sight) {
	uid, id, free, live := s.calls[i].uid, 0, 0, false
	for j, b := range s.market {
		switch {
		case b.uid == 0 && free == 0:
			free = j + 1
		case c.class == idempotencyKey && b.uid == uid:
			id = j + 1
		}
		live = live || b.live
	}
	if id == 0 && (c.class != uniquePerPosting || !live) {
		if free == 0 {
			panic("the model has too few places for bids")
		}
		id = free
		s.market[id-1] = remote{uid: uid, live: true, sight: seen}
		if s.calls[i].covered {
			s.coverHidden()
		}
	}
	s.calls[i] = call{}
	if i < len(s.reps) {
		s.calls[i] = call{stage: answered, uid: uid, id: uint8(id)}
	}
}

func (c *config) userSteps(s *state, out func(edge)) {
	with := func(said string, change func(*state)) {
		t := *s
		t.whims--
		change(&t)
		out(edge{t, user, said, false})
	}
	b := s.bid
	switch {
	case s.whims == 0:
		return
	case b.uid == 0:
		if s.uids < c.uids {
			with("creates a Bid", func(t *state) {
				t.uids++
				t.bid = bid{uid: t.uids, finalizer: true}
			})
		}
		return
	}
	if !b.deleting {
		with("deletes the Bid", func(t *state) { t.bid.deleting = true })
	}
	if !b.withdraw && !b.deleting {
		with("withdraws the Bid", func(t *state) { t.bid.withdraw = true })
	}
	if c.strip {
		with("deletes the Bid and strips its finalizer", func(t *state) {
			t.stripped |= bit(b.uid)
			t.bid = bid{}
		})
	}
	if c.person && b.deleting && !b.abandon {
		with("abandons the Bid", func(t *state) { t.bid.abandon = true })
	}
}
