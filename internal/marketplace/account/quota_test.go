package account_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace/account"
)

func TestASpentQuotaHoldsBackPlacingAndNothingElse(t *testing.T) {
	g := NewWithT(t)
	clock, driver := newClock(), &fakeDriver{state: onebidv1.RemoteWithdrawn}
	r := account.NewRegistry(account.Options{Clock: clock})
	conn := r.Connect(shop(patient), driver, time.Minute)
	g.Expect(conn.Limiter().AdmitQuota()).To(BeZero())
	g.Expect(conn.Limiter().AdmitQuota()).To(BeZero(), "while bids are left as far as is known nobody waits")
	driver.fail("place", failure(onebidv1.ErrorQuotaExhausted, 0))
	g.Expect(place(t.Context(), conn)).NotTo(Succeed())
	until := epoch.Add(30 * time.Minute)
	g.Expect(conn.Limiter().AdmitQuota()).To(Equal(account.Denial{Until: until, Reason: "QuotaExhausted"}))
	g.Expect(conn.Limiter().Health().QuotaUntil).To(Equal(until))
	g.Expect(conn.Denied(account.Priority{})).To(BeZero(), "reads and withdrawals go on")
	g.Expect(find(t.Context(), conn)).To(Succeed())
	g.Expect(withdraw(t.Context(), conn)).To(Succeed())
	g.Expect(conn.Limiter().AdmitQuota().Until).To(Equal(until), "that says nothing of bids")

	clock.Step(30 * time.Minute)
	g.Expect(conn.Limiter().AdmitQuota()).To(BeZero())
	g.Expect(conn.Limiter().AdmitQuota().Until).To(Equal(clock.Now().Add(30*time.Second)), "one asks for all")

	driver.fail("place", failure(onebidv1.ErrorPostingClosed, 0))
	g.Expect(place(t.Context(), conn)).NotTo(Succeed())
	g.Expect(conn.Limiter().AdmitQuota()).To(BeZero(), "that says nothing of bids, so the next one asks")
	g.Expect(conn.Limiter().AdmitQuota()).NotTo(BeZero())

	var reported []types.NamespacedName
	r.SubscribeHealth(func(key types.NamespacedName) { reported = append(reported, key) })
	g.Expect(place(t.Context(), conn)).To(Succeed())
	g.Expect(reported).To(Equal([]types.NamespacedName{key}), "those that wait are woken")
	g.Expect(conn.Limiter().AdmitQuota()).To(BeZero())
	g.Expect(conn.Limiter().AdmitQuota()).To(BeZero())

	driver.fail("place", failure(onebidv1.ErrorQuotaExhausted, time.Minute))
	g.Expect(place(t.Context(), conn)).NotTo(Succeed())
	g.Expect(conn.Limiter().AdmitQuota().Until).To(Equal(clock.Now().Add(time.Minute)), "as the marketplace says")
	driver.fail("lookup", failure(onebidv1.ErrorQuotaExhausted, time.Hour))
	_ = find(t.Context(), conn)
	g.Expect(conn.Limiter().AdmitQuota().Until).To(Equal(clock.Now().Add(time.Minute)), "a read uses up no bids")
}

// Other credentials may be those of an account that has bids left.
func TestOtherCredentialsEndASpentQuota(t *testing.T) {
	g := NewWithT(t)
	clock, driver := newClock(), &fakeDriver{}
	r := account.NewRegistry(account.Options{Clock: clock})
	conn := r.Connect(shop(patient), driver, time.Minute)
	conn.Limiter().SpendQuota(clock.Now().Add(24 * time.Hour))
	g.Expect(conn.Limiter().AdmitQuota()).NotTo(BeZero())
	conn = r.Connect(shop(patient), driver, time.Minute)
	g.Expect(conn.Limiter().AdmitQuota()).To(BeZero())
	g.Expect(conn.Limiter().Health().QuotaUntil).To(BeZero())
}
