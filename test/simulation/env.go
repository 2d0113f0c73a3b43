package simulation

import (
	"math/rand/v2"
	"sync"
	"time"
)

// env is what every part of a world shares: its plan, its time, its draws, and what is recorded of it.
type env struct {
	*instants
	*trace
	plan    *Plan
	randoms *randoms
	journal *journal
	running sync.WaitGroup

	mu        sync.Mutex
	faultless bool
	owners    map[string]string // UIDs by idempotency key
	lives     int
}

func newEnv(p *Plan) *env {
	return &env{
		instants: newInstants(), trace: &trace{begun: time.Now()}, plan: p, randoms: newRandoms(p.Seed),
		journal: &journal{}, owners: map[string]string{},
	}
}

// run starts a goroutine that the history waits for at its end.
func (e *env) run(do func()) { e.running.Go(do) }

// faulty is false once nothing fails any more.
func (e *env) faulty() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return !e.faultless
}

func (e *env) endFaults() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.faultless = true
}

// flaky is true for a request to the API server that is to fail.
func (e *env) flaky(r random) bool { return e.faulty() && r.chance(e.plan.Flaky) }

func (e *env) nextLife() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lives++
	return e.lives
}

// owner is the UID of the Bid that the idempotency key is of.
func (e *env) owner(key string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.owners[key]
}

func (e *env) setOwner(key, uid string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.owners[key] = uid
}

// invalid is true for one bid in thirty: the marketplace will never take it.
func (e *env) invalid(key string) bool {
	return random{rand.New(rand.NewPCG(e.plan.Seed, hash(key)))}.chance(1.0 / 30)
}
