package bid

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// seats keeps a marketplace that does not answer from taking all workers: those who wait for it are few then, and the
// others' bids go on. A marketplace that answers may have every worker.
type seats struct {
	mu sync.Mutex
	// most is how many workers one marketplace may have while it does not answer; 0 is any number.
	most  int
	taken map[types.NamespacedName]int
	mute  map[types.NamespacedName]struct{}
}

func newSeats() *seats {
	return &seats{taken: map[types.NamespacedName]int{}, mute: map[types.NamespacedName]struct{}{}}
}

// limit leaves three quarters of the workers to others.
func (s *seats) limit(workers int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.most = max(1, workers/4)
}

// take is false when no more workers may wait for this marketplace. What it gives is given back by leave.
func (s *seats) take(marketplace types.NamespacedName) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, mute := s.mute[marketplace]; mute && s.most > 0 && s.taken[marketplace] >= s.most {
		return false
	}
	s.taken[marketplace]++
	return true
}

func (s *seats) leave(marketplace types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken[marketplace]--
	if s.taken[marketplace] == 0 {
		delete(s.taken, marketplace)
	}
}

// heard notes whether the marketplace answered the latest call in time, whatever it said.
func (s *seats) heard(marketplace types.NamespacedName, inTime bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if inTime {
		delete(s.mute, marketplace)
	} else {
		s.mute[marketplace] = struct{}{}
	}
}
