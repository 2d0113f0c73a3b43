package simulation

import (
	"context"
	"maps"
	"slices"
	"sync"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// cache is a process's copy of the Bids.
type cache struct {
	mu   sync.Mutex
	bids map[string]*onebidv1.Bid
}

func (c *cache) apply(ch change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ch.after == nil {
		delete(c.bids, ch.name)
		return
	}
	c.bids[ch.name] = ch.after
}

func (c *cache) get(name string) *onebidv1.Bid {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bids[name]
}

func (c *cache) names() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.bids))
}

// apiserver is a process's connection to the API server.
type apiserver struct {
	p   *process
	api *store
}

// cachedClient reads from the cache and writes to the store. What is not here is not used.
type cachedClient struct {
	client.Client
	*apiserver
	cache       *cache
	marketplace *onebidv1.Marketplace
}

func (c *cachedClient) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	switch into := into.(type) {
	case *onebidv1.Bid:
		if bid := c.cache.get(key.Name); bid != nil {
			bid.DeepCopyInto(into)
			return nil
		}
	case *onebidv1.Marketplace:
		c.marketplace.DeepCopyInto(into)
		return nil
	}
	return apierrors.NewNotFound(bidResource, key.Name) // there are no Postings
}

// List is for Bids; all of them are of the one Marketplace.
func (c *cachedClient) List(_ context.Context, into client.ObjectList, _ ...client.ListOption) error {
	if list, ok := into.(*onebidv1.BidList); ok {
		for _, name := range c.cache.names() {
			list.Items = append(list.Items, *c.cache.get(name).DeepCopy())
		}
	}
	return nil
}

func (c *cachedClient) Patch(ctx context.Context, obj client.Object, patch client.Patch, _ ...client.PatchOption) error {
	data, err := patch.Data(obj)
	if err != nil {
		return err
	}
	return c.p.request(ctx, "patch", obj.GetName(), func() error {
		return c.api.patchFinalizers(c.p.name, obj.GetName(), data)
	})
}

func (c *cachedClient) Status() client.SubResourceWriter {
	return &statusClient{apiserver: c.apiserver}
}

type statusClient struct {
	client.SubResourceWriter
	*apiserver
}

func (c *statusClient) Update(ctx context.Context, obj client.Object, _ ...client.SubResourceUpdateOption) error {
	bid, ok := obj.(*onebidv1.Bid)
	if !ok {
		return apierrors.NewBadRequest("only Bids have a status here")
	}
	stored := bid.DeepCopy()
	err := c.p.request(ctx, "update status", bid.Name, func() error { return c.api.updateStatus(c.p.name, stored) })
	if err == nil {
		*bid = *stored
	}
	return err
}

// liveReader reads from the store.
type liveReader struct {
	client.Reader
	*apiserver
}

func (r *liveReader) Get(ctx context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	return r.p.request(ctx, "get", key.Name, func() error {
		switch into := into.(type) {
		case *onebidv1.Bid:
			if bid := r.api.bid(key.Name); bid != nil {
				bid.DeepCopyInto(into)
				return nil
			}
		case *metav1.PartialObjectMetadata: // the namespace, which is not being deleted
			into.Name = key.Name
			return nil
		}
		return apierrors.NewNotFound(bidResource, key.Name)
	})
}

// listLeases is what the audit reads: the postings' Leases.
func (a *apiserver) listLeases(ctx context.Context, namespace string) (leases []*coordinationv1.Lease, err error) {
	err = a.p.request(ctx, "list", "leases", func() error {
		stored, _ := a.api.listLeases(namespace, onebidv1.LeaseKindPosting)
		for _, lease := range stored {
			leases = append(leases, lease.DeepCopy())
		}
		return nil
	})
	return leases, err
}

// postings are never there, so there is nothing to note on them.
type postings struct{}

func (postings) BidActive(context.Context, *onebidv1.Bid) error { return nil }

func (postings) BidEnded(context.Context, *onebidv1.Bid, onebidv1.BidRecord) error { return nil }

// events are not looked at.
type events struct{}

func (events) Eventf(runtime.Object, runtime.Object, string, string, string, string, ...any) {}
