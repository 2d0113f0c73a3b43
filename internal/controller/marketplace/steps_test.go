package marketplace

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	contract "github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/account"
	"github.com/onebid-dev/onebid/internal/testenv/build"
)

// These tests are about errors and lags that a healthy API server does not show.

func fakeClient(t *testing.T, funcs interceptor.Funcs, objects ...client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	g := NewWithT(t)
	g.Expect(onebidv1.AddToScheme(scheme)).To(Succeed())
	g.Expect(corev1.AddToScheme(scheme)).To(Succeed())
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithInterceptorFuncs(funcs).
		WithIndex(&onebidv1.Bid{}, bidIndex, func(o client.Object) []string {
			return []string{o.(*onebidv1.Bid).Spec.Marketplace}
		}).Build()
}

type noWatch struct{ Secrets }

func (noWatch) Watch(types.NamespacedName, types.NamespacedName) error { return nil }
func (noWatch) Release(types.NamespacedName)                           {}
func (noWatch) Version(types.NamespacedName) (string, bool)            { return "", false }

type opening struct{ Connections }

func (opening) Open(m *onebidv1.Marketplace, d contract.Driver, settle time.Duration) *account.Account {
	return account.NewRegistry(account.Options{}).Open(m, d, settle)
}

func TestFinalizerWaitsForWhatTheCacheDoesNotKnowYet(t *testing.T) {
	g := NewWithT(t)
	market := build.Marketplace("ns", "m", "https://example.com")
	market.Finalizers = []string{onebidv1.FinalizerInUse, "example.com/other"}
	market.DeletionTimestamp = new(metav1.Unix(1, 0))
	cached := fakeClient(t, interceptor.Funcs{}, market)
	uncached := fakeClient(t, interceptor.Funcs{}, build.Bid("ns", "m", "1"), build.Bid("other", "m", "1"))
	r := &Reconciler{Options: Options{Client: cached, APIReader: uncached}}
	g.Expect(cached.Get(t.Context(), client.ObjectKeyFromObject(market), market)).To(Succeed())
	s := stateOf(market, entry{})

	gone, err := r.finalize(t.Context(), s)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(gone).To(BeFalse())
	g.Expect(s.counts.unfinished).To(Equal(1))
	g.Expect(market.Finalizers).To(ContainElement(onebidv1.FinalizerInUse))

	s.counts = counts{}
	r.APIReader = fakeClient(t, interceptor.Funcs{List: func(
		context.Context, client.WithWatch, client.ObjectList, ...client.ListOption,
	) error {
		return errors.New("no answer")
	}})
	_, err = r.finalize(t.Context(), s)
	g.Expect(err).To(MatchError("no answer"), "no answer is no permission")
	g.Expect(market.Finalizers).To(ContainElement(onebidv1.FinalizerInUse))

	s.counts.unfinished = 1
	_, err = r.finalize(t.Context(), s)
	g.Expect(err).NotTo(HaveOccurred(), "the API server is not asked while the cache knows of a Bid")
	s.counts = counts{}

	r.APIReader = fakeClient(t, interceptor.Funcs{})
	gone, err = r.finalize(t.Context(), s)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(gone).To(BeTrue())
	g.Expect(cached.Get(t.Context(), client.ObjectKeyFromObject(market), market)).To(Succeed())
	g.Expect(market.Finalizers).To(ConsistOf("example.com/other"), "finalizers of others stay")
	gone, err = r.finalize(t.Context(), s)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(gone).To(BeTrue(), "what others wait for is not our business")
}

func TestCountThatFailedIsMadeUpFor(t *testing.T) {
	g := NewWithT(t)
	clock := clocktesting.NewFakePassiveClock(time.Unix(0, 0))
	failing := true
	r := &Reconciler{tracker: newTracker(clock), Options: Options{Client: fakeClient(t, interceptor.Funcs{List: func(
		ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption,
	) error {
		if failing {
			return errors.New("no answer")
		}
		return c.List(ctx, list, opts...)
	}}, build.Bid("ns", "m", "1", placed))}}
	s := stateOf(build.Marketplace("ns", "m", "https://example.com"), entry{})
	s.entry = r.tracker.get(s.name(), false)
	_, err := r.refreshCounts(t.Context(), s)
	g.Expect(err).To(MatchError("no answer"))
	failing = false
	g.Expect(r.refreshCounts(t.Context(), s)).To(BeZero())
	g.Expect(s.counts.active.Active).To(Equal(1), "not after ten seconds, but now")
}

