package simulation

import (
	"flag"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

var (
	histories = flag.Int("histories", 0, "how many histories to try; by default some hundred, fewer under the race detector")
	first     = flag.Uint64("first", 1, "the seed of the first one")
	seed      = flag.Uint64("seed", 0, "try only the history with this seed, and print it")
	beyond    = flag.Bool("beyond", false, "with -seed: beyond the bounds of time")
)

// simulate plays a plan in a world of its own.
func simulate(t *testing.T, p Plan) *world {
	var w *world
	synctest.Test(t, func(*testing.T) {
		w = newWorld(&p)
		w.play()
	})
	return w
}

// number of histories to try.
func number() int {
	switch {
	case *histories > 0:
		return *histories
	case raced:
		return 20
	}
	return 400
}

func TestHistories(t *testing.T) {
	if *seed != 0 {
		w := simulate(t, Generate(*seed, *beyond))
		t.Logf("%+v\n%s", *w.plan, w)
		if v := w.violation(); v != "" {
			t.Errorf("seed %d: %s", *seed, v)
		}
		return
	}
	try(t, number(), false)
}

// Where the marketplace itself keeps bids single, no delay breaks a promise.
func TestBeyondBounds(t *testing.T) {
	if *seed == 0 {
		try(t, number()/4, true)
	}
}

// try plays histories on all processors, and stops at the first broken promise on each.
func try(t *testing.T, n int, beyond bool) {
	shards := runtime.GOMAXPROCS(0)
	for shard := range shards {
		t.Run(fmt.Sprint("shard ", shard), func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			for i := shard; i < n; i += shards {
				seed := *first + uint64(i)
				w := simulate(t, Generate(seed, beyond))
				if v := w.violation(); v != "" {
					t.Fatalf("seed %d, history %d, after %s: %s\n%+v\n%s", seed, i, time.Since(began), v, *w.plan, w)
				}
			}
			t.Logf("%d histories in %s", (n+shards-1-shard)/shards, time.Since(began))
		})
	}
}

// The same seed gives the same history to the last event.
func TestSameSeed(t *testing.T) {
	if *seed != 0 {
		t.Skip("-seed plays one history only; leave it out to run this, as make test does")
	}
	for i := range uint64(max(min(number(), 400)/20, 2)) {
		one, two := simulate(t, Generate(*first+i, false)), simulate(t, Generate(*first+i, false))
		if one.String() != two.String() {
			t.Errorf("seed %d gives two histories:\n%s\nand\n%s", *first+i, one, two)
		}
	}
}
