package registry_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var epoch = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func newClock() *clocktesting.FakeClock { return clocktesting.NewFakeClock(epoch) }

// fakeDriver counts calls, takes one-shot errors and answers from a list.
type fakeDriver struct {
	mu      sync.Mutex
	calls   map[string]int
	errs    map[string]error // given once
	bids    []marketplace.Bid
	pages   int // that a list has
	noList  bool
	blocked chan struct{} // holds lists back
	closed  int
}

var _ marketplace.Driver = (*fakeDriver)(nil)

func (f *fakeDriver) called(operation string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.calls == nil {
		f.calls = map[string]int{}
	}
	f.calls[operation]++
	err := f.errs[operation]
	delete(f.errs, operation)
	return err
}

func (f *fakeDriver) count(operation string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[operation]
}

func (f *fakeDriver) fail(operation string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.errs = map[string]error{operation: err}
}

func (f *fakeDriver) Capabilities() marketplace.Capabilities {
	return marketplace.Capabilities{CanList: !f.noList, CanWithdraw: true}
}

func (f *fakeDriver) Account(context.Context) (string, error) { return "us", f.called("account") }

func (f *fakeDriver) Place(context.Context, marketplace.PlaceRequest) (marketplace.Bid, error) {
	return marketplace.Bid{}, f.called("place")
}

func (f *fakeDriver) Preview(context.Context, marketplace.PlaceRequest) (marketplace.Preview, error) {
	return marketplace.Preview{}, f.called("preview")
}

func (f *fakeDriver) Lookup(context.Context, string) ([]marketplace.Bid, error) {
	return nil, f.called("lookup")
}

func (f *fakeDriver) Get(context.Context, marketplace.Ref) (marketplace.Bid, error) {
	return marketplace.Bid{ID: "got", State: onebidv1.RemoteLive}, f.called("get")
}

func (f *fakeDriver) List(ctx context.Context) ([]marketplace.Bid, error) {
	if err := f.called("list"); err != nil {
		return nil, err
	}
	if f.blocked != nil {
		select {
		case <-f.blocked:
		case <-ctx.Done():
			return nil, failure(onebidv1.ErrorTransient, 0)
		}
	}
	for range f.pages - 1 {
		if err := marketplace.Pace(ctx); err != nil {
			return nil, err
		}
	}
	return f.bids, nil
}

func (f *fakeDriver) Withdraw(context.Context, marketplace.Ref, string) error {
	return f.called("withdraw")
}

func (f *fakeDriver) Close() error {
	f.closed++
	return nil
}

func failure(class onebidv1.ErrorClass, after time.Duration) error {
	return &marketplace.Error{Class: class, Operation: "list", RetryAfter: after}
}

var key = types.NamespacedName{Namespace: "team", Name: "shop"}

// shop is a Marketplace with a rate of ten a second.
func shop(change func(*onebidv1.Marketplace)) *onebidv1.Marketplace {
	m := &onebidv1.Marketplace{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, UID: "u1", Generation: 1},
		Spec: onebidv1.MarketplaceSpec{
			RateLimit:            &onebidv1.RateLimit{RequestsPerSecond: 10, Burst: 2},
			CredentialsSecretRef: &onebidv1.SecretReference{Name: "account"},
			AuditIntervalSeconds: 60,
		},
	}
	if change != nil {
		change(m)
	}
	return m
}
