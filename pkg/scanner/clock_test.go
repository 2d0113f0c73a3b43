package scanner_test

import (
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/pkg/scanner"
	"github.com/onebid-dev/onebid/pkg/scanner/lock"
)

// skewed is a clock that is wrong.
type skewed struct {
	clock.RealClock
	by time.Duration
}

func (c skewed) Now() time.Time                  { return c.RealClock.Now().Add(c.by) }
func (c skewed) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

// hasty is a clock that can be set forward.
type hasty struct {
	clock.RealClock
	ahead atomic.Int64
}

func (c *hasty) Now() time.Time                  { return c.RealClock.Now().Add(time.Duration(c.ahead.Load())) }
func (c *hasty) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

// The clock of a scanner's host may be days off: what it reads is dated, and what it waits for is over, by the API server's.
func TestClockSkew(t *testing.T) {
	const days = 3 * 24 * time.Hour
	for _, by := range []time.Duration{-days, 0, days} {
		w := newWorld(t)
		clk := skewed{by: by}
		s, _ := w.scanner(func(o *scanner.Options) { o.Clock = clk })
		w.warm(s)
		readAgo := func(ago time.Duration) func(*onebidv1.Posting) {
			return func(p *onebidv1.Posting) { p.Spec.CachedAt = &metav1.Time{Time: clk.Now().Add(-ago)} }
		}
		w.Expect(w.process(s, posting("old", readAgo(25*time.Hour)), w.never()).Outcome).To(Equal(scanner.Stale))
		result := w.process(s, posting("new", readAgo(time.Hour)), suitable)
		w.Expect(result.Outcome).To(Equal(scanner.Created))
		w.Expect(w.bids()[0].Spec.PostingCachedAt.Time).To(BeTemporally("~", time.Now().Add(-time.Hour), 10*time.Second))

		w.process(s, posting("ahead", readAgo(-time.Hour)), suitable)
		w.Expect(w.posting("ahead").Spec.CachedAt.Time).To(BeTemporally("~", time.Now(), 10*time.Second))
		w.process(s, posting("undated"), suitable)
		w.Expect(w.posting("undated").Spec.CachedAt.Time).To(BeTemporally("~", time.Now(), 10*time.Second))

		w.create(w.tombstone("cooling", time.Now().Add(time.Hour)))
		w.create(w.tombstone("cool", time.Now().Add(-time.Minute)))
		for _, kind := range []string{lock.Lease, lock.Memory} {
			s, _ := w.scanner(func(o *scanner.Options) { o.Clock, o.Locks = clk, &scanner.Locks{Type: kind} })
			w.Expect(w.process(s, posting("cooling"), w.never()).Outcome).To(Equal(scanner.CoolingDown))
			should, err := s.ShouldBid(t.Context(), posting("cool"))
			w.Expect(err).NotTo(HaveOccurred())
			w.Expect(should.Outcome).To(Equal(scanner.Open))
		}
	}
}

// A scanner that dies while it evaluates blocks the posting for the TTL and no longer, whatever the clocks of its host and
// of its successor's say.
func TestDeadScanner(t *testing.T) {
	w := newWorld(t)
	ttl := time.Second
	dead, _ := w.scanner(func(o *scanner.Options) { o.Clock, o.Locks = skewed{by: time.Hour}, &scanner.Locks{TTL: ttl} })
	_, err := dead.Acquire(t.Context(), "1")
	w.Expect(err).NotTo(HaveOccurred())
	next, _ := w.scanner(func(o *scanner.Options) { o.Clock, o.Locks = skewed{by: -time.Hour}, &scanner.Locks{TTL: ttl} })
	started := time.Now()
	w.Expect(w.process(next, posting("1"), suitable).Outcome).To(Equal(scanner.Created))
	w.Expect(time.Since(started)).To(BeNumerically(">=", ttl))
}
