package scanner

import (
	"context"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// marketAge is how long the Marketplace that was read is used: so soon a scanner notices that it was suspended.
const marketAge = 10 * time.Second

// marketCache remembers the Marketplace. The zero value remembers none.
type marketCache struct {
	mu    sync.Mutex
	value *onebidv1.Marketplace
	until time.Time
}

// fresh returns what is remembered unless it is too old. The first caller that finds it too old reads it again; others use
// the old one meanwhile.
func (m *marketCache) fresh(now time.Time) *onebidv1.Marketplace {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.value != nil && !now.Before(m.until) {
		m.until = now.Add(marketAge)
		return nil
	}
	return m.value
}

func (m *marketCache) set(value *onebidv1.Marketplace, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.value, m.until = value, now.Add(marketAge)
}

func (m *marketCache) uid() types.UID {
	m.mu.Lock()
	defer m.mu.Unlock()
	return ptr.Deref(m.value, onebidv1.Marketplace{}).UID
}

// readMarket returns the Marketplace. One request each marketAge.
func (s *Scanner) readMarket(ctx context.Context) (*onebidv1.Marketplace, error) {
	if market := s.markets.fresh(s.clock.Now()); market != nil {
		return market, nil
	}
	market := &onebidv1.Marketplace{}
	err := s.api.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: s.marketplace}, market)
	if err != nil {
		s.markets.set(nil, time.Time{})
	}
	if apierrors.IsNotFound(err) {
		return nil, &MarketplaceNotFoundError{Namespace: s.namespace, Name: s.marketplace}
	}
	if err != nil {
		return nil, err
	}
	s.markets.set(market, s.clock.Now())
	return market, nil
}
