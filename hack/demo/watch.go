package main

import (
	"context"

	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/testenv"
)

// watchBids hands the Bids of the namespace to the tracker until the context ends. It returns once it has caught up.
func watchBids(ctx context.Context, env *testenv.Environment, namespace string, t *tracker) error {
	bids, err := cache.New(env.Config, cache.Options{
		Scheme: env.Scheme, DefaultNamespaces: map[string]cache.Config{namespace: {}},
	})
	if err != nil {
		return err
	}
	informer, err := bids.GetInformer(ctx, &v1alpha1.Bid{}, cache.BlockUntilSynced(false))
	if err != nil {
		return err
	}
	see := func(object any) {
		bid, ok := object.(*v1alpha1.Bid)
		if at, err := now(); ok && err == nil {
			t.saw(bid, at)
		}
	}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    see,
		UpdateFunc: func(_, object any) { see(object) },
		DeleteFunc: func(object any) {
			if missed, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
				object = missed.Obj
			}
			if bid, ok := object.(*v1alpha1.Bid); ok {
				t.lost(bid)
			}
		},
	})
	if err != nil {
		return err
	}
	go func() { _ = bids.Start(ctx) }() // it ends with the context, and has no other error
	if !bids.WaitForCacheSync(ctx) {
		return context.Cause(ctx)
	}
	return nil
}
