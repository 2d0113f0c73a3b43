package marketplace_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"k8s.io/apimachinery/pkg/types"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

// failing is a driver of which every call fails.
type failing struct{ err error }

func (failing) Capabilities() marketplace.Capabilities {
	return marketplace.Capabilities{CanList: true}
}

func (f failing) Account(context.Context) (string, error) { return "", f.err }

func (f failing) Place(context.Context, marketplace.PlaceRequest) (marketplace.Bid, error) {
	return marketplace.Bid{}, f.err
}

func (f failing) Preview(context.Context, marketplace.PlaceRequest) (marketplace.Preview, error) {
	return marketplace.Preview{}, f.err
}

func (f failing) Lookup(context.Context, string) ([]marketplace.Bid, error) { return nil, f.err }

func (f failing) Get(context.Context, marketplace.Ref) (marketplace.Bid, error) {
	return marketplace.Bid{}, f.err
}

func (f failing) List(context.Context) ([]marketplace.Bid, error) { return nil, f.err }

func (f failing) Withdraw(context.Context, marketplace.Ref, string) error { return f.err }

func TestMetricsCountEveryOperation(t *testing.T) {
	g := NewWithT(t)
	m := marketplace.NewMetrics()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(m)
	key := types.NamespacedName{Namespace: "team", Name: "shop"}
	for _, err := range []error{nil, &marketplace.Error{Class: onebidv1.ErrorAuth}, errors.New("some other")} {
		d := m.Wrap(key, failing{err})
		g.Expect(d.Capabilities().CanList).To(BeTrue())
		_, got := d.Account(t.Context())
		g.Expect(errors.Is(got, err)).To(BeTrue())
		_, _ = d.Place(t.Context(), marketplace.PlaceRequest{})
		_, _ = d.Lookup(t.Context(), "1")
		_, _ = d.Get(t.Context(), marketplace.Ref{})
		_, _ = d.List(t.Context())
		_ = d.Withdraw(t.Context(), marketplace.Ref{}, "")
	}
	var want strings.Builder
	want.WriteString("# HELP onebid_marketplace_calls_total Calls of marketplaces by operation and class of error; class OK is success. " +
		"A list of several pages is one call.\n# TYPE onebid_marketplace_calls_total counter\n")
	for _, operation := range []string{"account", "get", "list", "lookup", "place", "withdraw"} {
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

func TestPace(t *testing.T) {
	g := NewWithT(t)
	g.Expect(marketplace.Pace(t.Context())).To(Succeed())
	over, cancel := context.WithCancel(t.Context())
	cancel()
	g.Expect(marketplace.Pace(over)).To(MatchError(context.Canceled))
	stop := errors.New("stop")
	g.Expect(marketplace.Pace(marketplace.WithPace(t.Context(), func(context.Context) error { return stop }))).To(MatchError(stop))
}
