// Package ratelimit reads the rate limit of a marketplace from the headers of a reply. A header that is missing or invalid is
// ignored: none can fail a call.
package ratelimit

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/dunglas/httpsfv"
)

// Longest bounds what a marketplace can ask for.
const Longest = 24 * time.Hour

// State is the limit of our account: of several windows, the one that blocks first.
type State struct {
	// Limit is how many calls a window has; 0 when it is not given.
	Limit int64
	// Remaining is how many of them are left.
	Remaining int64
	// Reset is how long until there are more, at most Longest; 0 when it is not given.
	Reset time.Duration
}

// Read finds the state in the fields of the IETF's draft (RateLimit as a list of policies, or as the dictionary that it
// was until draft 7), in RateLimit-Limit, -Remaining and -Reset, and in their older names with an X. It is false when
// the number of remaining calls is not given.
func Read(h http.Header, now time.Time) (State, bool) {
	now = serverTime(h, now)
	var found []State
	if found = policies(h, now); len(found) == 0 {
		found = fields(h, now)
	}
	if len(found) == 0 {
		return State{}, false
	}
	first := found[0]
	for _, other := range found[1:] {
		if other.before(first) {
			first = other
		}
	}
	return first, true
}

// before is true for the window that blocks first, or for longer.
func (s State) before(other State) bool {
	if s.Remaining != other.Remaining {
		return s.Remaining < other.Remaining
	}
	return s.Reset > other.Reset
}

// RetryAfter is how long to wait, at most Longest: Retry-After in seconds or as a date, else the
// reset of a rate limit, in seconds or as Unix time. It is 0 when it is not given.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	now = serverTime(h, now)
	if value := strings.TrimSpace(h.Get("Retry-After")); value != "" {
		if date, err := http.ParseTime(value); err == nil {
			return bounded(date.Sub(now))
		}
		if wait, ok := seconds(value, now); ok {
			return wait
		}
	}
	if state, ok := Read(h, now); ok && state.Reset > 0 {
		return state.Reset
	}
	wait, _ := seconds(first(h, "Reset"), now)
	return wait
}

// serverTime is the time by the marketplace's clock, which its dates refer to.
func serverTime(h http.Header, now time.Time) time.Time {
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		return date
	}
	return now
}

// fields reads one field for each number. Each may list further windows; the first counts.
func fields(h http.Header, now time.Time) []State {
	remaining, ok := count(first(h, "Remaining"))
	if !ok {
		return nil
	}
	limit, _ := count(first(h, "Limit"))
	reset, given := seconds(first(h, "Reset"), now)
	if !given && remaining == 0 {
		reset = ShortestWindow(h)
	}
	return []State{{Limit: limit, Remaining: remaining, Reset: reset}}
}

// first gives the first value of the field under the first of its names that is there.
func first(h http.Header, what string) string {
	for _, name := range []string{"RateLimit-", "X-RateLimit-", "X-Rate-Limit-"} {
		if value := h.Get(name + what); value != "" {
			value, _, _ = strings.Cut(value, ",")
			value, _, _ = strings.Cut(value, ";")
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// policies reads `"default";r=0;t=30`, and `limit=10, remaining=0, reset=30`.
func policies(h http.Header, now time.Time) []State {
	values := h.Values("RateLimit")
	if list, err := httpsfv.UnmarshalList(values); err == nil {
		var found []State
		for _, member := range list {
			if item, ok := member.(httpsfv.Item); ok {
				found = append(found, state(now, item.Params.Get, "q", "r", "t")...)
			}
		}
		return found
	}
	dictionary, err := httpsfv.UnmarshalDictionary(values)
	if err != nil {
		return nil
	}
	return state(now, func(name string) (any, bool) {
		member, _ := dictionary.Get(name)
		item, ok := member.(httpsfv.Item)
		return item.Value, ok
	}, "limit", "remaining", "reset")
}

// state is empty when the number of remaining calls is not given.
func state(now time.Time, get func(string) (any, bool), limit, remaining, reset string) []State {
	number := func(name string) (int64, bool) {
		value, _ := get(name)
		n, ok := value.(int64)
		return n, ok && n >= 0
	}
	left, ok := number(remaining)
	if !ok {
		return nil
	}
	out := State{Remaining: left}
	out.Limit, _ = number(limit)
	if n, ok := number(reset); ok {
		out.Reset = span(float64(n), now)
	}
	return []State{out}
}

func count(value string) (int64, bool) {
	n, err := strconv.ParseInt(value, 10, 64)
	return n, err == nil && n >= 0
}

func seconds(value string, now time.Time) (time.Duration, bool) {
	n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil || !(n >= 0 && n < 1e12) {
		return 0, false
	}
	return span(n, now), true
}

// ShortestWindow of `RateLimit-Limit: 200, 200;window=60, 1000;window=3600`, 0 when there is none: by its end some calls are
// allowed again, unless the limit of a longer one was met too; the next answer then says so.
func ShortestWindow(h http.Header) time.Duration {
	var shortest time.Duration
	for _, name := range []string{"RateLimit-Limit", "X-RateLimit-Limit"} {
		for part := range strings.FieldsFuncSeq(h.Get(name), func(r rune) bool { return r == ';' || r == ',' }) {
			window, found := strings.CutPrefix(strings.TrimSpace(part), "window=")
			if n, err := strconv.ParseUint(window, 10, 32); found && err == nil {
				if d := bounded(time.Duration(n) * time.Second); d > 0 && (shortest == 0 || d < shortest) {
					shortest = d
				}
			}
		}
	}
	return shortest
}

// unixFrom is the number from which one is a time and no duration: thirty years of seconds.
const unixFrom = 1_000_000_000

func span(n float64, now time.Time) time.Duration {
	if n >= unixFrom {
		return bounded(time.Unix(int64(min(n, 1e12)), 0).Sub(now))
	}
	return bounded(time.Duration(min(n, Longest.Seconds()) * float64(time.Second)))
}

func bounded(d time.Duration) time.Duration { return min(max(d, 0), Longest) }
