package simulation

import (
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"
)

// fortune gives each request its own luck. It depends on the seed, on who asks for what, and on how often they did so
// before, and not on what others do at the same time.
type fortune struct {
	seed uint64

	mu    sync.Mutex
	asked map[string]int
}

func newFortune(seed uint64) *fortune { return &fortune{seed: seed, asked: map[string]int{}} }

func (f *fortune) of(who, what string) luck {
	name := who + "\x00" + what
	f.mu.Lock()
	f.asked[name]++
	n := f.asked[name]
	f.mu.Unlock()
	return luck{rand.New(rand.NewPCG(f.seed, hash(name+"\x00"+strconv.Itoa(n))))}
}

func hash(text string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text)) // never fails
	return h.Sum64()
}

// luck is a row of draws.
type luck struct{ *rand.Rand }

// chance is true with this probability.
func (l luck) chance(p float64) bool { return l.Float64() < p }

// between draws from [least, most).
func (l luck) between(least, most time.Duration) time.Duration {
	if most <= least {
		return least
	}
	return least + time.Duration(l.Int64N(int64(most-least)))
}

// weighted picks an index by weight.
func (l luck) weighted(weights ...int) int {
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
