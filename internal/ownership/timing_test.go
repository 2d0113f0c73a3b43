package ownership

import (
	"math/big"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"pgregory.net/rapid"
)

func TestDefaultTimingIsValid(t *testing.T) {
	g := NewWithT(t)
	g.Expect(DefaultTiming().Validate()).To(Succeed())
	// (5-1+10)/0.99 + 1 + 0 + 0 = 15.14 s of real time, against (5+S)/1.01.
	g.Expect(DefaultTiming().Settle(10*time.Second, 0, 0)).To(Equal(11 * time.Second))
	g.Expect(DefaultTiming().bound(300 * time.Second)).To(BeNumerically("~", 293*time.Second, time.Second))
}

func TestTimingErrorsSayWhatIsRight(t *testing.T) {
	for _, c := range []struct {
		edit func(*Timing)
		want string
		why  string
	}{
		{func(t *Timing) { t.Heartbeat = 1500 * time.Millisecond }, "--heartbeat-duration=1.5s: must be whole", "a Lease has no fractions"},
		{func(t *Timing) { t.Heartbeat = 0 }, "--heartbeat-duration=0s", "nothing would ever be valid"},
		{func(t *Timing) { t.Margin = 0 }, "--heartbeat-margin=0s: must be 100ms or more", "5 s drift apart by 99 ms"},
		{func(t *Timing) { t.Margin, t.Drift = 0, 0 }, "--heartbeat-margin=0s: must be 1ms or more", "without drift any margin will do"},
		{func(t *Timing) { t.Margin = 5 * time.Second }, "--heartbeat-margin=5s: must be less than --heartbeat-duration=5s", "nothing is left"},
		{func(t *Timing) { t.Renew = 2 * time.Second }, "--heartbeat-renew-interval=2s: must be more than 0 and less than 2s",
			"one may get lost"},
		{func(t *Timing) { t.Renew = 0 }, "--heartbeat-renew-interval=0s", "it would never stop"},
		{func(t *Timing) { t.Pause = -1 }, "--max-pause=-1ns", "time does not run backwards"},
		{func(t *Timing) { t.Drift = 0.5 }, "--clock-drift=0.5: must be between 0 and 0.1", "no clock is as bad"},
		{func(t *Timing) { t.Drift = -0.01 }, "--clock-drift=-0.01", "drift is a bound"},
	} {
		timing := DefaultTiming()
		c.edit(&timing)
		NewWithT(t).Expect(timing.Validate()).To(MatchError(ContainSubstring(c.want)), c.why)
	}
}

// holds is inequality 2, (D-M+T)/(1-a) + g + N + V < (D+S)/(1+b), in exact arithmetic and without the factors that
// Settle multiplies out.
func (t Timing) holds(rely, duration, call, rest, settle time.Duration, ppm int64) bool {
	slow, fast := big.NewRat(1e6-ppm, 1e6), big.NewRat(1e6+ppm, 1e6)
	left := new(big.Rat).Quo(big.NewRat(int64(rely+call), 1), slow)
	left.Add(left, big.NewRat(int64(t.Pause+rest), 1))
	right := new(big.Rat).Quo(big.NewRat(int64(duration+settle), 1), fast)
	return left.Cmp(right) < 0
}

func aTiming(t *rapid.T) (timing Timing, ppm int64) {
	ppm = rapid.SampledFrom([]int64{0, 1, 100, 10_000, 33_333, 100_000}).Draw(t, "ppm")
	whole := func(name string, low, high int64) time.Duration {
		return time.Duration(rapid.Int64Range(low, high).Draw(t, name)) * 100 * time.Millisecond
	}
	timing = Timing{
		Heartbeat: time.Duration(rapid.Int64Range(1, 60).Draw(t, "heartbeat")) * time.Second,
		Margin:    whole("margin", 0, 100),
		Pause:     whole("pause", 0, 50),
		Drift:     float64(ppm) / 1e6,
	}
	timing.Renew = max((timing.Heartbeat-timing.Margin)/3, 1)
	return timing, ppm
}

func TestSettleIsTheSmallestThatSatisfiesTheInequality(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := NewWithT(t)
		timing, ppm := aTiming(t)
		call := time.Duration(rapid.Int64Range(0, 600).Draw(t, "call")) * 100 * time.Millisecond
		late := time.Duration(rapid.Int64Range(0, 60).Draw(t, "late")) * time.Second
		visible := time.Duration(rapid.Int64Range(0, 60).Draw(t, "visible")) * time.Second
		settle := timing.Settle(call, late, visible)
		rely := timing.Heartbeat - timing.Margin

		g.Expect(settle % time.Second).To(BeZero())
		g.Expect(timing.holds(rely, timing.Heartbeat, call, late+visible, settle, ppm)).To(BeTrue(), "S=%v", settle)
		if settle > 0 {
			g.Expect(timing.holds(rely, timing.Heartbeat, call, late+visible, settle-time.Second, ppm)).To(BeFalse(), "S=%v", settle)
		}
	})
}

// Inequality 1: (H-M)/(1-a) <= H/(1+b).
func TestValidateHoldsTheFirstInequality(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		timing, ppm := aTiming(t)
		left := new(big.Rat).Quo(big.NewRat(int64(timing.Heartbeat-timing.Margin), 1), big.NewRat(1e6-ppm, 1e6))
		right := new(big.Rat).Quo(big.NewRat(int64(timing.Heartbeat), 1), big.NewRat(1e6+ppm, 1e6))
		if timing.Validate() == nil && left.Cmp(right) > 0 {
			t.Fatalf("accepted %+v", timing)
		}
		timing.Margin = max(timing.Heartbeat/4, time.Second/5)
		timing.Renew = (timing.Heartbeat - timing.Margin) / 3
		if err := timing.Validate(); err != nil {
			t.Fatalf("refused %+v: %v", timing, err)
		}
	})
}

// The settle time of the heartbeat is long enough also where a competitor that knows only Leases came in between.
func TestBoundIsCoveredByTheSameSettleWait(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := NewWithT(t)
		timing, ppm := aTiming(t)
		if timing.Validate() != nil {
			t.Skip("not a legal timing")
		}
		ttl := time.Duration(rapid.Int64Range(1, 86_400).Draw(t, "ttl")) * time.Second
		call := time.Duration(rapid.Int64Range(1, 60).Draw(t, "call")) * time.Second
		bound := timing.bound(ttl)
		g.Expect(bound).To(BeNumerically("<", ttl))
		if bound == 0 {
			return // nothing may be called at all
		}
		settle := timing.Settle(call, 0, 0)
		g.Expect(timing.holds(bound, ttl, call, 0, settle, ppm)).To(BeTrue(), "bound %v", bound)
	})
}
