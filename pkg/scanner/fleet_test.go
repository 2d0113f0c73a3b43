package scanner_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"golang.org/x/sync/errgroup"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/pkg/scanner"
)

// 200 processes find one posting at the same moment: one pays, and all others learn of it by a watch.
func TestManyScannersOnePosting(t *testing.T) {
	const scanners = 200
	for _, c := range []struct {
		why          string
		evaluate     scanner.Evaluate
		first, other scanner.Outcome
		bids, leases int
	}{
		{"worth a bid", suitable, scanner.Created, scanner.Duplicate, 1, 1},
		{"not worth a bid", unsuitable, scanner.NotSuitable, scanner.NotSuitable, 0, 0},
	} {
		w := newWorld(t, func(m *onebidv1.Marketplace) { m.Spec.Lock.AcquireTimeoutSeconds = 600 })
		var evaluations atomic.Int32
		ready := make(chan struct{})
		outcomes := make([]scanner.Outcome, scanners)
		var group errgroup.Group
		wires := make([]*wire, scanners)
		for i := range scanners {
			var s *scanner.Scanner
			s, wires[i] = w.scanner()
			group.Go(func() error {
				<-ready
				result, err := s.Process(t.Context(), posting("1"), func(ctx context.Context, p *onebidv1.Posting) (scanner.Verdict, error) {
					evaluations.Add(1)
					// It takes until everybody else waits.
					w.Eventually(func() int { return following(wires) }, "60s", "20ms").Should(Equal(scanners - 1))
					return c.evaluate(ctx, p)
				})
				outcomes[i] = result.Outcome
				return err
			})
		}
		started := time.Now()
		close(ready)
		w.Expect(group.Wait()).To(Succeed(), c.why)
		t.Logf("%s: %d scanners were done after %s", c.why, scanners, time.Since(started).Round(time.Millisecond))
		w.Expect(time.Since(started)).To(BeNumerically("<", 2*time.Minute), "nobody waited for a timeout")
		count := map[scanner.Outcome]int{}
		for _, outcome := range outcomes {
			count[outcome]++
		}
		w.Expect(evaluations.Load()).To(BeEquivalentTo(1), c.why)
		want := map[scanner.Outcome]int{c.other: scanners - 1}
		want[c.first]++
		w.Expect(count).To(Equal(want), c.why)
		w.Expect(w.bids()).To(HaveLen(c.bids), c.why)
		w.Expect(w.leases()).To(HaveLen(c.leases), "%s: nobody who waited left a lock behind", c.why)
	}
}

// following counts the scanners that wait for news of the posting.
func following(wires []*wire) int {
	count := 0
	for _, wire := range wires {
		if wire.Has("WATCH bids") {
			count++
		}
	}
	return count
}

// Goroutines of one process compete as processes do.
func TestManyGoroutinesOnePosting(t *testing.T) {
	w := newWorld(t)
	for _, kind := range []string{"lease", "memory"} {
		s, _ := w.scanner(locks(scanner.Locks{Type: kind}))
		var evaluations, created atomic.Int32
		var group errgroup.Group
		for range 50 {
			group.Go(func() error {
				result, err := s.Process(t.Context(), posting(kind), func(ctx context.Context, p *onebidv1.Posting) (scanner.Verdict, error) {
					evaluations.Add(1)
					return suitable(ctx, p)
				})
				if result.Outcome == scanner.Created {
					created.Add(1)
				}
				return err
			})
		}
		w.Expect(group.Wait()).To(Succeed())
		w.Expect(evaluations.Load()).To(BeEquivalentTo(1), kind)
		w.Expect(created.Load()).To(BeEquivalentTo(1), kind)
	}
}

const (
	fleetScanners = 50
	fleetPostings = 2000
	// fleetShares is how many of the scanners find the same posting, and fleetTTL how long a killed one blocks it.
	fleetShares = 2
	fleetTTL    = time.Second
)

