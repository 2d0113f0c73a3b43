package account_test

import (
	"context"
	"net/http"
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

// fakeDriver counts calls, takes one-shot errors and answers from lists.
type fakeDriver struct {
	mu      sync.Mutex
	calls   map[string]int
	order   []string             // of the calls
	errs    map[string]error     // given once
	bids    []marketplace.Bid    // as a list shows them
	found   []marketplace.Bid    // as a lookup shows them
	id      string               // of the account
	state   onebidv1.RemoteState // of the bid that is got
	headers http.Header
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
	f.order = append(f.order, operation)
	err := f.errs[operation]
	delete(f.errs, operation)
	return err
}

func (f *fakeDriver) count(operation string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[operation]
}

// failAlso is fail beside other errors.
func (f *fakeDriver) failAlso(operation string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.errs == nil {
		f.errs = map[string]error{}
	}
	f.errs[operation] = err
}

// set is what the account has from now on.
func (f *fakeDriver) set(bids []marketplace.Bid) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bids = bids
}

func (f *fakeDriver) fail(operation string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.errs = map[string]error{operation: err}
}

func (f *fakeDriver) Capabilities() marketplace.Capabilities {
	return marketplace.Capabilities{CanList: !f.noList, CanWithdraw: true}
}

func (f *fakeDriver) Account(context.Context, marketplace.Pacer) (string, error) {
	return f.id, f.called("account")
}

func (f *fakeDriver) Place(_ context.Context, _ marketplace.Pacer, _ marketplace.PlaceRequest) (marketplace.Bid, error) {
	return marketplace.Bid{}, f.called("place")
}

func (f *fakeDriver) Preview(context.Context, marketplace.PlaceRequest) (marketplace.Preview, error) {
	return marketplace.Preview{}, f.called("preview")
}

func (f *fakeDriver) Lookup(context.Context, marketplace.Pacer, string) ([]marketplace.Bid, error) {
	return f.found, f.called("lookup")
}

func (f *fakeDriver) Get(_ context.Context, p marketplace.Pacer, _ marketplace.Ref) (marketplace.Bid, error) {
	if f.headers != nil {
		p.Observe(f.headers)
	}
	return marketplace.Bid{ID: "got", State: f.state, Word: "so"}, f.called("get")
}

func (f *fakeDriver) List(ctx context.Context, p marketplace.Pacer) ([]marketplace.Bid, error) {
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
		if err := p.Next(ctx); err != nil {
			return nil, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.bids, nil
}

func (f *fakeDriver) Withdraw(_ context.Context, _ marketplace.Pacer, _ marketplace.Ref, _ string) error {
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
			AuditIntervalSeconds: 60, TimeoutSeconds: 10,
		},
	}
	if change != nil {
		change(m)
	}
	return m
}
