package registry_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/registry"
)

func TestASpentQuotaHoldsBackPlacingAndNothingElse(t *testing.T) {
	g := NewWithT(t)
	clock, driver := newClock(), &fakeDriver{}
	r := registry.New(registry.Options{Clock: clock})
	conn := r.Connect(shop(patient), driver, time.Minute)
	place := func() error {
		_, err := conn.Driver.Place(t.Context(), marketplace.PlaceRequest{})
		return err
	}
	g.Expect(conn.Limiter.Placing()).To(BeZero())
	g.Expect(conn.Limiter.Placing()).To(BeZero(), "while bids are left as far as is known nobody waits")
	driver.fail("place", failure(onebidv1.ErrorQuotaExhausted, 0))
	g.Expect(place()).NotTo(Succeed())
	until := epoch.Add(30 * time.Minute)
	g.Expect(conn.Limiter.Placing()).To(Equal(registry.Block{Until: until, Reason: "QuotaExhausted"}))
	g.Expect(conn.Limiter.Health().QuotaUntil).To(Equal(until))
	g.Expect(conn.Limiter.Blocked(registry.Normal)).To(BeZero(), "reads and withdrawals go on")
	g.Expect(look(t.Context(), conn)).To(Succeed())
	g.Expect(conn.Driver.Withdraw(t.Context(), marketplace.Ref{BidID: "1"}, "")).To(Succeed())
	g.Expect(conn.Limiter.Placing().Until).To(Equal(until), "that says nothing of bids")

	clock.Step(30 * time.Minute)
	g.Expect(conn.Limiter.Placing()).To(BeZero())
	g.Expect(conn.Limiter.Placing().Until).To(Equal(clock.Now().Add(30*time.Second)), "one asks for all")

	driver.fail("place", failure(onebidv1.ErrorPostingClosed, 0))
	g.Expect(place()).NotTo(Succeed())
	g.Expect(conn.Limiter.Placing()).To(BeZero(), "that says nothing of bids, so the next one asks")
	g.Expect(conn.Limiter.Placing()).NotTo(BeZero())

	var told []types.NamespacedName
	r.SubscribeHealth(func(key types.NamespacedName) { told = append(told, key) })
	g.Expect(place()).To(Succeed())
	g.Expect(told).To(Equal([]types.NamespacedName{key}), "who waits is woken")
	g.Expect(conn.Limiter.Placing()).To(BeZero())
	g.Expect(conn.Limiter.Placing()).To(BeZero())

	driver.fail("place", failure(onebidv1.ErrorQuotaExhausted, time.Minute))
	g.Expect(place()).NotTo(Succeed())
	g.Expect(conn.Limiter.Placing().Until).To(Equal(clock.Now().Add(time.Minute)), "as the marketplace says")
	driver.fail("look", failure(onebidv1.ErrorQuotaExhausted, time.Hour))
	_ = look(t.Context(), conn)
	g.Expect(conn.Limiter.Placing().Until).To(Equal(clock.Now().Add(time.Minute)), "a read uses up no bids")
}

// Other credentials may be those of an account that has bids left.
func TestOtherCredentialsEndASpentQuota(t *testing.T) {
	g := NewWithT(t)
	clock, driver := newClock(), &fakeDriver{}
	r := registry.New(registry.Options{Clock: clock})
	conn := r.Connect(shop(patient), driver, time.Minute)
	conn.Limiter.SpendQuota(clock.Now().Add(24 * time.Hour))
	g.Expect(conn.Limiter.Placing()).NotTo(BeZero())
	conn = r.Connect(shop(patient), driver, time.Minute)
	g.Expect(conn.Limiter.Placing()).To(BeZero())
	g.Expect(conn.Limiter.Health().QuotaUntil).To(BeZero())
}
