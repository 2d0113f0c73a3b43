package account_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	clocktesting "k8s.io/utils/clock/testing"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/account"
)

// listing is an account that is listed once a minute and has no rate limit.
func listing(t *testing.T, d *fakeDriver) (*clocktesting.FakeClock, *account.Account) {
	t.Helper()
	clock := newClock()
	r := account.NewRegistry(account.Options{Clock: clock})
	conn := r.Connect(shop(func(m *onebidv1.Marketplace) { m.Spec.RateLimit = nil }), d, time.Second)
	t.Cleanup(func() { r.Delete(key) })
	return clock, conn
}

func liveBids(n int) []marketplace.Bid {
	out := []marketplace.Bid{{ID: "odd", State: onebidv1.RemoteUnknown}}
	for i := range n {
		out = append(out, marketplace.Bid{ID: fmt.Sprint(i), State: onebidv1.RemoteLive})
	}
	return out
}

func TestOneListAnswersForAllBids(t *testing.T) {
	g := NewWithT(t)
	driver := &fakeDriver{bids: liveBids(5000), blocked: make(chan struct{})}
	clock, o := listing(t, driver)
	var wg sync.WaitGroup
	var wrong atomic.Int32
	for i := range 5000 {
		wg.Go(func() {
			bid, live, err := o.Listed(t.Context(), marketplace.Ref{BidID: fmt.Sprint(i)})
			if err != nil || !live || bid.ID != fmt.Sprint(i) {
				wrong.Add(1)
			}
		})
	}
	g.Eventually(func() int { return driver.count("list") }).Should(Equal(1))
	close(driver.blocked)
	wg.Wait()
	g.Expect(wrong.Load()).To(BeZero())
	g.Expect(driver.count("list")).To(Equal(1))
	g.Expect(driver.count("get")).To(Equal(0))

	for id, want := range map[string]bool{"odd": true, "gone": false, "7": true} {
		_, live, err := o.Listed(t.Context(), marketplace.Ref{BidID: id})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(live).To(Equal(want), id)
	}
	clock.Step(59 * time.Second)
	_, _, err := o.Listed(t.Context(), marketplace.Ref{BidID: "1"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(driver.count("list")).To(Equal(1), "the interval is not over")
}

func TestAnOldListAnswersWhileANewOneIsRead(t *testing.T) {
	g := NewWithT(t)
	driver := &fakeDriver{bids: liveBids(1)}
	clock, o := listing(t, driver)
	open := func() bool {
		_, open, err := o.Listed(t.Context(), marketplace.Ref{BidID: "0"})
		g.Expect(err).NotTo(HaveOccurred())
		return open
	}
	g.Expect(open()).To(BeTrue())

	driver.set(nil)
	driver.blocked = make(chan struct{})
	clock.Step(61 * time.Second)
	g.Expect(open()).To(BeTrue(), "nobody waits")
	g.Eventually(func() int { return driver.count("list") }).Should(Equal(2))
	close(driver.blocked)
	g.Eventually(open).Should(BeFalse())
	g.Expect(driver.count("list")).To(Equal(2))
}

func TestAFailedListIsNotReadAgainAtOnce(t *testing.T) {
	g := NewWithT(t)
	driver := &fakeDriver{bids: liveBids(1)}
	clock, o := listing(t, driver)
	driver.fail("list", failure(onebidv1.ErrorTransient, 0))
	for range 10 {
		_, _, err := o.Listed(t.Context(), marketplace.Ref{BidID: "0"})
		g.Expect(marketplace.ClassOf(err)).To(Equal(onebidv1.ErrorTransient))
	}
	g.Expect(driver.count("list")).To(Equal(1))
	clock.Step(7 * time.Second)
	_, live, err := o.Listed(t.Context(), marketplace.Ref{BidID: "0"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(live).To(BeTrue())

	// While an old list is young enough a failure is nobody's concern, and then it is.
	clock.Step(70 * time.Second)
	driver.fail("list", failure(onebidv1.ErrorTransient, 10*time.Minute))
	_, live, err = o.Listed(t.Context(), marketplace.Ref{BidID: "0"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(live).To(BeTrue())
	g.Eventually(func() int { return driver.count("list") }).Should(Equal(3))
	clock.Step(2 * time.Minute)
	g.Eventually(func() onebidv1.ErrorClass {
		_, _, err := o.Listed(t.Context(), marketplace.Ref{BidID: "0"})
		return marketplace.ClassOf(err)
	}).Should(Equal(onebidv1.ErrorTransient))
	g.Expect(driver.count("list")).To(Equal(3), "ten minutes, it said")
}

func TestAListThatTakesTooLongHoldsNobodyUp(t *testing.T) {
	g := NewWithT(t)
	driver := &fakeDriver{bids: liveBids(1), blocked: make(chan struct{})}
	clock, o := listing(t, driver)
	done := make(chan error, 1)
	go func() {
		_, _, err := o.Listed(t.Context(), marketplace.Ref{BidID: "0"})
		done <- err
	}()
	g.Eventually(clock.HasWaiters).Should(BeTrue())
	clock.Step(11 * time.Second)
	g.Eventually(done).Should(Receive(WithTransform(marketplace.ClassOf, Equal(onebidv1.ErrorTransient))))
	close(driver.blocked)
	g.Eventually(func() bool {
		_, live, err := o.Listed(t.Context(), marketplace.Ref{BidID: "0"})
		return live && err == nil
	}).Should(BeTrue(), "the reading went on meanwhile")
	g.Expect(driver.count("list")).To(Equal(1))
}

func TestWithoutAListEachBidIsRead(t *testing.T) {
	g := NewWithT(t)
	driver := &fakeDriver{noList: true, state: onebidv1.RemoteLive}
	_, o := listing(t, driver)
	bid, live, err := o.Listed(t.Context(), marketplace.Ref{BidID: "got"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(live).To(BeTrue())
	g.Expect(bid.ID).To(Equal("got"))
	g.Expect(driver.count("list")).To(Equal(0))
}
