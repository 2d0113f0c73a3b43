package simulation

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// TestWalks lets rapid choose what happens from outside. It finds less than seeds do in the same time, but it shortens
// what it finds to the few steps that matter.
func TestWalks(t *testing.T) {
	if *seed != 0 {
		t.Skip("-seed plays one history only; leave it out to run this, as make test does")
	}
	if raced {
		t.Skip("too slow under -race, where TestHistories runs; make test runs this without")
	}
	rapid.Check(t, func(rt *rapid.T) {
		p := walk(rt)
		w := simulate(t, p)
		if v := w.violation(); v != "" {
			rt.Fatalf("%s\n%+v\n%s", v, p, w)
		}
	})
}

func walk(rt *rapid.T) Plan {
	p := Plan{
		Seed:      rapid.Uint64().Draw(rt, "seed"),
		Replicas:  rapid.IntRange(2, 3).Draw(rt, "replicas"),
		Postings:  rapid.IntRange(1, 2).Draw(rt, "postings"),
		Flaky:     rapid.SampledFrom([]float64{0, 0.05}).Draw(rt, "flaky"),
		Admission: true,
		Answers:   true,
		Orphans:   onebidv1.OrphansReport,
		Class: rapid.SampledFrom([]onebidv1.MarketplaceClass{
			onebidv1.ClassIdempotencyKey, onebidv1.ClassUniquePerPosting, onebidv1.ClassNone,
		}).Draw(rt, "class"),
	}
	p.StoresKey = p.Class != onebidv1.ClassNone && rapid.Bool().Draw(rt, "stores keys")
	what := []Action{Create, Delete, Withdraw, Edit, Answer, Award, Reject, Crash, Pause, CutAPI, CutMarket, Stale}
	if p.StoresKey {
		what = append(what, PersonBids, PersonWithdraws)
	}
	step := rapid.Custom(func(rt *rapid.T) Step {
		s := Step{Action: rapid.SampledFrom(what).Draw(rt, "action"), After: millis(rt, "after", 8000)}
		if s.Action < Crash {
			s.Which = rapid.IntRange(0, p.Postings-1).Draw(rt, "posting")
			return s
		}
		s.Which, s.For = rapid.IntRange(0, p.Replicas-1).Draw(rt, "replica"), millis(rt, "for", 20000)
		return s
	})
	// A world without a Bid shows nothing.
	p.Steps = append([]Step{{Action: Create}}, rapid.SliceOfN(step, 1, 25).Draw(rt, "steps")...)
	return p
}

func millis(rt *rapid.T, what string, most int) time.Duration {
	return time.Duration(rapid.IntRange(0, most).Draw(rt, what)) * time.Millisecond
}
