package capacity

import (
	"context"
	"math"
	"strings"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/ownership"
)

// pageSize bounds what one request returns.
const pageSize = 500

// readUsage reads the Bids that count, and those that wait. The Leases come first: the replica that managed the capacity before
// wrote its intents earlier, and sends nothing any more since its capacity Lease was taken.
func readUsage(ctx context.Context, uncached client.Reader, mkt *onebidv1.Marketplace) (*usage, error) {
	attempts, err := intendedAttempts(ctx, uncached, mkt)
	if err != nil {
		return nil, err
	}
	out := newUsage()
	list := &onebidv1.BidList{}
	opts := []client.ListOption{client.InNamespace(mkt.Namespace), client.MatchingFields{"spec.marketplace": mkt.Name}}
	err = eachPage(ctx, uncached, list, opts, func() {
		for i := range list.Items {
			bid := &list.Items[i]
			attempt, intended := attempts[bid.UID]
			switch {
			case bidding.Terminal(bid):
			case bidding.UsesCapacity(bid), intended && !bidding.PlaceRecorded(bid, attempt):
				out.reserve(bid)
			case bidding.AwaitsCapacity(bid):
				out.wait(bid)
			}
		}
	})
	return out, err
}

// intendedAttempts are the latest place attempts that the Marketplace's posting Leases carry, by Bid.
func intendedAttempts(ctx context.Context, uncached client.Reader, mkt *onebidv1.Marketplace) (map[types.UID]int32, error) {
	attempts := map[types.UID]int32{}
	list := &coordinationv1.LeaseList{}
	opts := []client.ListOption{
		client.InNamespace(mkt.Namespace), client.MatchingLabels{onebidv1.LabelLease: onebidv1.LeaseKindPosting},
	}
	prefix := onebidv1.LeasePrefix + mkt.Name + "."
	err := eachPage(ctx, uncached, list, opts, func() {
		for i := range list.Items {
			lease := &list.Items[i]
			if !strings.HasPrefix(lease.Name, prefix) {
				continue
			}
			intents, err := ownership.ParseIntents(lease.Annotations[onebidv1.AnnotationIntent])
			if err != nil { // unreadable means unknown: a later attempt than any status has
				attempts[types.UID(lease.Annotations[onebidv1.AnnotationBidUID])] = math.MaxInt32
			}
			for _, intent := range intents {
				attempts[intent.BidUID] = max(attempts[intent.BidUID], intent.Attempt)
			}
		}
	})
	return attempts, err
}

// eachPage reads a list from the API server, page by page, as of one moment.
func eachPage(ctx context.Context, from client.Reader, list client.ObjectList, opts []client.ListOption, do func()) error {
	for next := ""; ; {
		if err := from.List(ctx, list, append(opts, client.Limit(pageSize), client.Continue(next))...); err != nil {
			return err
		}
		do()
		if next = list.GetContinue(); next == "" {
			return nil
		}
	}
}
