package integration_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/onebid-dev/onebid/internal/ownership"
)

// Two hundred goroutines of ten scanners and ten replicas want one posting at the same instant. Goroutines of one
// replica stand for one owner, so what must be one is the number of terms.
func TestOneOfManyWins(t *testing.T) {
	noLeaks(t)
	g := NewWithT(t)
	ns := env.Namespace(t)
	var processes []*process
	for range 10 {
		processes = append(processes, scanner(t, clock.RealClock{}), replica(t, ns, clock.RealClock{}))
	}
	for round := range 5 {
		id := fmt.Sprintf("%d", round)
		var wins sync.Map
		var winners, scannerWins, refused atomic.Int32
		start := make(chan struct{})
		var running sync.WaitGroup
		for i := range 200 {
			p := processes[i%len(processes)]
			running.Go(func() {
				<-start
				// Controllers come for no Bid: with one, they may take a posting from a scanner at once.
				claim, err := p.Acquire(t.Context(), posting(ns, id))
				switch {
				case err == nil:
					wins.Store(claim.Token, p.me)
					winners.Add(1)
					if p.members == nil {
						scannerWins.Add(1)
					}
				case isHeld(err):
					refused.Add(1)
				default:
					t.Errorf("neither won nor refused: %v", err)
				}
			})
		}
		close(start)
		running.Wait()
		var terms []ownership.Identity
		wins.Range(func(_, me any) bool {
			terms = append(terms, me.(ownership.Identity))
			return true
		})
		g.Expect(terms).To(HaveLen(1))
		if terms[0].Role == ownership.RoleScanner {
			g.Expect(winners.Load()).To(BeEquivalentTo(1), "goroutines of one scanner exclude each other")
		} else {
			g.Expect(winners.Load()).To(BeEquivalentTo(10), "goroutines of one replica share its term")
			g.Expect(scannerWins.Load()).To(BeZero())
		}
		g.Expect(winners.Load() + refused.Load()).To(BeEquivalentTo(200))
	}
}

// Twenty scanners, each with two goroutines, hand one posting to each other. No two are inside together, and
// none waits for longer than a watch takes.
func TestHandOverByWatch(t *testing.T) {
	noLeaks(t)
	ns := env.Namespace(t)
	var inside, served atomic.Int32
	var running sync.WaitGroup
	started := time.Now()
	for range 20 {
		p := scanner(t, clock.RealClock{})
		for range 2 {
			running.Go(func() {
				claim, err := p.AcquireWait(t.Context(), posting(ns, "1"), time.Minute)
				if err != nil {
					t.Errorf("wait: %v", err)
					return
				}
				if now := inside.Add(1); now != 1 {
					t.Errorf("%d inside", now)
				}
				served.Add(1)
				inside.Add(-1)
				if err := p.Release(t.Context(), claim); err != nil {
					t.Errorf("release: %v", err)
				}
			})
		}
	}
	running.Wait()
	g := NewWithT(t)
	g.Expect(served.Load()).To(BeEquivalentTo(40))
	// An expiry would take five minutes; a lost wake-up would take the whole timeout.
	g.Expect(time.Since(started)).To(BeNumerically("<", 30*time.Second))
}

// Controllers take over from each other, end and begin anew, in a race on few postings. Every token is won once.
func TestTokensAreUnique(t *testing.T) {
	noLeaks(t)
	g := NewWithT(t)
	ns := env.Namespace(t)
	var tokens sync.Map
	var running sync.WaitGroup
	for r := range 4 {
		p := replica(t, ns, clock.RealClock{})
		running.Go(func() {
			for i := range 60 {
				id := fmt.Sprintf("%d", i%3)
				uid := types.UID(fmt.Sprintf("uid-%d-%d", r, i)) // a Bid that ended never comes back
				claim, err := p.Acquire(t.Context(), bid(ns, id, uid, 1))
				if err != nil {
					continue // another process has it
				}
				if other, twice := tokens.LoadOrStore([2]any{id, claim.Token}, r); twice {
					t.Errorf("%v was won by %v and %v", claim.Token, other, r)
				}
				if err := p.WriteTombstone(t.Context(), claim, ownership.Tombstone{EndedAt: time.Now(), CooldownUntil: time.Now()}); err != nil {
					t.Errorf("tombstone: %v", err)
				}
			}
		})
	}
	running.Wait()
	count := 0
	tokens.Range(func(any, any) bool { count++; return true })
	g.Expect(count).To(BeNumerically(">", 10))
}
