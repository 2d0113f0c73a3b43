package main

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/tools/cache"

	"github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/hack/internal/stack"
)

// watchBids follows the Bids of the namespace until the context ends, and hands what it sees to the tracker. It returns
// when it has caught up.
func watchBids(ctx context.Context, cp *stack.ControlPlane, namespace string, t *tracker) error {
	client, err := stack.BidClient(cp.Config)
	if err != nil {
		return err
	}
	see := func(object any) {
		bid, ok := object.(*v1alpha1.Bid)
		if at, err := now(); ok && err == nil {
			t.saw(bid, at)
		}
	}
	_, informer := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: cache.NewListWatchFromClient(client, "bids", namespace, fields.Everything()),
		ObjectType:    &v1alpha1.Bid{},
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc:    see,
			UpdateFunc: func(_, object any) { see(object) },
			DeleteFunc: func(object any) {
				if missed, ok := object.(cache.DeletedFinalStateUnknown); ok {
					object = missed.Obj
				}
				if bid, ok := object.(*v1alpha1.Bid); ok {
					t.lost(bid)
				}
			},
		},
	})
	go informer.RunWithContext(ctx)
	return stack.Await(ctx, 20*time.Millisecond, func(context.Context) error {
		if !informer.HasSynced() {
			return fmt.Errorf("the watch of the Bids has not caught up")
		}
		return nil
	})
}
