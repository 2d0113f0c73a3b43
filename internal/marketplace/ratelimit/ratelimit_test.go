package ratelimit_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/onebid-dev/onebid/internal/marketplace/ratelimit"
)

var now = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func headers(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i+1 < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

func TestRead(t *testing.T) {
	inAMinute := strconv.FormatInt(now.Add(time.Minute).Unix(), 10)
	for _, c := range []struct {
		why   string
		given http.Header
		want  ratelimit.State
		none  bool
	}{
		{"a reply without a word of it", headers("Content-Type", "text/plain"), ratelimit.State{}, true},
		{"the draft's list", headers("RateLimit", `"default";r=0;t=30`), ratelimit.State{Reset: 30 * time.Second}, false},
		{
			"of two policies the spent one counts", headers("RateLimit", `"burst";r=7;t=1, "day";r=0;t=3600`),
			ratelimit.State{Reset: time.Hour}, false,
		},
		{
			"of two spent policies the longer one", headers("RateLimit", `"burst";r=0;t=1`, "RateLimit", `"day";r=0;t=60`),
			ratelimit.State{Reset: time.Minute}, false,
		},
		{"a comma in a name", headers("RateLimit", `"a,b;r=5";r=3;t=9`), ratelimit.State{Remaining: 3, Reset: 9 * time.Second}, false},
		{
			"the dictionary of older drafts", headers("RateLimit", "limit=10, remaining=0, reset=50"),
			ratelimit.State{Limit: 10, Reset: 50 * time.Second}, false,
		},
		{"a dictionary without the one thing that counts", headers("RateLimit", "limit=10"), ratelimit.State{}, true},
		{
			"three fields", headers("RateLimit-Limit", "200, 200;window=60", "RateLimit-Remaining", "0", "RateLimit-Reset", "5"),
			ratelimit.State{Limit: 200, Reset: 5 * time.Second}, false,
		},
		{
			"the older names, with Unix time", headers("X-RateLimit-Limit", "60", "X-RateLimit-Remaining", "12", "X-RateLimit-Reset", inAMinute),
			ratelimit.State{Limit: 60, Remaining: 12, Reset: time.Minute}, false,
		},
		{"none left, and nobody knows until when", headers("X-Rate-Limit-Remaining", "0"), ratelimit.State{}, false},
		{
			"times by the marketplace's own clock",
			headers("X-RateLimit-Remaining", "0", "X-RateLimit-Reset", inAMinute, "Date", now.Add(50*time.Second).Format(http.TimeFormat)),
			ratelimit.State{Reset: 10 * time.Second}, false,
		},
		{"no longer than a day", headers("RateLimit", `"year";r=0;t=31536000`), ratelimit.State{Reset: ratelimit.Longest}, false},
		{"less than none", headers("RateLimit-Remaining", "-1"), ratelimit.State{}, true},
		{"nonsense", headers("RateLimit", `"`, "RateLimit-Remaining", "many"), ratelimit.State{}, true},
		{"nonsense where a number was", headers("RateLimit", `"default";r="none";t=3`), ratelimit.State{}, true},
		{"a list in the list", headers("RateLimit", `("a" "b");r=0`), ratelimit.State{}, true},
		{"a fraction of a call", headers("RateLimit", `"default";r=0.5`), ratelimit.State{}, true},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			got, ok := ratelimit.Read(c.given, now)
			g.Expect(ok).To(Equal(!c.none))
			g.Expect(got).To(Equal(c.want))
		})
	}
}

func TestRetryAfter(t *testing.T) {
	for _, c := range []struct {
		why   string
		given http.Header
		want  time.Duration
	}{
		{"it says so", headers("Retry-After", "120", "RateLimit", `"default";r=0;t=30`), 2 * time.Minute},
		{"as a date", headers("Retry-After", "Sun, 01 Nov 2026 12:05:00 GMT"), 5 * time.Minute},
		{"nonsense, and a reset", headers("Retry-After", "soon", "RateLimit-Reset", "7"), 7 * time.Second},
		{"the spent policy and not the other", headers("RateLimit", `"burst";r=3;t=1, "day";r=0;t=60`), time.Minute},
		{"without how many are left", headers("X-RateLimit-Reset", "3"), 3 * time.Second},
		{"nothing", headers(), 0},
	} {
		t.Run(c.why, func(t *testing.T) {
			NewWithT(t).Expect(ratelimit.RetryAfter(c.given, now)).To(Equal(c.want))
		})
	}
}

// FuzzHeaders says never less than nothing and never more than a day, whatever the headers are.
func FuzzHeaders(f *testing.F) {
	f.Add(`"default";r=0;t=30`, "0", "120")
	f.Add("limit=1, remaining=2, reset=3", "1, 2;w=3", "Sun, 01 Nov 2026 12:05:00 GMT")
	f.Add("r=9999999999999999999", "-0", "1e309")
	f.Fuzz(func(t *testing.T, limit, each, after string) {
		h := headers("RateLimit", limit, "X-RateLimit-Remaining", each, "RateLimit-Reset", each, "Retry-After", after)
		state, ok := ratelimit.Read(h, now)
		for _, d := range []time.Duration{state.Reset, ratelimit.RetryAfter(h, now)} {
			if d < 0 || d > ratelimit.Longest {
				t.Errorf("%s from %q", d, h)
			}
		}
		if state.Remaining < 0 || state.Limit < 0 || !ok && state != (ratelimit.State{}) {
			t.Errorf("%+v from %q", state, strings.TrimSpace(limit))
		}
	})
}
