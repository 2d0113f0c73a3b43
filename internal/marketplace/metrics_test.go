package marketplace_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"k8s.io/apimachinery/pkg/types"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

func TestMetricsCountEveryOperation(t *testing.T) {
	g := NewWithT(t)
	m := marketplace.NewMetrics()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(m)
	key := types.NamespacedName{Namespace: "team", Name: "shop"}
	operations := []string{"account", "get", "list", "lookup", "place", "withdraw"}
	for _, err := range []error{nil, &marketplace.Error{Class: onebidv1.ErrorAuth}, errors.New("some other")} {
		for _, operation := range operations {
			m.Observe(key, operation, time.Second, err)
		}
	}
	var want strings.Builder
	want.WriteString("# HELP onebid_marketplace_calls_total Calls of marketplaces by operation and class of error; class OK is success. " +
		"A list of several pages is one call.\n# TYPE onebid_marketplace_calls_total counter\n")
	for _, operation := range operations {
		for _, class := range []string{"Auth", "OK", "UnknownOutcome"} {
			want.WriteString(`onebid_marketplace_calls_total{class="` + class + `",marketplace="shop",namespace="team",operation="` +
				operation + "\"} 1\n")
		}
	}
	g.Expect(testutil.GatherAndCompare(registry, strings.NewReader(want.String()), "onebid_marketplace_calls_total")).To(Succeed())
	g.Expect(testutil.CollectAndCount(m, "onebid_marketplace_call_duration_seconds")).To(Equal(6))
	m.Forget(key)
	g.Expect(testutil.CollectAndCount(m)).To(Equal(0))
}

func TestErrors(t *testing.T) {
	g := NewWithT(t)
	cause := errors.New("reset")
	err := error(&marketplace.Error{Class: onebidv1.ErrorRateLimited, Operation: "place", Message: "slow down", RetryAfter: 5, Err: cause})
	g.Expect(err).To(MatchError("place: RateLimited: slow down: reset"))
	g.Expect(errors.Is(err, cause)).To(BeTrue())
	g.Expect(marketplace.ClassOf(errors.Join(err))).To(Equal(onebidv1.ErrorRateLimited))
	g.Expect(marketplace.RetryAfter(err)).To(BeEquivalentTo(5))
	g.Expect(marketplace.ClassOf(nil)).To(BeEmpty())
	g.Expect(marketplace.ClassOf(cause)).To(Equal(onebidv1.ErrorUnknownOutcome), "what we do not know could be anything")
	g.Expect(marketplace.RetryAfter(cause)).To(BeZero())
}

func TestOpen(t *testing.T) {
	g := NewWithT(t)
	for state, open := range map[onebidv1.RemoteState][2]bool{
		onebidv1.RemoteLive: {true, true}, onebidv1.RemoteAwardPending: {true, true}, onebidv1.RemoteUnknown: {true, false},
		onebidv1.RemoteWon: {}, onebidv1.RemoteLost: {}, onebidv1.RemoteRejected: {}, onebidv1.RemoteWithdrawn: {},
		onebidv1.RemoteExpired: {},
	} {
		bid := marketplace.Bid{State: state}
		g.Expect([2]bool{bid.Open(), bid.KnownOpen()}).To(Equal(open), string(state))
	}
}
