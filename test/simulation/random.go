package simulation

import (
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"
)

// randoms gives each request its own random numbers. They depend on the seed, the process, the request and its count, and
// not on what other processes do at the same time.
type randoms struct {
	seed uint64

	mu    sync.Mutex
	asked map[string]int
}

func newRandoms(seed uint64) *randoms { return &randoms{seed: seed, asked: map[string]int{}} }

func (f *randoms) of(who, what string) random {
	name := who + "\x00" + what
	f.mu.Lock()
	f.asked[name]++
	n := f.asked[name]
	f.mu.Unlock()
	return random{rand.New(rand.NewPCG(f.seed, hash(name+"\x00"+strconv.Itoa(n))))}
}

func hash(text string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text)) // never fails
	return h.Sum64()
}

// random is a row of draws.
type random struct{ *rand.Rand }

// chance is true with this probability.
func (l random) chance(p float64) bool { return l.Float64() < p }

// between draws from [least, most).
func (l random) between(least, most time.Duration) time.Duration {
	if most <= least {
		return least
	}
	return least + time.Duration(l.Int64N(int64(most-least)))
}

// weighted picks an index by weight.
func (l random) weighted(weights ...int) int {
	sum := 0
	for _, w := range weights {
		sum += w
	}
	at := l.IntN(sum)
	for i, w := range weights {
		if at < w {
			return i
		}
		at -= w
	}
	return 0
}
