package simulation

import (
	"time"

	"k8s.io/utils/clock"
)

// hostClock is the clock of one host: set wrongly, and running a little fast or slow. Whatever it wakes, it wakes at a
// moment of its own.
type hostClock struct {
	p     *process
	begun time.Time
	// wrong is how far it was off when it was set.
	wrong time.Duration
	// rate is how much of its time goes by in one second.
	rate float64
}

var _ clock.Clock = (*hostClock)(nil)

func (c *hostClock) Now() time.Time {
	return c.begun.Add(c.wrong + time.Duration(float64(time.Since(c.begun))*c.rate))
}

func (c *hostClock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

func (c *hostClock) NewTimer(d time.Duration) clock.Timer {
	wait := time.Duration(float64(d) / c.rate)
	if !c.p.isDead() {
		wait = c.p.reserve(wait)
	}
	return &hostTimer{time.NewTimer(wait), c}
}

func (c *hostClock) After(d time.Duration) <-chan time.Time { return c.NewTimer(d).C() }

func (c *hostClock) Sleep(d time.Duration) { <-c.After(d) }

func (*hostClock) Tick(time.Duration) <-chan time.Time { panic("not used") }

type hostTimer struct {
	timer *time.Timer
	host  *hostClock
}

func (t *hostTimer) C() <-chan time.Time { return t.timer.C }

func (t *hostTimer) Stop() bool { return t.timer.Stop() }

func (t *hostTimer) Reset(d time.Duration) bool {
	return t.timer.Reset(time.Duration(float64(d) / t.host.rate))
}
