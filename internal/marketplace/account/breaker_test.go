package account_test

import (
	"context"
	"errors"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/account"
)

// patient is a shop whose retries begin at four seconds and end at ten, and that has no rate limit.
func patient(m *onebidv1.Marketplace) {
	m.Spec.RateLimit = nil
	m.Spec.Retry = onebidv1.RetryPolicy{InitialSeconds: 4, MaxSeconds: 10}
}

var withdrawal = account.Priority{Class: account.PriorityWithdraw}

// find fails with the error of the lookup: this fake tells the account without a reply.
func find(ctx context.Context, a *account.Account) error {
	_, err := a.Find(ctx, account.Query{}, "1")
	return err
}

func place(ctx context.Context, a *account.Account) error {
	_, err := a.Place(ctx, account.Priority{}, marketplace.PlaceRequest{})
	return err
}

func read(ctx context.Context, a *account.Account) error {
	_, err := a.Read(ctx, account.Query{}, marketplace.Ref{}, time.Time{})
	return err
}

// withdraw succeeds where the fake shows the bid as withdrawn.
func withdraw(ctx context.Context, a *account.Account) error {
	_, err := a.Retract(ctx, account.Query{Priority: withdrawal}, marketplace.Ref{BidID: "1"}, time.Time{}, "")
	return err
}

// silent makes lookups fail without an answer, so often.
func silent(g *WithT, conn *account.Account, driver *fakeDriver, times int) {
	for range times {
		driver.fail("lookup", failure(onebidv1.ErrorTransient, 0))
		g.Expect(find(context.Background(), conn)).NotTo(Succeed())
	}
}

func TestFiveCallsWithoutAnAnswerOpenTheBreaker(t *testing.T) {
	g := NewWithT(t)
	clock, driver := newClock(), &fakeDriver{}
	conn := account.NewRegistry(account.Options{Clock: clock}).Connect(shop(patient), driver, time.Minute)
	silent(g, conn, driver, 4)
	g.Expect(find(t.Context(), conn)).To(Succeed(), "one answer, and it begins anew")
	silent(g, conn, driver, 4)
	g.Expect(conn.Limiter().Health().Breaker).To(Equal(onebidv1.BreakerClosed))
	driver.fail("place", failure(onebidv1.ErrorUnknownOutcome, 0))
	g.Expect(place(t.Context(), conn)).NotTo(Succeed())

	health := conn.Limiter().Health()
	g.Expect(health.Breaker).To(Equal(onebidv1.BreakerOpen))
	g.Expect(health.Since).To(Equal(epoch))
	g.Expect(health.NextProbe).To(Equal(epoch.Add(4 * time.Second)))
	g.Expect(health.Failures).To(Equal(5))
	g.Expect(conn.Denied(account.Priority{})).To(Equal(account.Denial{Until: epoch.Add(4 * time.Second), Reason: "CircuitOpen"}))

	calls := driver.count("lookup")
	err := find(t.Context(), conn)
	g.Expect(account.Unsent(err)).To(BeTrue(), "got %v", err)
	g.Expect(marketplace.ClassOf(err)).To(Equal(onebidv1.ErrorTransient))
	g.Expect(marketplace.RetryAfter(err)).To(Equal(4 * time.Second))
	g.Expect(driver.count("lookup")).To(Equal(calls), "nothing was sent")
}

func TestDocumentedRefusalsNeverOpenTheBreaker(t *testing.T) {
	for _, class := range []onebidv1.ErrorClass{
		onebidv1.ErrorRateLimited, onebidv1.ErrorQuotaExhausted, onebidv1.ErrorAuth, onebidv1.ErrorForbidden, onebidv1.ErrorInvalid,
		onebidv1.ErrorPostingClosed, onebidv1.ErrorAlreadyExists, onebidv1.ErrorNotFound, onebidv1.ErrorNotWithdrawable,
	} {
		g := NewWithT(t)
		clock, driver := newClock(), &fakeDriver{}
		conn := account.NewRegistry(account.Options{Clock: clock}).Connect(shop(patient), driver, time.Minute)
		silent(g, conn, driver, 4)
		for range 10 {
			driver.fail("place", failure(class, 0))
			g.Expect(place(t.Context(), conn)).NotTo(Succeed())
			clock.Step(time.Minute) // past the pause after too many
		}
		g.Expect(conn.Limiter().Health().Breaker).To(Equal(onebidv1.BreakerClosed), string(class))
		g.Expect(conn.Limiter().Health().Failures).To(BeZero(), "%s is an answer", class)
	}
}

// Some postings whose answers cannot be read do not hold up the others, but a silent marketplace is not back by one.
func TestAGarbledAnswerIsNeither(t *testing.T) {
	g := NewWithT(t)
	clock, driver := newClock(), &fakeDriver{}
	conn := account.NewRegistry(account.Options{Clock: clock}).Connect(shop(patient), driver, time.Minute)
	silent(g, conn, driver, 4)
	for range 10 {
		driver.fail("place", &marketplace.Error{Class: onebidv1.ErrorUnknownOutcome, Unreadable: true})
		g.Expect(place(t.Context(), conn)).NotTo(Succeed())
	}
	g.Expect(conn.Limiter().Health().Breaker).To(Equal(onebidv1.BreakerClosed))
	silent(g, conn, driver, 1)
	g.Expect(conn.Limiter().Health().Breaker).To(Equal(onebidv1.BreakerOpen))

	clock.Step(4 * time.Second)
	driver.fail("lookup", &marketplace.Error{Class: onebidv1.ErrorTransient, Unreadable: true})
	g.Expect(find(t.Context(), conn)).NotTo(Succeed())
	g.Expect(conn.Limiter().Health().Breaker).To(Equal(onebidv1.BreakerOpen))
}