// 50 processes go through 2,000 postings and are killed in the middle of it, again and again: at the end each posting has
// its one Bid or its verdict, and nothing was bid on twice.
func TestFleetWithKills(t *testing.T) {
	w := newWorld(t)
	f := &fleet{w: w}
	var group errgroup.Group
	for i := range fleetScanners {
		group.Go(func() error { return f.run(i) })
	}
	w.Expect(group.Wait()).To(Succeed())

	decided := map[string]bool{}
	for _, bid := range w.bids() {
		decided[bid.Spec.PostingID] = true
	}
	w.Expect(decided).To(HaveLen(len(w.bids())), "one Bid a posting")
	for i := range fleetPostings {
		id := fmt.Sprint(i)
		w.Expect(decided[id]).To(Equal(worthABid(id)), "posting %s", id)
		if !decided[id] {
			w.Expect(w.posting(id).Spec.Evaluation.Suitable).To(HaveValue(BeFalse()), "posting %s", id)
		}
	}
	t.Logf("%d scanners were killed; %d evaluations of %d postings", f.killed.Load(), f.evaluations.Load(), fleetPostings)
	w.Expect(f.killed.Load()).To(BeNumerically(">", 50))
	// Only a scanner that was killed after it had begun to evaluate, and before its result was written, is paid twice for.
	w.Expect(f.evaluations.Load()).To(BeNumerically("<=", fleetPostings+f.killed.Load()))
}

type fleet struct {
	w                   *world
	evaluations, killed atomic.Int32
	making              sync.Mutex
}

func worthABid(id string) bool {
	h := fnv.New32()
	_, _ = h.Write([]byte(id))
	return h.Sum32()%10 < 3
}

func (f *fleet) evaluate(ctx context.Context, p *onebidv1.Posting) (scanner.Verdict, error) {
	f.evaluations.Add(1)
	if worthABid(p.Spec.PostingID) {
		return suitable(ctx, p)
	}
	return unsuitable(ctx, p)
}

// run goes through one scanner's share in an order of its own. A scanner that was killed is replaced.
func (f *fleet) run(number int) error {
	luck := rand.New(rand.NewPCG(uint64(number), 1))
	var todo []string
	for i := range fleetPostings {
		if i%(fleetScanners/fleetShares) == number%(fleetScanners/fleetShares) {
			todo = append(todo, fmt.Sprint(i))
		}
	}
	luck.Shuffle(len(todo), func(i, j int) { todo[i], todo[j] = todo[j], todo[i] })
	for len(todo) > 0 {
		left, err := f.live(todo, 5+luck.IntN(150))
		if err != nil {
			return err
		}
		todo = left
	}
	return nil
}

var errKilled = errors.New("killed")

// live is one process, which is killed at one of its requests: when the number is even, before that is carried out, else
// before the reply. Nothing that it sends afterwards arrives.
func (f *fleet) live(todo []string, requests int) (left []string, err error) {
	f.making.Lock()
	s, wire := f.w.scanner(locks(scanner.Locks{TTL: fleetTTL}))
	f.making.Unlock()
	ctx, kill := context.WithCancel(f.w.t.Context())
	defer kill()
	var sent atomic.Int32
	wire.Spoil(func(_ string, send sender) (*http.Response, error) {
		number := int(sent.Add(1))
		switch {
		case number < requests:
			return send()
		case number == requests:
			kill()
			if response, err := sendUnless(number%2 == 0, send); err == nil {
				_ = response.Body.Close()
			}
		}
		return nil, errKilled
	})
	for len(todo) > 0 {
		result, err := s.Process(ctx, posting(todo[0]), f.evaluate)
		switch {
		case ctx.Err() != nil:
			f.killed.Add(1)
			return todo, nil
		case err != nil:
			return nil, err
		case result.Outcome == scanner.LockTimeout:
			// Somebody died here again and again.
			todo = append(todo[1:], todo[0])
		default:
			todo = todo[1:]
		}
	}
	return nil, nil
}

func sendUnless(dropped bool, send sender) (*http.Response, error) {
	if dropped {
		return nil, errKilled
	}
	return send()
}
