package wire

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// RetryAfter is how long the marketplace asks us to wait: Retry-After in seconds or as a date, else the reset of a rate
// limit, in seconds or as Unix time. It is 0 when the marketplace does not say, or says nonsense.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	// Its dates are told by its own clock.
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	if value := strings.TrimSpace(h.Get("Retry-After")); value != "" {
		if date, err := http.ParseTime(value); err == nil {
			return bounded(date.Sub(now))
		}
		if wait, ok := seconds(value, now); ok {
			return wait
		}
	}
	for _, name := range []string{"RateLimit-Reset", "X-RateLimit-Reset", "X-Rate-Limit-Reset"} {
		if wait, ok := seconds(h.Get(name), now); ok {
			return wait
		}
	}
	return fromRateLimit(h.Get("RateLimit"), now)
}

// fromRateLimit reads the t of `RateLimit: "default";r=0;t=30`.
func fromRateLimit(value string, now time.Time) time.Duration {
	for part := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ';' || r == ',' }) {
		if t, found := strings.CutPrefix(strings.TrimSpace(part), "t="); found {
			wait, _ := seconds(t, now)
			return wait
		}
	}
	return 0
}

// shortestWindow of `RateLimit-Limit: 200, 200;window=60, 1000;window=3600`, 0 when there is none: by its end some calls are
// allowed again, unless the limit of a longer one was met too; the next answer then says so.
func shortestWindow(h http.Header) time.Duration {
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

// maxRetryAfter bounds what a marketplace can ask for.
const maxRetryAfter = 24 * time.Hour

// unixFrom is the number from which one is a time and no duration: thirty years of seconds.
const unixFrom = 1_000_000_000

func seconds(value string, now time.Time) (time.Duration, bool) {
	n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil || !(n >= 0 && n < 1e12) {
		return 0, false
	}
	if n >= unixFrom {
		return bounded(time.Unix(int64(n), 0).Sub(now)), true
	}
	return bounded(time.Duration(min(n, maxRetryAfter.Seconds()) * float64(time.Second))), true
}

func bounded(d time.Duration) time.Duration { return min(max(d, 0), maxRetryAfter) }
