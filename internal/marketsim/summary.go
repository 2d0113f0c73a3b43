package marketsim

import (
	"cmp"
	"maps"
	"slices"
)

// Row is what the ledger says about one account on one posting.
type Row struct {
	// Market, Account and Posting name the row. Account is empty for calls without a token.
	Market  string `json:"market"`
	Account string `json:"account"`
	Posting string `json:"posting"`
	// PlaceCalls counts the place calls that arrived, whatever became of them.
	PlaceCalls int `json:"placeCalls"`
	// Placed counts the bids that were placed.
	Placed int `json:"placed"`
	// Live is the number of bids live now, MaxLive the largest number that were live at one instant.
	Live    int `json:"live"`
	MaxLive int `json:"maxLive"`
	// LiveBids are the IDs of the bids live now, sorted.
	LiveBids []string `json:"liveBids,omitempty"`
	// DuplicatesRefused counts the place calls that the market refused because the account had a bid there.
	DuplicatesRefused int `json:"duplicatesRefused"`
	// Withdrawn counts the withdrawals that took effect.
	Withdrawn int `json:"withdrawn"`
}

// Totals are the sums over the rows of a [Summary].
type Totals struct {
	// Postings is the number of rows: of postings, per account, that were bid on.
	Postings int `json:"postings"`
	// PlaceCalls, Live, DuplicatesRefused and Withdrawn are sums of the fields of the same name.
	PlaceCalls        int `json:"placeCalls"`
	Live              int `json:"live"`
	DuplicatesRefused int `json:"duplicatesRefused"`
	Withdrawn         int `json:"withdrawn"`
	// LivePostings is the number of rows with a live bid.
	LivePostings int `json:"livePostings"`
	// PlacedTwice is the number of rows that ever had more than one live bid at one instant; it should be 0.
	PlacedTwice int `json:"placedTwice"`
	// Calls counts every call that arrived, by verb.
	Calls map[Verb]int `json:"calls"`
}

// Summary is what a ledger says about every posting that was bid on.
type Summary struct {
	// Totals are the sums.
	Totals Totals `json:"totals"`
	// Rows are sorted by market, account and posting.
	Rows []Row `json:"rows"`
}

// Row returns the row of one posting; an empty one when there was no bid.
func (s Summary) Row(market, account, posting string) Row {
	for _, r := range s.Rows {
		if r.Market == market && r.Account == account && r.Posting == posting {
			return r
		}
	}
	return Row{Market: market, Account: account, Posting: posting}
}

// Summarize reads a whole ledger, oldest record first, and says what it amounts to.
func Summarize(records []Record) Summary {
	s := NewSummarizer()
	for _, r := range records {
		s.Add(r)
	}
	return s.Summary("")
}

type rowKey struct{ market, account, posting string }

type tally struct {
	row  Row
	live map[string]bool
}

type callKey struct {
	market string
	verb   Verb
}

// Summarizer is [Summarize] one record at a time. It is not safe for concurrent use.
type Summarizer struct {
	rows  map[rowKey]*tally
	calls map[callKey]int
}

// NewSummarizer returns a Summarizer that has seen no record.
func NewSummarizer() *Summarizer {
	return &Summarizer{rows: map[rowKey]*tally{}, calls: map[callKey]int{}}
}

// Add takes the next record of the ledger into account.
func (s *Summarizer) Add(r Record) {
	switch r.Kind {
	case KindCall:
		s.calls[callKey{r.Market, r.Verb}]++
		if r.Verb == VerbPlace {
			s.tally(r).row.PlaceCalls++
		}
	case KindReply:
		if r.Verb == VerbPlace && r.Code == codeDuplicate {
			s.tally(r).row.DuplicatesRefused++
		}
	case KindEffect:
		s.addEffect(r)
	case KindSetting:
	}
}

func (s *Summarizer) addEffect(r Record) {
	state, ok := r.Effect.state()
	if !ok {
		return
	}
	t := s.tally(r)
	if r.Effect == EffectPlaced {
		t.row.Placed++
	}
	if r.Effect == EffectWithdrawn {
		t.row.Withdrawn++
	}
	if state.Live() {
		t.live[r.BidID] = true
	} else {
		delete(t.live, r.BidID)
	}
	t.row.Live = len(t.live)
	t.row.MaxLive = max(t.row.MaxLive, t.row.Live)
}

func (s *Summarizer) tally(r Record) *tally {
	key := rowKey{r.Market, r.Account, r.Posting}
	t := s.rows[key]
	if t == nil {
		t = &tally{
			row:  Row{Market: r.Market, Account: r.Account, Posting: r.Posting},
			live: map[string]bool{},
		}
		s.rows[key] = t
	}
	return t
}

// Summary returns what the records so far amount to: those of one market, or of all when market is empty.
func (s *Summarizer) Summary(market string) Summary {
	out := Summary{Totals: Totals{Calls: map[Verb]int{}}, Rows: []Row{}}
	for key, n := range s.calls {
		if market == "" || key.market == market {
			out.Totals.Calls[key.verb] += n
		}
	}
	for key, t := range s.rows {
		if market != "" && key.market != market {
			continue
		}
		row := t.row
		row.LiveBids = slices.Sorted(maps.Keys(t.live))
		out.Rows = append(out.Rows, row)
		out.Totals.add(row)
	}
	slices.SortFunc(out.Rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.Market, b.Market), cmp.Compare(a.Account, b.Account),
			cmp.Compare(a.Posting, b.Posting))
	})
	return out
}

func (t *Totals) add(r Row) {
	t.Postings++
	t.PlaceCalls += r.PlaceCalls
	t.Live += r.Live
	t.DuplicatesRefused += r.DuplicatesRefused
	t.Withdrawn += r.Withdrawn
	if r.Live > 0 {
		t.LivePostings++
	}
	if r.MaxLive > 1 {
		t.PlacedTwice++
	}
}
