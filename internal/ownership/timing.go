package ownership

import (
	"fmt"
	"math"
	"math/big"
	"time"
)

// Timing are the bounds under which a take-over is safe. See docs/decisions/0005-lease-protocol.md for the two inequalities.
type Timing struct {
	// Heartbeat (H) is how long a heartbeat is good for, and how long others watch before they call its owner dead.
	Heartbeat time.Duration
	// Renew is how often the heartbeat is renewed.
	Renew time.Duration
	// Margin (M) of validity must be left when a call starts.
	Margin time.Duration
	// Pause (g) is the longest that a process may stand still between its last check and the first byte on the wire.
	Pause time.Duration
	// Drift (a, b) is the largest error of a clock's rate, slow or fast; 0.01 is one percent.
	Drift float64
}

// DefaultTiming gives a take-over after an observed 5 s.
func DefaultTiming() Timing {
	return Timing{
		Heartbeat: 5 * time.Second,
		Renew:     1500 * time.Millisecond,
		Margin:    time.Second,
		Pause:     time.Second,
		Drift:     0.01,
	}
}

// maxDrift is far beyond any clock; more would make the inequalities meaningless.
const maxDrift = 0.1

// Validate checks the values against each other. The error names the flag and a value that would be right.
//
// It holds inequality 1, (H-M)/(1-a) <= H/(1+b): a holder whose clock is slow stops before an observer whose clock is
// fast calls it dead.
func (t Timing) Validate() error {
	switch {
	case t.Drift < 0 || t.Drift > maxDrift:
		return fmt.Errorf("--clock-drift=%v: must be between 0 and %v", t.Drift, maxDrift)
	case t.Heartbeat < time.Second || t.Heartbeat%time.Second != 0:
		return fmt.Errorf("--heartbeat-duration=%v: must be whole seconds, 1s or more, since a Lease says no less", t.Heartbeat)
	case t.Pause < 0:
		return fmt.Errorf("--max-pause=%v: must not be negative", t.Pause)
	}
	least := t.Heartbeat - t.slowed(t.Heartbeat)
	switch {
	case t.Margin <= 0 || t.Margin < least:
		return fmt.Errorf("--heartbeat-margin=%v: must be %v or more with --heartbeat-duration=%v and --clock-drift=%v",
			t.Margin, max(roundUp(least), time.Millisecond), t.Heartbeat, t.Drift)
	case t.Margin >= t.Heartbeat:
		return fmt.Errorf("--heartbeat-margin=%v: must be less than --heartbeat-duration=%v, or no call may ever start", t.Margin, t.Heartbeat)
	case t.Renew <= 0 || 2*t.Renew >= t.Heartbeat-t.Margin:
		return fmt.Errorf("--heartbeat-renew-interval=%v: must be more than 0 and less than %v, so that one lost renewal is no lapse",
			t.Renew, (t.Heartbeat-t.Margin)/2)
	}
	return nil
}

func roundUp(d time.Duration) time.Duration {
	return (d + time.Millisecond - 1).Truncate(time.Millisecond)
}

// Settle is the least number of whole seconds that a process which takes over and finds an intent must wait, counted from
// the take-over, before a lookup tells the truth. It is the smallest S that strictly satisfies inequality 2,
//
//	(H-M+T)/(1-a) + g + N + V < (H+S)/(1+b)
//
// with the call's timeout T, the latest commit N at the marketplace after that timeout, and the delay V until a bid shows.
func (t Timing) Settle(callTimeout, lateCommit, visibility time.Duration) time.Duration {
	// Exact arithmetic: a rounding error at a whole second would make the wait one second too short.
	drift := t.exactDrift()
	one := big.NewRat(1, 1)
	wait := seconds(t.Heartbeat - t.Margin + callTimeout)
	wait.Quo(wait, new(big.Rat).Sub(one, drift))
	wait.Add(wait, seconds(t.Pause+lateCommit+visibility))
	wait.Mul(wait, new(big.Rat).Add(one, drift))
	wait.Sub(wait, seconds(t.Heartbeat))
	if wait.Sign() < 0 {
		return 0
	}
	floor := new(big.Int).Quo(wait.Num(), wait.Denom())
	return time.Duration(floor.Int64()+1) * time.Second
}

// bound is how long after a write its holder may rely on a Lease of the given duration. It is shorter than the duration
// by the margin and by the drift of both clocks, so that inequality 2 holds for it with the heartbeat's settle time: a
// competitor that knows only Leases may take it when the duration is over.
func (t Timing) bound(ttl time.Duration) time.Duration {
	return max(0, min(t.slowed(ttl), t.Heartbeat-t.Margin+t.slowed(ttl-t.Heartbeat)))
}

// slowed is what a slow clock may show while a fast one shows d.
func (t Timing) slowed(d time.Duration) time.Duration {
	return time.Duration(math.Floor(float64(d) * (1 - t.Drift) / (1 + t.Drift)))
}

func (t Timing) exactDrift() *big.Rat {
	return big.NewRat(int64(math.Ceil(t.Drift*1e6-1e-6)), 1e6)
}

func seconds(d time.Duration) *big.Rat {
	return big.NewRat(int64(d), int64(time.Second))
}
