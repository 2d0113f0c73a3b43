package simulation

import (
	"fmt"
	"strconv"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

// market is the marketplace and the oracle: it knows what is live, and whose it is, whatever it shows.
type market struct {
	*env
	wanted func(uid string) bool

	mu      sync.Mutex
	bids    []*remote
	sends   []*send // place calls whose outcome is unknown
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

// send is a place call whose outcome is unknown.
type send struct {
	posting, by string
	at          time.Time
}

func newMarket(e *env, wanted func(uid string) bool) *market {
	return &market{env: e, wanted: wanted, persons: map[string]bool{}}
}

func (b *remote) live() bool {
	return b.state == onebidv1.RemoteLive || b.state == onebidv1.RemoteAwardPending
}

func (b *remote) String() string { return fmt.Sprintf("%s(%s, %s)", b.id, b.uid, b.state) }

// shown is the bid in a reply.
func (m *market) shown(b *remote) marketplace.Bid {
	out := marketplace.Bid{
		ID: b.id, PostingID: b.posting, State: b.state, Word: string(b.state), Amount: b.price.Amount, Currency: b.price.Currency,
	}
	if m.plan.StoresKey {
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

// arrived notes a place call. None may arrive while the outcome of an earlier one is unknown.
func (m *market) arrived(by string, req marketplace.PlaceRequest) *send {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes++
	for _, s := range m.sends {
		if s.posting == req.PostingID {
			m.violate("I5", "a place call on posting %s arrives from %s before a lookup after the one of %s, %s ago",
				req.PostingID, by, s.by, time.Since(s.at))
		}
	}
	s := &send{posting: req.PostingID, by: by, at: time.Now()}
	m.sends = append(m.sends, s)
	return s
}

// known notes that the outcome of one place call is known.
func (m *market) known(which *send) { m.forget(func(s *send) bool { return s == which }) }

// lookedUp notes that the outcome of what arrived on the posting before the lookup began is known.
func (m *market) lookedUp(posting string, began time.Time) {
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

// place places a bid as the class of the marketplace does it.
func (m *market) place(req marketplace.PlaceRequest, hidden time.Duration) (marketplace.Bid, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	live := m.liveOn(req.PostingID, true)
	if m.invalid(req.IdempotencyKey) {
		return marketplace.Bid{}, refusal("place", onebidv1.ErrorInvalid)
	}
	switch m.plan.Class {
	case onebidv1.ClassIdempotencyKey:
		for _, b := range m.bids {
			if b.key == req.IdempotencyKey {
				m.note("market", "answers again with bid %s", b.id)
				return m.shown(b), nil
			}
		}
	case onebidv1.ClassUniquePerPosting:
		if len(live) > 0 {
			m.note("market", "refuses a second bid on %s", req.PostingID)
			return marketplace.Bid{}, refusal("place", onebidv1.ErrorAlreadyExists)
		}
	default:
	}
	b := &remote{
		posting: req.PostingID, key: req.IdempotencyKey, uid: m.owner(req.IdempotencyKey), state: onebidv1.RemoteLive,
		price: req.Price, visibleAt: time.Now().Add(hidden),
	}
	m.insert(b)
	m.note("market", "has bid %s of %s on %s, hidden for %s", b.id, b.uid, b.posting, hidden)
	if ours := m.liveOn(b.posting, false); len(ours) > 1 {
		m.violate("I1", "%d live bids on posting %s: %v", len(ours), b.posting, ours)
	}
	return m.shown(b), nil
}

// insert gives the bid its ID, perhaps that of one that was withdrawn.
func (m *market) insert(b *remote) {
	if m.plan.ReusesIDs && b.uid != "" {
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

// withdraw withdraws a bid.
func (m *market) withdraw(id string) error {
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
	case m.wanted(b.uid):
		m.violate("I3", "bid %s is withdrawn although its Bid still wants it", b)
	case b.uid == "":
		m.violate("I3", "a person's bid %s is withdrawn", b.id)
	}
	b.state = onebidv1.RemoteWithdrawn
	m.note("market", "has bid %s withdrawn", b.id)
	return nil
}

// later carries something out, whatever becomes of the caller.
func (m *market) later(d time.Duration, do func()) {
	m.mu.Lock()
	m.pending++
	m.mu.Unlock()
	m.after(d, func() {
		do()
		m.mu.Lock()
		m.pending--
		m.mu.Unlock()
	})
}

// quiet is true when nothing is under way.
func (m *market) quiet() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pending == 0
}

func (m *market) countWrite() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes++
}

func (m *market) written() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.writes
}

func refusal(operation string, class onebidv1.ErrorClass) error {
	return &marketplace.Error{Class: class, Operation: operation, Message: "refused"}
}

func (m *market) of(uid types.UID) []*remote {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*remote
	for _, b := range m.bids {
		if b.uid == string(uid) {
			out = append(out, b)
		}
	}
	return out
}
