package marketsim

import (
	"cmp"
	"maps"
	"slices"
	"sync"
)

// world is the state that the ledger describes: markets and tokens. A restart replaces it by one that is read anew.
type world struct {
	ledger *ledger
	done   chan struct{} // closed when the world has been replaced or the server closed

	mu      sync.RWMutex
	markets map[string]*market
	tokens  map[string]Token

	grants grants
}

// loadWorld reads the ledger and adds the default markets that are not in it.
func loadWorld(l *ledger) (*world, error) {
	w := &world{
		ledger: l, done: make(chan struct{}), markets: map[string]*market{}, tokens: map[string]Token{},
	}
	if err := l.load(w.apply); err != nil {
		return nil, err
	}
	defaults := defaultMarkets()
	for _, name := range slices.Sorted(maps.Keys(defaults)) {
		if w.market(name) != nil {
			continue
		}
		if _, err := w.putMarket(name, defaults[name]); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func (w *world) apply(r Record) {
	switch {
	case r.Kind == KindSetting && r.Token != nil:
		w.tokens[r.Token.Token] = *r.Token
	case r.Kind == KindSetting && r.Settings != nil && w.markets[r.Market] == nil:
		w.markets[r.Market] = newMarket(r.Market, w.ledger.append)
		w.markets[r.Market].apply(r)
	case w.markets[r.Market] != nil:
		w.markets[r.Market].apply(r)
	}
}

func (w *world) market(name string) *market {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.markets[name]
}

// marketNames returns the names of the markets, sorted.
func (w *world) marketNames() []string {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return slices.Sorted(maps.Keys(w.markets))
}

// putMarket makes a market or changes its settings.
func (w *world) putMarket(name string, s Settings) (Settings, error) {
	s, err := s.withDefaults()
	if err != nil {
		return s, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if m := w.markets[name]; m != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
	}
	r, err := w.ledger.append(Record{Kind: KindSetting, Market: name, Settings: &s})
	if err == nil {
		w.apply(r)
	}
	return s, err
}

func (w *world) putToken(t Token) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	r, err := w.ledger.append(Record{Kind: KindSetting, Token: &t})
	if err == nil {
		w.apply(r)
	}
	return err
}

// authenticate returns the account of a token and whether the token is valid.
func (w *world) authenticate(token string) (string, bool) {
	if token == "" {
		return "", false
	}
	w.mu.RLock()
	defer w.mu.RUnlock()
	t, known := w.tokens[token]
	return cmp.Or(t.Account, token), t.Valid || !known
}

// live returns the live bids of one market, or of all when name is empty, sorted by market and bid ID.
func (w *world) live(name string) []LiveBid {
	out := []LiveBid{}
	for _, n := range w.marketNames() {
		if name == "" || n == name {
			out = append(out, w.market(n).live()...)
		}
	}
	return out
}