func TestOneProbeTriesAMarketplaceThatDidNotAnswer(t *testing.T) {
	g := NewWithT(t)
	clock, driver := newClock(), &fakeDriver{blocked: make(chan struct{})}
	conn := account.NewRegistry(account.Options{Clock: clock}).Connect(shop(patient), driver, time.Minute)
	silent(g, conn, driver, 5)
	clock.Step(4 * time.Second)
	g.Expect(account.Unsent(place(t.Context(), conn))).To(BeTrue(), "a place is no probe: without an answer it costs most")

	probe := make(chan error, 1)
	go func() {
		_, err := conn.List(t.Context())
		probe <- err
	}()
	g.Eventually(func() int { return driver.count("list") }).Should(Equal(1))
	g.Expect(conn.Limiter().Health().Breaker).To(Equal(onebidv1.BreakerHalfOpen))
	g.Expect(account.Unsent(find(t.Context(), conn))).To(BeTrue(), "one probe at a time")
	g.Expect(account.Unsent(withdraw(t.Context(), conn))).To(BeTrue(), "a withdrawal too")
	g.Expect(conn.Denied(account.Priority{}).Until).To(Equal(clock.Now().Add(4 * time.Second)))
	g.Expect(conn.Denied(withdrawal).Until).To(Equal(clock.Now().Add(time.Second)), "but it asks again sooner")
	close(driver.blocked)
	g.Eventually(probe).Should(Receive(BeNil()))
	g.Expect(conn.Limiter().Health().Breaker).To(Equal(onebidv1.BreakerClosed))
	g.Expect(conn.Limiter().Health().NextProbe).To(BeZero())
	g.Expect(place(t.Context(), conn)).To(Succeed())
}

func TestProbesWithoutAnAnswerComeMoreAndMoreSeldom(t *testing.T) {
	g := NewWithT(t)
	clock, driver := newClock(), &fakeDriver{}
	conn := account.NewRegistry(account.Options{Clock: clock}).Connect(shop(patient), driver, time.Minute)
	silent(g, conn, driver, 5)
	for _, wait := range []time.Duration{4 * time.Second, 8 * time.Second, 10 * time.Second, 10 * time.Second} {
		g.Expect(conn.Limiter().Health().NextProbe).To(Equal(clock.Now().Add(wait)))
		clock.Step(wait - time.Millisecond)
		g.Expect(account.Unsent(find(t.Context(), conn))).To(BeTrue(), "not before %s are over", wait)
		clock.Step(time.Millisecond)
		silent(g, conn, driver, 1)
	}
	g.Expect(conn.Limiter().Health().Since).To(Equal(epoch), "it is the same outage")
}

func TestAWithdrawalProbesSooner(t *testing.T) {
	g := NewWithT(t)
	clock, driver := newClock(), &fakeDriver{}
	conn := account.NewRegistry(account.Options{Clock: clock}).Connect(shop(patient), driver, time.Minute)
	driver.state = onebidv1.RemoteWithdrawn
	silent(g, conn, driver, 5)
	clock.Step(999 * time.Millisecond)
	g.Expect(account.Unsent(withdraw(t.Context(), conn))).To(BeTrue(), "no hammering")
	clock.Step(time.Millisecond)
	g.Expect(conn.Denied(account.Priority{}).Until).To(Equal(epoch.Add(4 * time.Second)))
	g.Expect(conn.Denied(withdrawal)).To(BeZero())
	g.Expect(withdraw(t.Context(), conn)).To(Succeed())
	g.Expect(conn.Limiter().Answering()).To(BeTrue(), "its answer is everybody's")
}

func TestWhatWasNotSentSaysNothingOfTheMarketplace(t *testing.T) {
	g := NewWithT(t)
	clock, driver := newClock(), &fakeDriver{pages: 2}
	conn := account.NewRegistry(account.Options{Clock: clock}).Connect(shop(patient), driver, time.Minute)
	silent(g, conn, driver, 4)
	_, err := conn.Identify(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(conn.Limiter().Health().Failures).To(Equal(4), "this driver tells the account without a reply")

	driver.fail("lookup", &marketplace.Error{Class: onebidv1.ErrorTransient, Err: context.Canceled})
	g.Expect(find(t.Context(), conn)).NotTo(Succeed())
	g.Expect(conn.Limiter().Health().Failures).To(Equal(4), "we hung up ourselves")

	conn.Limiter().Pause(epoch.Add(time.Hour), onebidv1.ReasonRateLimited)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	g.Expect(account.Unsent(find(ctx, conn))).To(BeTrue())
	g.Expect(conn.Limiter().Health().Failures).To(Equal(4))
	g.Expect(account.Unsent(errors.New("some other"))).To(BeFalse())
}
