package model

import (
	"fmt"
	"hash/maphash"
	"strings"
	"time"
)

// piece is how many states are kept together.
const piece = 1 << 16

// maxStates bounds the memory of one search.
const maxStates = 10_000_000

// result of one search.
type result struct {
	states, depth int
	// whole is false when the search ended at maxStates.
	whole   bool
	verdict violation
	trace   []string
}

// search is breadth-first, so the first violation has the shortest trace.
type search struct {
	c      *config
	seed   maphash.Seed
	table  []uint32  // of places in nodes, plus one; open addressing
	nodes  [][]state // in pieces, so that growing copies nothing
	count  int
	parent []uint32
	// ways are the edges of progress, backwards: where each leads, and from where.
	from, to []uint32
	progress func(states, depth int)
}

func (c *config) search(progress func(states, depth int)) result {
	x := &search{c: c, seed: maphash.MakeSeed(), table: make([]uint32, 1<<16), progress: progress}
	x.add(c.initial(), 0)
	at, depth, last := 0, 0, 1
	for ; at < x.count; at++ { // the list grows
		if at == last {
			depth, last = depth+1, x.count
		}
		if at%50_000 == 0 && progress != nil {
			progress(x.count, depth)
		}
		if broken := c.judge(x.node(at)); broken != fine {
			return x.result(depth, broken, at)
		}
		if x.count >= maxStates {
			return result{states: x.count, depth: depth}
		}
		from := *x.node(at)
		c.steps(&from, func(e edge) {
			next := x.add(e.to, at)
			if e.progress {
				x.from, x.to = append(x.from, uint32(at)), append(x.to, next)
			}
		})
	}
	if at = x.dead(); at >= 0 {
		return x.result(depth, stuck, at)
	}
	return x.result(depth, fine, 0)
}

// add finds the state, or makes it known.
func (x *search) add(s state, parent int) uint32 {
	if 2*x.count >= len(x.table) {
		x.grow()
	}
	slot := x.slot(&s)
	if found := x.table[slot]; found > 0 {
		return found - 1
	}
	if x.count%piece == 0 {
		x.nodes = append(x.nodes, make([]state, piece))
	}
	*x.node(x.count) = s
	x.parent = append(x.parent, uint32(parent))
	x.count++
	x.table[slot] = uint32(x.count)
	return uint32(x.count - 1)
}

func (x *search) node(i int) *state { return &x.nodes[i/piece][i%piece] }

func (x *search) slot(s *state) uint64 {
	mask := uint64(len(x.table) - 1)
	slot := maphash.Comparable(x.seed, *s) & mask
	for x.table[slot] > 0 && *x.node(int(x.table[slot] - 1)) != *s {
		slot = (slot + 1) & mask
	}
	return slot
}

func (x *search) grow() {
	x.table = make([]uint32, 2*len(x.table))
	for i := range x.count {
		x.table[x.slot(x.node(i))] = uint32(i + 1)
	}
}

// dead finds the first state from which no progress leads to a good one; -1 when there is none.
func (x *search) dead() int {
	good := make([]bool, x.count)
	for i := range x.count {
		good[i] = x.c.good(x.node(i))
	}
	for changed := true; changed; {
		changed = false
		for i := len(x.from) - 1; i >= 0; i-- {
			if good[x.to[i]] && !good[x.from[i]] {
				good[x.from[i]], changed = true, true
			}
		}
	}
	for i, ok := range good {
		if !ok {
			return i
		}
	}
	return -1
}

func (x *search) result(depth int, verdict violation, at int) result {
	r := result{states: x.count, depth: depth, whole: true, verdict: verdict}
	if verdict == fine {
		return r
	}
	for ; at != 0; at = int(x.parent[at]) {
		from, step := *x.node(int(x.parent[at])), ""
		x.c.steps(&from, func(e edge) {
			if step == "" && e.to == *x.node(at) {
				step = names[e.by] + " " + e.said
			}
		})
		r.trace = append([]string{step}, r.trace...)
	}
	return r
}

// words is the trace, a step a line, and what it shows.
func (r *result) words() string {
	var text strings.Builder
	for i, step := range r.trace {
		fmt.Fprintf(&text, "%3d. %s\n", i+1, step)
	}
	return text.String() + "     " + violationWords[r.verdict]
}

func head() string {
	return fmt.Sprintf("%-48s %10s %6s %8s  %s\n", "configuration", "states", "steps", "time", "verdict")
}

func row(name string, states, steps int, took time.Duration, verdict string) string {
	return fmt.Sprintf("%-48s %10d %6d %8s  %s", name, states, steps, took.Round(time.Second/10), verdict)
}

func join(rows []string) string { return strings.Join(rows, "\n") }

// judge checks what must hold in every state.
func (c *config) judge(s *state) violation {
	if s.broken != fine {
		return s.broken
	}
	live, gone := 0, false
	for _, b := range s.market {
		if !b.live {
			continue
		}
		live++
		gone = gone || b.uid != s.bid.uid && (s.stripped|s.abandoned)&bit(b.uid) == 0
	}
	switch {
	case live > 1:
		return brokenI1
	case gone && c.promisesI2():
		return brokenI2
	}
	return fine
}

// good is a state in which nobody needs to do anything, or a person was called. A live bid whose Bid was stripped of its
// finalizer is good as long as its Lease names it, for the sweep to find, and no process that learned of it went on.
func (c *config) good(s *state) bool {
	if s.bid.indeterminate {
		return true
	}
	for _, call := range s.calls {
		if call.stage != noCall {
			return false
		}
	}
	for i, b := range s.market {
		if b.live && b.uid != s.bid.uid && (s.owed&bit(uint8(i)+1) != 0 || !s.accounted(b.uid) && c.promisesI2()) {
			return false
		}
	}
	b := s.bid
	switch {
	case b.uid == 0:
		return true
	case b.deleting:
		return false
	case b.outcome != pending:
		for _, m := range s.market {
			if m.live && m.uid == b.uid && c.promisesI2() {
				return false
			}
		}
		return true
	}
	return b.placed == placedTrue && !b.withdrawing() && s.market[b.remote-1].live
}

// accounted is true for a Bid that is gone and whose live bid a person took on, or that its Lease still names.
func (s *state) accounted(uid uint8) bool {
	l := &s.lease
	return s.abandoned&bit(uid) != 0 || l.intents[uid] > 0 || l.bidUID == uid && !l.settled
}

// promisesI2: beyond every bound only the key can still find what was placed; elsewhere the sweep does.
func (c *config) promisesI2() bool { return !c.beyond || c.class == idempotencyKey }
