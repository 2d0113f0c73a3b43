package bid_test

import (
	"context"
	"fmt"
	"slices"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

// market is a marketplace with one account, in memory. It carries out every call, unless the world has an error for it.
type market struct {
	world     *world
	storesKey bool
	account   string
	bids      []marketplace.Bid
	// keys that were sent with place calls.
	keys []string
	// hidden bids are not shown by lookups and reads yet.
	hidden bool
	// stubborn accepts withdrawals and does nothing.
	stubborn bool
	// dropped is true when a place call takes effect and its reply is lost.
	dropped bool
}

// refused is an answer of the marketplace's.
func refused(class onebidv1.ErrorClass) error {
	return &marketplace.Error{Class: class, Operation: "test", Message: string(class)}
}

func (m *market) Capabilities() marketplace.Capabilities {
	return marketplace.Capabilities{StoresKey: m.storesKey, SendsKey: m.storesKey, CanList: false, CanWithdraw: true}
}

func (m *market) Account(context.Context, marketplace.Pacer) (string, error) { return m.account, nil }

func (m *market) Place(ctx context.Context, _ marketplace.Pacer, p marketplace.PlaceRequest) (marketplace.Bid, error) {
	m.keys = append(m.keys, p.IdempotencyKey)
	if err := m.world.request("place"); err != nil {
		return marketplace.Bid{}, err
	}
	if err := ctx.Err(); err != nil {
		return marketplace.Bid{}, err
	}
	at := slices.IndexFunc(m.bids, func(b marketplace.Bid) bool { return m.storesKey && b.IdempotencyKey == p.IdempotencyKey })
	if at < 0 {
		b := marketplace.Bid{
			ID: fmt.Sprintf("b-%d", len(m.bids)+1), PostingID: p.PostingID, State: onebidv1.RemoteLive,
			Amount: p.Price.Amount, Currency: p.Price.Currency,
		}
		if m.storesKey {
			b.IdempotencyKey = p.IdempotencyKey
		}
		m.bids, at = append(m.bids, b), len(m.bids)
	}
	if m.dropped {
		return marketplace.Bid{}, refused(onebidv1.ErrorUnknownOutcome)
	}
	return m.bids[at], nil
}

func (m *market) Preview(_ context.Context, p marketplace.PlaceRequest) (marketplace.Preview, error) {
	if err := m.world.request("preview"); err != nil {
		return marketplace.Preview{}, err
	}
	return marketplace.Preview{Method: "POST", URL: "https://rest.example/bids", Body: p.ForPreview().Proposal}, nil
}

func (m *market) Lookup(context.Context, marketplace.Pacer, string) ([]marketplace.Bid, error) {
	if err := m.world.request("look"); err != nil {
		return nil, err
	}
	if m.hidden {
		return nil, nil
	}
	return slices.Clone(m.bids), nil
}

func (m *market) List(context.Context, marketplace.Pacer) ([]marketplace.Bid, error) {
	return nil, refused(onebidv1.ErrorInvalid)
}

func (m *market) Get(_ context.Context, _ marketplace.Pacer, ref marketplace.Ref) (marketplace.Bid, error) {
	if err := m.world.request("get " + ref.BidID); err != nil {
		return marketplace.Bid{}, err
	}
	at := m.find(ref.BidID)
	if at < 0 || m.hidden {
		return marketplace.Bid{}, refused(onebidv1.ErrorNotFound)
	}
	return m.bids[at], nil
}

func (m *market) Withdraw(ctx context.Context, _ marketplace.Pacer, ref marketplace.Ref, _ string) error {
	if err := m.world.request("withdraw " + ref.BidID); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	at := m.find(ref.BidID)
	switch {
	case at < 0:
		return refused(onebidv1.ErrorNotFound)
	case !m.stubborn:
		m.bids[at].State = onebidv1.RemoteWithdrawn
	}
	return nil
}

func (m *market) find(id string) int {
	return slices.IndexFunc(m.bids, func(b marketplace.Bid) bool { return b.ID == id })
}

// live is how many bids are open.
func (m *market) live() int {
	n := 0
	for _, b := range m.bids {
		if b.Open() {
			n++
		}
	}
	return n
}

// leases are the API server's, as client-go offers them.
type leases struct{ w *world }

func (l leases) Leases(namespace string) coordinationv1client.LeaseInterface {
	return leaseClient{w: l.w, namespace: namespace}
}

type leaseClient struct {
	coordinationv1client.LeaseInterface
	w         *world
	namespace string
}

func (c leaseClient) Create(ctx context.Context, lease *coordinationv1.Lease, _ metav1.CreateOptions) (*coordinationv1.Lease, error) {
	if err := c.w.request("create lease"); err != nil {
		return nil, err
	}
	out := lease.DeepCopy()
	out.UID = c.w.nextUID()
	if err := c.w.api.Create(ctx, out); err != nil {
		return nil, err
	}
	return out, c.w.fails("reply to create lease")
}

func (c leaseClient) Update(ctx context.Context, lease *coordinationv1.Lease, _ metav1.UpdateOptions) (*coordinationv1.Lease, error) {
	if err := c.w.request("update lease"); err != nil {
		return nil, err
	}
	out := lease.DeepCopy()
	return out, c.w.api.Update(ctx, out)
}

func (c leaseClient) Get(ctx context.Context, name string, _ metav1.GetOptions) (*coordinationv1.Lease, error) {
	if err := c.w.request("read lease"); err != nil {
		return nil, err
	}
	out := &coordinationv1.Lease{}
	return out, c.w.api.Get(ctx, types.NamespacedName{Namespace: c.namespace, Name: name}, out)
}

func (c leaseClient) Delete(ctx context.Context, name string, options metav1.DeleteOptions) error {
	if err := c.w.request("delete lease"); err != nil {
		return err
	}
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: name}}
	return c.w.api.Delete(ctx, lease, client.Preconditions(*options.Preconditions))
}

// byHand places a bid as a person would.
func (m *market) byHand(amount string) {
	m.bids = append(m.bids, marketplace.Bid{
		ID: fmt.Sprintf("b-%d", len(m.bids)+1), PostingID: "1", State: onebidv1.RemoteLive, Amount: amount, Currency: "USD",
	})
}
