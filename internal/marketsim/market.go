package marketsim

import (
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// bid is one bid as the market keeps it: the record of its placing, and its state.
type bid struct {
	Record
	State State
}

// effect describes a change of the bid.
func (b *bid) effect(e Effect) Record {
	return Record{
		Account: b.Account, Posting: b.Posting, BidID: b.BidID, Key: b.Key, Amount: b.Amount, Currency: b.Currency, Effect: e,
	}
}

func (b *bid) shows(now time.Time) bool { return !now.Before(b.HiddenUntil) }

// firstBidID is the number of the first bid of every market.
const firstBidID = 1001

type accountKey struct{ account, name string }

// market is the state machine of one market. All of its state is made by apply from records of the ledger, so a market
// that is rebuilt from the ledger is the same market. Its methods are safe for concurrent use.
type market struct {
	name   string
	record func(Record) (Record, error) // appends to the ledger

	mu        sync.Mutex
	settings  Settings
	nextID    int
	bids      map[string]*bid
	byAccount map[string][]*bid     // in the order of placing
	byPosting map[accountKey][]*bid // in the order of placing
	byKey     map[accountKey]*bid
	closed    map[string]bool  // postings
	scheduled map[int64]Record // late commits to come, by call
}

func newMarket(name string, record func(Record) (Record, error)) *market {
	return &market{
		name: name, record: record, nextID: firstBidID,
		bids: map[string]*bid{}, byAccount: map[string][]*bid{}, byPosting: map[accountKey][]*bid{},
		byKey: map[accountKey]*bid{}, closed: map[string]bool{}, scheduled: map[int64]Record{},
	}
}

// apply brings the state up to date with a setting or an effect of this market. Calls and replies change nothing.
func (m *market) apply(r Record) {
	if r.Kind == KindSetting && r.Settings != nil {
		m.settings = *r.Settings
	}
	if r.Kind != KindEffect {
		return
	}
	switch r.Effect {
	case EffectScheduled:
		m.scheduled[r.Call] = r
		return
	case EffectClosed:
		m.closed[r.Posting] = true
	case EffectReopened:
		delete(m.closed, r.Posting)
	case EffectPlaced:
		m.applyPlaced(r)
	default:
		if state, ok := r.Effect.state(); ok && m.bids[r.BidID] != nil {
			m.bids[r.BidID].State = state
		}
	}
	delete(m.scheduled, r.Call)
}

func (m *market) applyPlaced(r Record) {
	b := m.bids[r.BidID]
	if b == nil {
		b = &bid{}
		m.bids[r.BidID] = b
		m.byAccount[r.Account] = append(m.byAccount[r.Account], b)
		place := accountKey{r.Account, r.Posting}
		m.byPosting[place] = append(m.byPosting[place], b)
		if n, err := strconv.Atoi(r.BidID); err == nil && n >= m.nextID {
			m.nextID = n + 1
		}
	}
	*b = bid{Record: r, State: StateLive}
	if r.Key != "" {
		m.byKey[accountKey{r.Account, r.Key}] = b
	}
}

// commit writes the effect to the ledger and then applies it. The caller holds the lock.
func (m *market) commit(r Record) error {
	r.Kind, r.Market = KindEffect, m.name
	r, err := m.record(r)
	if err == nil {
		m.apply(r)
	}
	return err
}

// outcome is the bid of a place or a withdrawal.
type outcome struct {
	bid      bid
	replayed bool
}

func conflict(code, message string) refusal { return refusal{http.StatusConflict, code, message} }

// act carries out the place or withdraw call that r describes. An error is a refusal or a failure of the ledger; either way
// there is no effect.
func (m *market) act(verb Verb, r Record) (outcome, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.actLocked(verb, r)
}

func (m *market) actLocked(verb Verb, r Record) (outcome, error) {
	if verb == VerbPlace {
		return m.place(r)
	}
	return m.withdraw(r)
}

// place carries out the place call that r describes: call, account, posting, key and the offer. The caller holds the lock.
func (m *market) place(r Record) (outcome, error) {
	before := m.byPosting[accountKey{r.Account, r.Posting}]
	switch b, err := m.earlier(r, before); {
	case err != nil:
		return outcome{}, err
	case b != nil:
		return outcome{bid: *b, replayed: true}, nil
	}
	if err := m.refusePlace(r, before); err != nil {
		return outcome{}, err
	}
	r.Effect, r.BidID = EffectPlaced, strconv.Itoa(m.nextID)
	if len(before) > 0 && (m.settings.Put || (m.settings.ReuseIDs && before[len(before)-1].State == StateWithdrawn)) {
		r.BidID = before[len(before)-1].BidID
	}
	if !*m.settings.EchoKey {
		r.Key = ""
	}
	if err := m.commit(r); err != nil {
		return outcome{}, err
	}
	return outcome{bid: *m.bids[r.BidID]}, nil
}

// earlier is the bid that the call placed before, where the market takes it for the same call again; nil when there is none.
func (m *market) earlier(r Record, before []*bid) (*bid, error) {
	if there := binding(before); there != nil && m.settings.Put {
		return there, nil
	}
	if m.settings.Class != ClassIdempotencyKey || r.Key == "" {
		return nil, nil
	}
	b := m.byKey[accountKey{r.Account, r.Key}]
	if b != nil && b.Posting != r.Posting {
		return nil, refusal{http.StatusUnprocessableEntity, codeKeyReused,
			"the Idempotency-Key was already used for posting " + strconv.Quote(b.Posting)}
	}
	return b, nil
}

// refusePlace is an error when the account may not bid on the posting.
func (m *market) refusePlace(r Record, before []*bid) error {
	switch {
	case m.closed[r.Posting]:
		return conflict(codePostingClosed, "the posting takes no more bids")
	case m.settings.Class == ClassUniquePerPosting && binding(before) != nil:
		return conflict(codeDuplicate, "the account has a bid on this posting")
	case m.settings.Put && len(before) > 0 && before[len(before)-1].State == StateRejected:
		return conflict(codeBidFinal, "the bid on this posting was rejected, and that is final")
	}
	return nil
}

// binding is the first bid that is live or won; nil when there is none.
func binding(bids []*bid) *bid {
	for _, b := range bids {
		if b.State.Live() || b.State == StateWon {
			return b
		}
	}
	return nil
}

// withdraw carries out the withdraw call that r describes: call, account, bidID and reason. A posting, when given, must
// be the bid's. The caller holds the lock.
func (m *market) withdraw(r Record) (outcome, error) {
	b := m.bids[r.BidID]
	if b == nil || b.Account != r.Account || (r.Posting != "" && r.Posting != b.Posting) {
		return outcome{}, errNoBid
	}
	switch b.State {
	case StateLive:
	case StateWithdrawn:
		return outcome{}, conflict(codeAlreadyWithdrawn, "the bid is withdrawn already")
	case StateAwardPending, StateWon:
		return outcome{}, conflict(codeAwarded, "an awarded bid cannot be withdrawn")
	default:
		return outcome{}, conflict(codeNotLive, "the bid is not live but "+string(b.State))
	}
	effect := b.effect(EffectWithdrawn)
	effect.Call, effect.Reason = r.Call, r.Reason
	err := m.commit(effect)
	return outcome{bid: *b}, err
}

// schedule promises the place or withdraw call that r describes for the time r.Due.
func (m *market) schedule(r Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r.Effect = EffectScheduled
	return m.commit(r)
}

// commitScheduled carries out what was promised for a call, as if it arrived only now.
func (m *market) commitScheduled(call int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.scheduled[call]
	if !ok {
		return nil
	}
	verb := r.Verb
	r.Due = time.Time{}
	if verb == VerbPlace {
		r.Verb = ""
	}
	out, err := m.actLocked(verb, r)
	var no refusal
	switch {
	case errors.As(err, &no):
		r.Code = no.code
	case err != nil || !out.replayed:
		return err
	default:
		r.Code = codeReplayed
	}
	r.Effect = EffectDropped
	return m.commit(r)
}

// setState brings a bid into a state by hand, as the marketplace's own people could.
func (m *market) setState(bidID string, state State) (bid, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.bids[bidID]
	if b == nil {
		return bid{}, false, nil
	}
	if b.State == state {
		return *b, true, nil
	}
	err := m.commit(b.effect(effects[state]))
	return *b, true, err
}

// setClosed closes a posting for new bids, or opens it again. Bids that are there stay as they are.
func (m *market) setClosed(posting string, closed bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed[posting] == closed {
		return nil
	}
	effect := EffectReopened
	if closed {
		effect = EffectClosed
	}
	return m.commit(Record{Posting: posting, Effect: effect})
}

func (m *market) currentSettings() Settings {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.settings
}