type closing struct {
	contract.Driver
	closed int
}

func (c *closing) Close() error {
	c.closed++
	return nil
}

func TestSecretThatCannotBeRead(t *testing.T) {
	g := NewWithT(t)
	var failure error
	driver := &closing{}
	r := &Reconciler{
		Options: Options{
			SettleTime: func(*onebidv1.MarketplaceSpec) time.Duration { return time.Second },
			Secrets:    noWatch{}, Connections: opening{},
			Factory: func(context.Context, *onebidv1.MarketplaceSpec, map[string][]byte) (contract.Driver, error) {
				return driver, nil
			},
			APIReader: fakeClient(t, interceptor.Funcs{Get: func(
				ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption,
			) error {
				if failure != nil {
					return failure
				}
				return c.Get(ctx, key, o, opts...)
			}}, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "token"}}),
		},
	}
	s := stateOf(build.Marketplace("ns", "m", "https://example.com"), entry{})
	s.marketplace.Spec.CredentialsSecretRef = &onebidv1.SecretReference{Name: "token"}
	g.Expect(r.refreshDriver(t.Context(), s)).To(Succeed())
	built := s.entry.conn

	failure = errors.New("no answer")
	g.Expect(r.refreshDriver(t.Context(), s)).To(MatchError("no answer"))
	g.Expect(s.entry.conn).To(BeIdenticalTo(built), "an API server that does not answer is no reason to stop")

	failure = apierrors.NewForbidden(corev1.Resource("secrets"), "token", nil)
	g.Expect(r.refreshDriver(t.Context(), s)).To(Succeed())
	g.Expect(s.missing).To(Equal(`The controller may not read Secret "token" in namespace "ns", which ` +
		"spec.credentialsSecretRef names: allow its ServiceAccount to get, list and watch it"))
	g.Expect(s.entry.conn).To(BeNil())
	g.Expect(driver.closed).To(Equal(1), "it was not connected")
}

// The CRD of Bids went before the one of Marketplaces: there is nothing left to wait for.
func TestFinalizersGoWithTheKindOfBids(t *testing.T) {
	g := NewWithT(t)
	market, beside := build.Marketplace("ns", "m", "https://example.com"), build.Marketplace("ns", "beside", "https://example.com")
	for _, m := range []*onebidv1.Marketplace{market, beside} {
		m.Spec.CredentialsSecretRef = &onebidv1.SecretReference{Name: "account"}
		m.Finalizers = []string{onebidv1.FinalizerInUse}
	}
	market.DeletionTimestamp = new(metav1.Unix(1, 0))
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Namespace: "ns", Name: "account", Finalizers: []string{onebidv1.FinalizerInUse},
	}}
	all := fakeClient(t, interceptor.Funcs{List: func(
		ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption,
	) error {
		if _, bids := list.(*onebidv1.BidList); bids {
			return apierrors.NewGenericServerResponse(http.StatusNotFound, "get", onebidv1.Resource("bids"), "", "", 0, true)
		}
		return c.List(ctx, list, opts...)
	}}, market, beside, secret)
	r := &Reconciler{Options: Options{Client: all, APIReader: all}}
	g.Expect(all.Get(t.Context(), client.ObjectKeyFromObject(market), market)).To(Succeed())
	s := stateOf(market, entry{})
	s.held = secret.Name

	g.Expect(r.releaseSecret(t.Context(), s)).To(Succeed())
	g.Expect(all.Get(t.Context(), client.ObjectKeyFromObject(secret), secret)).To(Succeed())
	g.Expect(secret.Finalizers).To(BeEmpty())

	gone, err := r.finalize(t.Context(), s)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(gone).To(BeTrue())
	g.Expect(all.Get(t.Context(), client.ObjectKeyFromObject(market), market)).To(MatchError(ContainSubstring("not found")))
}
