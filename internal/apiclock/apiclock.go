// Package apiclock is the API server's clock, so that times which other processes read (tombstones, cooldowns, the age of
// a posting) do not depend on the clocks of the hosts that write and read them.
//
// Every response carries the API server's time in the Date header, in whole seconds that are cut off, not rounded. So one
// exchange proves that the server's time was between Date and Date + 1 s at some moment between the request and the
// response. The clock keeps one number, the offset from this process's clock, and moves it only as far as needed to agree
// with the latest exchange. The true offset agrees with every exchange, so no exchange moves the estimate away from it,
// and the cut-off seconds move it less and less. A host whose clock is right is never corrected.
//
// Between exchanges the time goes on with the process's monotonic clock; a step of the host's wall clock changes nothing.
// When the estimate moves back, Now stands still until the time has caught up. Only a server's clock more than MaxHold
// behind the last result of Now counts as set back, and is followed at once.
package apiclock

import (
	"net/http"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// MaxHold is the longest that Now stands still rather than step back. It covers the Date header's resolution, and the
// difference between the clocks of several API servers behind one address.
const MaxHold = 5 * time.Second

// Clock is the API server's clock as seen from here. Until the first response it is the process's own. It implements
// clock.PassiveClock and is safe for concurrent use. Its times carry no monotonic reading: they are compared with stored
// times.
type Clock struct {
	local clock.PassiveClock
	// began and wall are one moment, the former with the monotonic reading and the latter without.
	began, wall time.Time

	mu     sync.Mutex
	offset time.Duration
	last   time.Time
}

var _ clock.PassiveClock = (*Clock)(nil)

// New returns a Clock that runs at the rate of the given one.
func New(local clock.PassiveClock) *Clock {
	now := local.Now()
	return &Clock{local: local, began: now, wall: now.Round(0)}
}

// Now returns the API server's time. Of two calls the later one returns no earlier time, unless the server's clock was
// set back by more than MaxHold.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.monotonic().Add(c.offset)
	if behind := c.last.Sub(now); behind > 0 && behind <= MaxHold {
		return c.last
	}
	c.last = now
	return now
}

// Since returns the time that has passed since t by this clock.
func (c *Clock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

// monotonic is the local time as if the host's wall clock had never been set since New.
func (c *Clock) monotonic() time.Time { return c.wall.Add(c.local.Since(c.began)) }

// Wrap returns a RoundTripper that reads the time off each response; give it to rest.Config.Wrap.
func (c *Clock) Wrap(next http.RoundTripper) http.RoundTripper {
	return &roundTripper{clock: c, next: next}
}

type roundTripper struct {
	clock *Clock
	next  http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (r *roundTripper) RoundTrip(request *http.Request) (*http.Response, error) {
	sent := r.clock.monotonic()
	response, err := r.next.RoundTrip(request)
	if err == nil {
		r.clock.learn(response.Header.Get("Date"), sent, r.clock.monotonic())
	}
	return response, err
}

// WrappedRoundTripper lets client-go see through to the transport.
func (r *roundTripper) WrappedRoundTripper() http.RoundTripper { return r.next }

// learn moves the offset into the range which one exchange proves. A date that cannot be read proves nothing.
func (c *Clock) learn(header string, sent, received time.Time) {
	date, err := http.ParseTime(header)
	if err != nil {
		return
	}
	least, most := date.Sub(received), date.Add(time.Second).Sub(sent)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset = min(max(c.offset, least), most)
}
