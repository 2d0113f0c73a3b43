package simulation

import (
	"fmt"
	"math/rand/v2"
	"time"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/ownership"
)

// The durations of a simulated world. They keep the proportions of real ones and make histories short.
const (
	callTimeout = 3 * time.Second
	lateCommit  = 2 * time.Second
	visibility  = 2 * time.Second
	cooldown    = 15 * time.Second
	audits      = 12 * time.Second
	// beyondAll is how late a call may be carried out in a plan that knows no bounds.
	beyondAll = 90 * time.Second
)

var timing = ownership.Timing{
	Heartbeat: 5 * time.Second, Renew: 1500 * time.Millisecond, Margin: time.Second, Pause: time.Second, Drift: 0.01,
}

// Action is what a step does.
type Action int

// Deeds of users, of the posting's owner, of a person at the marketplace, and of fate.
const (
	Create Action = iota
	Delete
	Withdraw
	Edit
	Answer
	Award
	Reject
	PersonBids
	PersonWithdraws
	Crash
	Pause
	CutAPI
	CutMarket
	Stale
	actions
)

var actionNames = [actions]string{
	"create", "delete", "withdraw", "edit", "answer", "award", "reject", "a person bids", "a person withdraws", "crash", "pause",
	"cut off from the API server", "cut off from the marketplace", "stale caches",
}

func (d Action) String() string { return actionNames[d] }

// Step is one thing that happens from outside.
type Step struct {
	// After the step before.
	After  time.Duration
	Action Action
	// Replica that suffers, or posting that is meant.
	Which int
	// For how long.
	For time.Duration
}

func (s Step) String() string {
	return fmt.Sprintf("after %s: %s %d for %s", s.After.Round(time.Millisecond), s.Action, s.Which, s.For.Round(time.Millisecond))
}

// Plan is a history to be. The same Plan gives the same history.
type Plan struct {
	// Seed of everything that is not a step: delays, lost replies, what the marketplace does.
	Seed  uint64
	Class onebidv1.MarketplaceClass
	// StoresKey is true when the marketplace gives keys back.
	StoresKey bool
	// ReusesIDs is true when a bid may get the ID of one that ended. Beyond the bounds of time that cannot be kept apart.
	ReusesIDs bool
	// Admission is true when a policy puts the finalizer on at creation.
	Admission bool
	// Orphans is what the audit does.
	Orphans onebidv1.OrphanPolicy
	// Beyond lifts the bounds of time: calls are carried out much later, and a process may pause before a first byte.
	Beyond   bool
	Replicas int
	Postings int
	// Flaky is how likely a request to the API server fails, or loses its reply.
	Flaky float64
	// Answers is true when a person answers every open question in the end.
	Answers bool
	Steps   []Step
}

// Generate draws a Plan.
func Generate(seed uint64, beyond bool) Plan {
	l := random{rand.New(rand.NewPCG(seed, 0))}
	p := Plan{
		Seed: seed, Beyond: beyond, Replicas: 2 + l.IntN(2), Postings: 1 + l.weighted(2, 1), Admission: l.chance(0.8),
		Flaky: []float64{0, 0.02, 0.1}[l.IntN(3)], Answers: l.chance(0.5), Orphans: onebidv1.OrphansReport,
	}
	if l.chance(0.5) {
		p.Orphans = onebidv1.OrphansWithdraw
	}
	switch l.weighted(5, 4, 3) {
	case 0:
		p.Class, p.StoresKey = onebidv1.ClassIdempotencyKey, l.chance(0.8)
	case 1:
		p.Class, p.StoresKey, p.ReusesIDs = onebidv1.ClassUniquePerPosting, l.chance(0.5), l.chance(0.3) && !beyond
	default:
		p.Class = onebidv1.ClassNone
		if beyond {
			p.Class, p.StoresKey = onebidv1.ClassIdempotencyKey, true
		}
	}
	p.Steps = steps(l, &p, 8+l.IntN(16))
	return p
}

func steps(l random, p *Plan, n int) []Step {
	out := []Step{{After: l.between(0, 4*time.Second), Action: Create}}
	weights := []int{16, 11, 5, 2, 4, 1, 1, 0, 0, 9, 9, 7, 3, 5}
	if p.StoresKey && !p.Beyond {
		weights[PersonBids], weights[PersonWithdraws] = 1, 1
	}
	for range n {
		s := Step{Action: Action(l.weighted(weights...))}
		// Much of what goes wrong goes wrong while something is under way: short gaps, and now and then a long one.
		s.After = []time.Duration{
			l.between(0, 50*time.Millisecond), l.between(0, 2*time.Second), l.between(0, 15*time.Second),
		}[l.weighted(4, 4, 3)]
		s.Which = l.IntN(p.Postings)
		if s.Action >= Crash {
			s.Which = l.IntN(p.Replicas)
			s.For = []time.Duration{
				l.between(0, 3*time.Second), l.between(time.Second, 12*time.Second), l.between(5*time.Second, 40*time.Second),
			}[l.weighted(3, 4, 2)]
		}
		out = append(out, s)
	}
	return out
}
