package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/hack/internal/stack"
)

// withdrawer is a person who takes bids back, with the rights of a bidder.
type withdrawer struct {
	client rest.Interface
	place  placement
	// placed says whether the posting's bid is on the marketplace; before that there is nothing to show.
	placed func(postingID string) bool
}

// byDelete deletes the Bids as they become Active.
func (w *withdrawer) byDelete(ctx context.Context, postings []string) error {
	return w.each(ctx, postings, func(ctx context.Context, name string) error {
		return w.client.Delete().Namespace(w.place.namespace).Resource("bids").Name(name).
			Do(ctx).Error()
	})
}

// bySpec sets spec.withdraw on the Bids as they become Active.
func (w *withdrawer) bySpec(ctx context.Context, postings []string) error {
	const patch = `{"spec":{"withdraw":{"reason":"The demo takes it back."}}}`
	return w.each(ctx, postings, func(ctx context.Context, name string) error {
		return w.client.Patch(types.MergePatchType).Namespace(w.place.namespace).Resource("bids").Name(name).
			Body([]byte(patch)).Do(ctx).Error()
	})
}

// each withdraws the bids side by side. It ends without an error when the context does: what is missing then is seen by
// whoever waits for the withdrawals to take effect.
func (w *withdrawer) each(ctx context.Context, postings []string, withdraw func(context.Context, string) error) error {
	var group errgroup.Group
	for _, id := range postings {
		group.Go(func() error {
			if err := w.one(ctx, id, withdraw); err != nil && ctx.Err() == nil {
				return fmt.Errorf("withdrawing %q: %w", id, err)
			}
			return nil
		})
	}
	return group.Wait()
}

func (w *withdrawer) one(ctx context.Context, postingID string, withdraw func(context.Context, string) error) error {
	name, err := v1alpha1.Key{Marketplace: w.place.marketplace, PostingID: postingID}.Name()
	if err != nil {
		return err
	}
	var refused error
	err = stack.Await(ctx, 50*time.Millisecond, func(ctx context.Context) error {
		if !w.placed(postingID) {
			return errors.New("not placed yet")
		}
		err := withdraw(ctx, name)
		if mayPass(err) {
			return err
		}
		refused = err
		return nil
	})
	return errors.Join(err, refused)
}
