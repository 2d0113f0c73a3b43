package marketsim

import (
	"cmp"
	"slices"
	"strconv"
	"time"
)

// query selects bids of one account, oldest first.
type query struct {
	account string
	posting string  // all postings when empty
	states  []State // all states when empty
	after   int     // leaves out the bids up to this ID; a cursor
	skip    int     // then leaves out so many; a page number
	limit   int
}

// list returns a page of the bids that show, and whether there are more behind it.
func (m *market) list(q query, now time.Time) ([]bid, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	from := m.byAccount[q.account]
	if q.posting != "" {
		from = m.byPosting[accountKey{q.account, q.posting}]
	}
	var page []bid
	for _, b := range from {
		if !b.shows(now) || b.number() <= q.after || (len(q.states) > 0 && !slices.Contains(q.states, b.State)) {
			continue
		}
		if q.skip > 0 {
			q.skip--
			continue
		}
		if len(page) == q.limit {
			return page, true
		}
		page = append(page, *b)
	}
	return page, false
}

// number is the ID as a number; IDs are given in rising order.
func (b *bid) number() int {
	n, _ := strconv.Atoi(b.BidID) // place made every ID
	return n
}

// get returns a bid of the account, unless it is hidden.
func (m *market) get(account, bidID string, now time.Time) (bid, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.bids[bidID]
	if b == nil || b.Account != account || !b.shows(now) {
		return bid{}, errNoBid
	}
	return *b, nil
}

// postingOf is the posting of any account's bid, hidden or not; empty when there is no such bid.
func (m *market) postingOf(bidID string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if b := m.bids[bidID]; b != nil {
		return b.Posting
	}
	return ""
}

// posting is what an account sees of a posting. Every ID is one.
func (m *market) posting(account, id string) posting {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := posting{id: id, closed: m.closed[id]}
	if bids := m.byPosting[accountKey{account, id}]; len(bids) > 0 {
		out.last = bids[len(bids)-1].State
	}
	return out
}

// newest is the ID of the account's newest bid on the posting; empty when there is none.
func (m *market) newest(account, posting string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	bids := m.byPosting[accountKey{account, posting}]
	if len(bids) == 0 {
		return ""
	}
	return bids[len(bids)-1].BidID
}

// due returns the late commits to come, in the order of their calls.
func (m *market) due() []Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Record
	for _, r := range m.scheduled {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b Record) int { return cmp.Compare(a.Call, b.Call) })
	return out
}

// LiveBid is a bid that can still bind its account, hidden or not.
type LiveBid struct {
	Market  string `json:"market"`
	Account string `json:"account"`
	Posting string `json:"posting"`
	BidID   string `json:"bidID"`
	State   State  `json:"state"`
	// Key is the idempotency key, if the market keeps it.
	Key string `json:"key,omitempty"`
	// Amount is a decimal string.
	Amount   string    `json:"amount"`
	Currency string    `json:"currency,omitempty"`
	PlacedAt time.Time `json:"placedAt"`
}

// live returns the live bids of all accounts, in the order of their IDs.
func (m *market) live() []LiveBid {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []*bid
	for _, b := range m.bids {
		if b.State.Live() {
			found = append(found, b)
		}
	}
	slices.SortFunc(found, func(a, b *bid) int { return cmp.Compare(a.number(), b.number()) })
	out := make([]LiveBid, 0, len(found))
	for _, b := range found {
		out = append(out, LiveBid{
			Market: m.name, Account: b.Account, Posting: b.Posting, BidID: b.BidID, State: b.State, Key: b.Key,
			Amount: b.Amount, Currency: b.Currency, PlacedAt: b.Time,
		})
	}
	return out
}
