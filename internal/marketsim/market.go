package marketsim

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// The codes of refusals. Each shape spells them in its own way.
const (
	codeAlreadyWithdrawn = "ALREADY_WITHDRAWN"
	codeAwarded          = "AWARDED"
	codeBadRequest       = "BAD_REQUEST"
	codeBidFinal         = "BID_FINAL"
	codeDuplicate        = "DUPLICATE_BID"
	codeForeignBidder    = "FOREIGN_BIDDER"
	codeInvalidAmount    = "INVALID_AMOUNT"
	codeInvalidPosting   = "INVALID_POSTING"
	codeKeyReused        = "IDEMPOTENCY_KEY_REUSED"
	codeForbidden        = "FORBIDDEN"
	codeLedger           = "LEDGER_UNAVAILABLE"
	codeNoSuchMarket     = "NO_SUCH_MARKET"
	codeNoSuchRoute      = "NO_SUCH_ROUTE"
	codeNotFound         = "NOT_FOUND"
	codeNotLive          = "NOT_LIVE"
	codePostingClosed    = "POSTING_CLOSED"
	codeReplayed         = "REPLAYED"
	codeTooLarge         = "TOO_LARGE"
	codeUnauthenticated  = "UNAUTHENTICATED"
)

// refusal is a market's "no": it has no effect.
type refusal struct {
	status  int
	code    string
	message string
}

// bid is one bid as the market keeps it.
type bid struct {
	ID          string
	Account     string
	Posting     string
	State       State
	Key         string
	Amount      string
	Currency    string
	Days        int
	Text        string
	PlacedAt    time.Time
	HiddenUntil time.Time
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
	*b = bid{
		ID: r.BidID, Account: r.Account, Posting: r.Posting, State: StateLive, Key: r.Key, Amount: r.Amount,
		Currency: r.Currency, Days: r.Days, Text: r.Text, PlacedAt: r.Time, HiddenUntil: r.HiddenUntil,
	}
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

// outcome is what became of a place or a withdrawal: a bid or a refusal.
type outcome struct {
	bid      bid
	replayed bool
	refusal  *refusal
}

func refused(status int, code, message string) outcome {
	return outcome{refusal: &refusal{status: status, code: code, message: message}}
}

// place carries out the place call that r describes: call, account, posting, key and the offer. It fails only when the
// ledger cannot be written, and then without effect.
func (m *market) place(r Record) (outcome, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.placeLocked(r)
}

func (m *market) placeLocked(r Record) (outcome, error) {
	before := m.byPosting[accountKey{r.Account, r.Posting}]
	if out, ok := m.replay(r, before); ok {
		return out, nil
	}
	if no := m.refusePlace(r, before); no != nil {
		return outcome{refusal: no}, nil
	}
	r.Effect, r.BidID = EffectPlaced, strconv.Itoa(m.nextID)
	if len(before) > 0 && (m.settings.Put || (m.settings.ReuseIDs && before[len(before)-1].State == StateWithdrawn)) {
		r.BidID = before[len(before)-1].ID
	}
	if !*m.settings.EchoKey {
		r.Key = ""
	}
	if err := m.commit(r); err != nil {
		return outcome{}, err
	}
	return outcome{bid: *m.bids[r.BidID]}, nil
}

// replay answers with a bid that is there already, where the market takes the call for the same one again.
func (m *market) replay(r Record, before []*bid) (outcome, bool) {
	if there := binding(before); there != nil && m.settings.Put {
		return outcome{bid: *there, replayed: true}, true
	}
	if m.settings.Class != ClassIdempotencyKey || r.Key == "" {
		return outcome{}, false
	}
	b := m.byKey[accountKey{r.Account, r.Key}]
	switch {
	case b == nil:
		return outcome{}, false
	case b.Posting != r.Posting:
		return refused(http.StatusUnprocessableEntity, codeKeyReused,
			"the Idempotency-Key was already used for posting "+strconv.Quote(b.Posting)), true
	}
	return outcome{bid: *b, replayed: true}, true
}

// refusePlace says why the account may not bid on the posting; nil when it may.
func (m *market) refusePlace(r Record, before []*bid) *refusal {
	switch {
	case m.closed[r.Posting]:
		return &refusal{http.StatusConflict, codePostingClosed, "the posting takes no more bids"}
	case m.settings.Class == ClassUniquePerPosting && binding(before) != nil:
		return &refusal{http.StatusConflict, codeDuplicate, "the account has a bid on this posting"}
	case m.settings.Put && len(before) > 0 && before[len(before)-1].State == StateRejected:
		return &refusal{http.StatusConflict, codeBidFinal, "the bid on this posting was rejected, and that is final"}
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
// be the bid's.
func (m *market) withdraw(r Record) (outcome, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.withdrawLocked(r)
}

func (m *market) withdrawLocked(r Record) (outcome, error) {
	b := m.bids[r.BidID]
	if b == nil || b.Account != r.Account || (r.Posting != "" && r.Posting != b.Posting) {
		return refused(http.StatusNotFound, codeNotFound, "the account has no such bid"), nil
	}
	switch b.State {
	case StateLive:
	case StateWithdrawn:
		return refused(http.StatusConflict, codeAlreadyWithdrawn, "the bid is withdrawn already"), nil
	case StateAwardPending, StateWon:
		return refused(http.StatusConflict, codeAwarded, "an awarded bid cannot be withdrawn"), nil
	default:
		return refused(http.StatusConflict, codeNotLive, "the bid is not live but "+string(b.State)), nil
	}
	err := m.commit(Record{
		Call: r.Call, Account: b.Account, Posting: b.Posting, BidID: b.ID, Key: b.Key, Amount: b.Amount,
		Currency: b.Currency, Effect: EffectWithdrawn, Reason: r.Reason,
	})
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
	var out outcome
	var err error
	r.Due = time.Time{}
	if r.Verb == VerbPlace {
		r.Verb = ""
		out, err = m.placeLocked(r)
	} else {
		out, err = m.withdrawLocked(r)
	}
	if err != nil || (out.refusal == nil && !out.replayed) {
		return err
	}
	r.Effect, r.Code = EffectDropped, codeReplayed
	if out.refusal != nil {
		r.Code = out.refusal.code
	}
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
	effect, _ := effectOf(state)
	err := m.commit(Record{
		Account: b.Account, Posting: b.Posting, BidID: b.ID, Key: b.Key, Amount: b.Amount, Currency: b.Currency,
		Effect: effect,
	})
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
