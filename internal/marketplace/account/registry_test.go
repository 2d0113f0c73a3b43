package account_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"k8s.io/apimachinery/pkg/types"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/account"
)

func TestConnectionsComeAndGo(t *testing.T) {
	g := NewWithT(t)
	r := account.NewRegistry(account.Options{Clock: newClock()})
	var changed []types.NamespacedName
	r.Subscribe(func(k types.NamespacedName) { changed = append(changed, k) })
	r.Delete(key)
	g.Expect(changed).To(BeEmpty(), "there was none")

	first, second := &fakeDriver{}, &fakeDriver{}
	one := r.Connect(shop(nil), first, 7*time.Second)
	got, ok := r.Get(key)
	g.Expect(ok).To(BeTrue())
	g.Expect(got).To(BeIdenticalTo(one))
	g.Expect(got.SettleTime()).To(Equal(7 * time.Second))
	g.Expect(got.Spec().AuditIntervalSeconds).To(BeEquivalentTo(60))

	r.Connect(shop(nil), second, time.Second)
	g.Expect(first.closed).To(Equal(1), "its idle connections are of no use any more")
	g.Expect(second.closed).To(Equal(0))
	r.Delete(key)
	g.Expect(second.closed).To(Equal(1))
	_, ok = r.Get(key)
	g.Expect(ok).To(BeFalse())
	g.Expect(changed).To(Equal([]types.NamespacedName{key, key, key}))
}

func TestPausesOutliveConnections(t *testing.T) {
	for _, c := range []struct {
		why    string
		change func(*onebidv1.Marketplace)
		paused bool
	}{
		{"an edit of the spec says nothing about the account", func(m *onebidv1.Marketplace) { m.Generation = 2 }, true},
		{"the same generation means that the Secret's contents changed", nil, false},
		{"another Secret is another account", func(m *onebidv1.Marketplace) {
			m.Generation = 2
			m.Spec.CredentialsSecretRef = &onebidv1.SecretReference{Name: "other"}
		}, false},
		{"no Secret any more", func(m *onebidv1.Marketplace) { m.Generation, m.Spec.CredentialsSecretRef = 2, nil }, false},
		{"another Marketplace under the name", func(m *onebidv1.Marketplace) { m.UID, m.Generation = "u2", 2 }, false},
	} {
		for _, gone := range []bool{false, true} {
			t.Run(c.why, func(t *testing.T) {
				g := NewWithT(t)
				r := account.NewRegistry(account.Options{Clock: newClock()})
				r.Connect(shop(nil), &fakeDriver{}, time.Second).Limiter().Pause(epoch.Add(time.Hour), "RateLimited")
				if gone {
					r.Delete(key) // its credentials were refused
				}
				conn := r.Connect(shop(c.change), &fakeDriver{}, time.Second)
				g.Expect(!conn.Limiter().Health().PausedUntil.IsZero()).To(Equal(c.paused))
			})
		}
	}
}

func TestForgetLeavesNothing(t *testing.T) {
	g := NewWithT(t)
	metrics := marketplace.NewMetrics()
	prometheus.NewRegistry().MustRegister(metrics)
	r := account.NewRegistry(account.Options{Clock: newClock(), Metrics: metrics})
	conn := r.Connect(shop(nil), &fakeDriver{}, time.Second)
	g.Expect(place(t.Context(), conn)).To(Succeed())
	g.Expect(testutil.CollectAndCount(metrics)).To(Equal(2), "a count and a duration")
	conn.Limiter().Pause(epoch.Add(time.Hour), "RateLimited")
	r.Forget(key)
	g.Expect(testutil.CollectAndCount(metrics)).To(Equal(0))
	again := r.Connect(shop(func(m *onebidv1.Marketplace) { m.Generation = 2 }), &fakeDriver{}, time.Second)
	g.Expect(again.Limiter().Health().PausedUntil).To(BeZero())
}
