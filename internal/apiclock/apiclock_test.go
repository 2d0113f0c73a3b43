package apiclock_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	clocktesting "k8s.io/utils/clock/testing"
	"pgregory.net/rapid"

	"github.com/onebid-dev/onebid/internal/apiclock"
)

var start = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// server is an API server whose clock is ahead of the host's, and the network to it.
type server struct {
	host        *clocktesting.FakePassiveClock
	ahead       time.Duration
	there, back time.Duration
	header      string // instead of the date
	err         error
}

func (s *server) now() time.Time { return s.host.Now().Add(s.ahead) }

func (s *server) RoundTrip(*http.Request) (*http.Response, error) {
	s.pass(s.there)
	header := s.header
	if header == "" {
		header = s.now().UTC().Format(http.TimeFormat)
	}
	s.pass(s.back)
	return &http.Response{Header: http.Header{"Date": {header}}, Body: http.NoBody}, s.err
}

func (s *server) pass(d time.Duration) { s.host.SetTime(s.host.Now().Add(d)) }

func newServer(ahead time.Duration) (*server, *apiclock.Clock) {
	s := &server{host: clocktesting.NewFakePassiveClock(start), ahead: ahead}
	return s, apiclock.New(s.host)
}

// exchange is one request and its response, through the clock.
func (s *server) exchange(c *apiclock.Clock) error {
	response, err := c.Wrap(s).RoundTrip(nil)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

func TestLocalTimeUntilTheFirstResponse(t *testing.T) {
	g := NewWithT(t)
	s, c := newServer(time.Hour)
	g.Expect(c.Now()).To(Equal(start))
	s.pass(time.Minute)
	g.Expect(c.Now()).To(Equal(start.Add(time.Minute)))
	g.Expect(c.Since(start)).To(Equal(time.Minute))

	s.err = errors.New("connection refused")
	g.Expect(s.exchange(c)).To(MatchError(s.err))
	s.err, s.header = nil, "tomorrow"
	g.Expect(s.exchange(c)).To(Succeed())
	g.Expect(c.Now()).To(Equal(start.Add(time.Minute)), "neither proves anything")

	s.header = ""
	g.Expect(s.exchange(c)).To(Succeed())
	g.Expect(c.Now()).To(BeTemporally("~", s.now(), time.Second))
}

func TestARightClockIsNeverCorrected(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, c := newServer(0)
		for range rapid.IntRange(1, 30).Draw(t, "exchanges") {
			s.there = time.Duration(rapid.Int64Range(0, 3e9).Draw(t, "there"))
			s.back = time.Duration(rapid.Int64Range(0, 3e9).Draw(t, "back"))
			NewWithT(t).Expect(s.exchange(c)).To(Succeed())
			NewWithT(t).Expect(c.Now()).To(Equal(s.host.Now()))
		}
	})
}

// Whatever the host's clock says and the network does: the estimate only ever gets better, and time never runs backwards
// once the server was heard.
func TestTheEstimateConvergesAndNeverStepsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := NewWithT(t)
		s, c := newServer(time.Duration(rapid.Int64Range(-1e14, 1e14).Draw(t, "ahead")))
		worst, last := time.Duration(1<<62), time.Time{}
		for range rapid.IntRange(1, 40).Draw(t, "exchanges") {
			s.there = time.Duration(rapid.Int64Range(0, 2e9).Draw(t, "there"))
			s.back = time.Duration(rapid.Int64Range(0, 2e9).Draw(t, "back"))
			g.Expect(s.exchange(c)).To(Succeed())

			now := c.Now()
			g.Expect(now).NotTo(BeTemporally("<", last))
			off := now.Sub(s.now()).Abs()
			g.Expect(off).To(BeNumerically("<=", s.there+s.back+time.Second+apiclock.MaxHold))
			if now.After(last) { // not standing still
				g.Expect(off).To(BeNumerically("<=", worst))
				worst = off
			}
			last = now
			s.pass(time.Duration(rapid.Int64Range(0, 5e9).Draw(t, "pause")))
		}
	})
}

func TestNowStandsStillRatherThanStepBack(t *testing.T) {
	g := NewWithT(t)
	s, c := newServer(4 * time.Second)
	g.Expect(s.exchange(c)).To(Succeed())
	told := c.Now()
	s.ahead = 0 // another API server answers, whose clock is behind
	g.Expect(s.exchange(c)).To(Succeed())
	g.Expect(c.Now()).To(Equal(told))
	s.pass(10 * time.Second)
	g.Expect(c.Now()).To(BeTemporally("~", s.now(), time.Second))

	s.ahead = -time.Hour // the clock was set back
	g.Expect(s.exchange(c)).To(Succeed())
	g.Expect(c.Now()).To(BeTemporally("~", s.now(), time.Second))
}

// The real clock's readings are monotonic; what this clock tells must be comparable with times that were written down.
func TestTimesCarryNoMonotonicReading(t *testing.T) {
	g := NewWithT(t)
	c := apiclock.New(clocktesting.NewFakePassiveClock(time.Now()))
	g.Expect(c.Now()).To(Equal(c.Now().Round(0)))
	inner := &server{}
	wrapped, ok := c.Wrap(inner).(interface{ WrappedRoundTripper() http.RoundTripper })
	g.Expect(ok).To(BeTrue())
	g.Expect(wrapped.WrappedRoundTripper()).To(BeIdenticalTo(inner))
}
