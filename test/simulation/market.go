package simulation

import (
	"fmt"
	"strconv"
	"sync"
	"time"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

// market is the marketplace and the oracle: it knows what is live, and whose it is, whatever it shows.
type market struct {
	w *world

	mu      sync.Mutex
	bids    []*remote
	sends   []*send // place calls whose outcome nobody has learned
	writes  int     // place and withdraw calls that arrived
	pending int     // what is still to be carried out
	persons map[string]bool
}

// remote is a bid at the marketplace.
type remote struct {
	id, posting, key string
	// uid of the Bid that it is of; "" when a person placed it.
	uid       string
	state     onebidv1.RemoteState
	price     onebidv1.Money
	visibleAt time.Time
}

// send is a place call from its arrival until somebody may know what became of it.
type send struct {
	posting, by string
	at          time.Time
}

func newMarket(w *world) *market { return &market{w: w, persons: map[string]bool{}} }

func (b *remote) live() bool {
	return b.state == onebidv1.RemoteLive || b.state == onebidv1.RemoteAwardPending
}

func (b *remote) String() string { return fmt.Sprintf("%s(%s, %s)", b.id, b.uid, b.state) }

// shown is the bid as the marketplace tells of it.
func (m *market) shown(b *remote) marketplace.Bid {
	out := marketplace.Bid{
		ID: b.id, PostingID: b.posting, State: b.state, Word: string(b.state), Amount: b.price.Amount, Currency: b.price.Currency,
	}
	if m.w.plan.StoresKey {
		out.IdempotencyKey = b.key
	}
	return out
}

// liveOn are the bids that are live on a posting. The caller holds mu.
func (m *market) liveOn(posting string, persons bool) []*remote {
	var live []*remote
	for _, b := range m.bids {
		if b.posting == posting && b.live() && (persons || b.uid != "") {
			live = append(live, b)
		}
	}
	return live
}

func (m *market) byID(id string) *remote {
	for _, b := range m.bids {
		if b.id == id {
			return b
		}
	}
	return nil
}

// arrived notes a place call. Nobody sends one while nobody knows what became of the one before.
func (m *market) arrived(by string, req marketplace.PlaceRequest) *send {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes++
	for _, s := range m.sends {
		if s.posting == req.PostingID {
			m.w.violate("I5", "a place call on posting %s arrives from %s while nobody looked what became of the one of %s, %s ago",
				req.PostingID, by, s.by, time.Since(s.at))
		}
	}
	s := &send{posting: req.PostingID, by: by, at: time.Now()}
	m.sends = append(m.sends, s)
	return s
}

// known ends the doubt about one place call.
func (m *market) known(which *send) { m.forget(func(s *send) bool { return s == which }) }

// looked ends the doubt about what arrived on the posting before the look-up began.
func (m *market) looked(posting string, began time.Time) {
	m.forget(func(s *send) bool { return s.posting == posting && s.at.Before(began) })
}

func (m *market) forget(which func(*send) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var kept []*send
	for _, s := range m.sends {
		if !which(s) {
			kept = append(kept, s)
		}
	}
	m.sends = kept
}

// carryOut places a bid as the class of the marketplace does it.
func (m *market) carryOut(req marketplace.PlaceRequest, hidden time.Duration) (marketplace.Bid, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	live := m.liveOn(req.PostingID, true)
	if m.w.invalid(req.IdempotencyKey) {
		return marketplace.Bid{}, refusal("place", onebidv1.ErrorInvalid)
	}
	switch m.w.plan.Class {
	case onebidv1.ClassIdempotencyKey:
		for _, b := range m.bids {
			if b.key == req.IdempotencyKey {
				m.w.note("market", "answers again with bid %s", b.id)
				return m.shown(b), nil
			}
		}
	case onebidv1.ClassUniquePerPosting:
		if len(live) > 0 {
			m.w.note("market", "refuses a second bid on %s", req.PostingID)
			return marketplace.Bid{}, refusal("place", onebidv1.ErrorAlreadyExists)
		}
	default:
	}
	b := &remote{
		posting: req.PostingID, key: req.IdempotencyKey, uid: m.w.owner(req.IdempotencyKey), state: onebidv1.RemoteLive,
		price: req.Price, visibleAt: time.Now().Add(hidden),
	}
	m.insert(b)
	m.w.note("market", "has bid %s of %s on %s, hidden for %s", b.id, b.uid, b.posting, hidden)
	if ours := m.liveOn(b.posting, false); len(ours) > 1 {
		m.w.violate("I1", "%d live bids on posting %s: %v", len(ours), b.posting, ours)
	}
	return m.shown(b), nil
}

// insert gives the bid its ID, perhaps that of one that was withdrawn.
func (m *market) insert(b *remote) {
	if m.w.plan.ReusesIDs && b.uid != "" {
		for i, old := range m.bids {
			if old.posting == b.posting && old.uid != "" && !old.live() {
				b.id = old.id
				m.bids[i] = b
				return
			}
		}
	}
	b.id = "r" + strconv.Itoa(len(m.bids)+1)
	m.bids = append(m.bids, b)
}

// takeBack withdraws a bid.
func (m *market) takeBack(id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.byID(id)
	switch {
	case b == nil:
		return refusal("withdraw", onebidv1.ErrorNotFound)
	case b.state == onebidv1.RemoteAwardPending || b.state == onebidv1.RemoteWon:
		return refusal("withdraw", onebidv1.ErrorNotWithdrawable)
	case b.state != onebidv1.RemoteLive:
		return refusal("withdraw", onebidv1.ErrorAlreadyWithdrawn)
	case m.w.wanted(b.uid):
		m.w.violate("I3", "bid %s is withdrawn although its Bid still wants it", b)
	case b.uid == "":
		m.w.violate("I3", "a person's bid %s is withdrawn", b.id)
	}
	b.state = onebidv1.RemoteWithdrawn
	m.w.note("market", "has bid %s withdrawn", b.id)
	return nil
}

// begin and end bracket what is still to be carried out.
func (m *market) begin() {
	m.mu.Lock()
	m.pending++
	m.mu.Unlock()
}

func (m *market) end() {
	m.mu.Lock()
	m.pending--
	m.mu.Unlock()
}

// quiet is true when nothing is under way.
func (m *market) quiet() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pending == 0
}

func (m *market) written() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.writes
}

func refusal(operation string, class onebidv1.ErrorClass) error {
	return &marketplace.Error{Class: class, Operation: operation, Message: "refused"}
}
