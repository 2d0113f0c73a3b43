package main

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/testenv/build"
	"github.com/onebid-dev/onebid/internal/testenv/process"
)

func (pl *play) deleteBid(ctx context.Context, bid *v1alpha1.Bid) error {
	return pl.bidder.Client.Delete(ctx, bid)
}

func (pl *play) withdrawBid(ctx context.Context, bid *v1alpha1.Bid) error {
	patch := []byte(`{"spec":{"withdraw":{"reason":"The demo takes it back."}}}`)
	return pl.bidder.Client.Patch(ctx, bid, client.RawPatch("application/merge-patch+json", patch))
}

// each does something with the Bids of some postings as they become Active. It ends without an error when the context does: what is
// missing then is seen by settle.
func (pl *play) each(ctx context.Context, postings []string, do func(context.Context, *v1alpha1.Bid) error) error {
	var group errgroup.Group
	for _, id := range postings {
		group.Go(func() error {
			var refused error
			err := process.Await(ctx, pollInterval, func(ctx context.Context) error {
				if !pl.tracker.placed(id) {
					return errors.New("not placed yet")
				}
				err := do(ctx, build.Bid(pl.place.namespace, pl.place.marketplace, id))
				if mayPass(err) {
					return err
				}
				refused = err
				return nil
			})
			if err = errors.Join(err, refused); err != nil && ctx.Err() == nil {
				return fmt.Errorf("withdrawing %q: %w", id, err)
			}
			return nil
		})
	}
	return group.Wait()
}
