package scanner

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/ownership"
)

// candidate is a posting that may be bid on, with what was read for that.
type candidate struct {
	*Scanner

	key  onebidv1.Key
	name string
	// posting is the one to create.
	posting *onebidv1.Posting
	market  *onebidv1.Marketplace
}

var open = Result{Outcome: Open, Reason: "nothing is in the way"}

// ShouldBid says whether Process would evaluate the posting now: Outcome is Open when it would. It locks and writes
// nothing, so another scanner may be faster.
//
// Requests: three reads at the most.
func (s *Scanner) ShouldBid(ctx context.Context, posting *onebidv1.Posting) (Result, error) {
	c, err := s.newCandidate(ctx, posting)
	if err != nil {
		return Result{}, err
	}
	return inOrder(ctx, c.checkKnown, c.checkPosting, c.checkBid, c.checkLease)
}

// check looks for one reason not to bid; Open is none.
type check func(context.Context) (Result, error)

// inOrder returns the first reason that one of the checks finds, else Open.
func inOrder(ctx context.Context, checks ...check) (Result, error) {
	for _, check := range checks {
		if result, err := check(ctx); err != nil || result.Outcome != Open {
			return result, err
		}
	}
	return open, nil
}

// newCandidate fills in the posting's name, and dates it by the API server's clock.
func (s *Scanner) newCandidate(ctx context.Context, given *onebidv1.Posting) (*candidate, error) {
	if given.Spec.Marketplace != "" && given.Spec.Marketplace != s.marketplace {
		return nil, &onebidv1.KeyError{Field: "marketplace", Value: given.Spec.Marketplace, Reason: fmt.Sprintf(
			"must be %q or empty: this scanner is for that Marketplace", s.marketplace)}
	}
	c := &candidate{Scanner: s, key: s.keyOf(given.Spec.PostingID)}
	var err error
	if c.name, err = c.key.Name(); err != nil {
		return nil, err
	}
	if c.market, err = s.readMarket(ctx); err != nil {
		return nil, err
	}
	c.posting = &onebidv1.Posting{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.namespace, Name: c.name, Labels: given.Labels, Annotations: given.Annotations,
		},
		Spec: *given.Spec.DeepCopy(),
	}
	c.posting.Spec.Marketplace = s.marketplace
	c.posting.Spec.CachedAt = &metav1.Time{Time: s.readAt(given.Spec.CachedAt)}
	return c, nil
}

// readAt is when the posting was read by the API server's clock, given that time by this host's: what counts is how long
// ago it was. A time that is not given is now, and one that lies in the future too.
func (s *Scanner) readAt(cachedAt *metav1.Time) time.Time {
	now := s.wall.Now()
	if cachedAt == nil {
		return now
	}
	return now.Add(-max(0, s.clock.Since(cachedAt.Time)))
}

// checkKnown needs no request.
func (c *candidate) checkKnown(context.Context) (Result, error) {
	switch {
	case !c.market.DeletionTimestamp.IsZero():
		return Result{Outcome: Paused, Reason: fmt.Sprintf("Marketplace %q is being deleted", c.marketplace)}, nil
	case c.market.Spec.Mode == onebidv1.ModeSuspended:
		return Result{Outcome: Paused, Reason: fmt.Sprintf("Marketplace %q is suspended", c.marketplace)}, nil
	}
	return c.freshness(c.posting), nil
}

func (c *candidate) freshness(posting *onebidv1.Posting) Result {
	verdict := bidding.Freshness(bidding.FreshnessInput{
		Posting: posting, DefaultTTL: time.Duration(c.market.Spec.PostingTTLSeconds) * time.Second,
	}, c.wall.Now())
	switch {
	case verdict.Fresh:
		return open
	case verdict.Reason == onebidv1.ReasonClosed:
		return Result{Outcome: Closed, Reason: verdict.Message}
	}
	return Result{Outcome: Stale, Reason: verdict.Message, Until: verdict.Until}
}

// checkPosting looks for a stored Posting that makes an evaluation needless.
func (c *candidate) checkPosting(ctx context.Context) (Result, error) {
	stored := &onebidv1.Posting{}
	if err := c.api.Get(ctx, client.ObjectKeyFromObject(c.posting), stored); err != nil {
		return open, client.IgnoreNotFound(err)
	}
	return c.judge(stored), nil
}

// judge goes by a stored Posting. How old it is does not matter, since this scanner has just read the posting anew.
func (c *candidate) judge(stored *onebidv1.Posting) Result {
	if result := c.ended(stored); result.Outcome != Open {
		return result
	}
	if verdict := stored.Spec.Evaluation; verdict != nil && verdict.Suitable != nil && !*verdict.Suitable {
		return Result{Outcome: NotSuitable, Reason: verdict.Reason}
	}
	stored.Spec.CachedAt = c.posting.Spec.CachedAt
	if result := c.freshness(stored); result.Outcome == Closed {
		return result
	}
	return open
}

// ended goes by how the last bid on the posting ended. A Bid that is gone does not ask for another one: most often it was
// deleted to withdraw the bid. A bid that expired was never placed, or lapsed by itself.
func (c *candidate) ended(stored *onebidv1.Posting) Result {
	if c.rebid || stored.Status.ActiveBid != nil || len(stored.Status.History) == 0 {
		return open
	}
	last := stored.Status.History[0]
	if last.Outcome == onebidv1.StateExpired {
		return open
	}
	reason := fmt.Sprintf("the last bid ended as %s", last.Outcome)
	if last.Reason != "" {
		reason += ": " + last.Reason
	}
	return Result{Outcome: Ended, Reason: reason + "; delete its Posting, or set Options.Rebid, to have it bid on again"}
}

// checkBid looks for a Bid.
func (c *candidate) checkBid(ctx context.Context) (Result, error) {
	bid := &onebidv1.Bid{}
	if err := c.api.Get(ctx, client.ObjectKeyFromObject(c.posting), bid); err != nil {
		return open, client.IgnoreNotFound(err)
	}
	return duplicate(bid), nil
}

func duplicate(bid *onebidv1.Bid) Result {
	return Result{Outcome: Duplicate, Bid: bid, Reason: fmt.Sprintf("there is a Bid already: %s, created %s",
		bid.Name, bid.CreationTimestamp.UTC().Format(time.RFC3339))}
}

// checkLease looks for the tombstone of an earlier Bid.
func (c *candidate) checkLease(ctx context.Context) (Result, error) {
	lease, err := c.readLease(ctx)
	if err != nil {
		return Result{}, err
	}
	return c.cooldown(lease), nil
}

// readLease reads the posting's Lease; nil when there is none.
func (c *candidate) readLease(ctx context.Context) (*coordinationv1.Lease, error) {
	lease, err := c.kube.CoordinationV1().Leases(c.namespace).Get(ctx, onebidv1.LeasePrefix+c.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return lease, err
}

// cooldown looks for a tombstone that forbids a bid. A nil Lease is none.
func (c *candidate) cooldown(lease *coordinationv1.Lease) Result {
	t, found := ownership.CoolingDown(lease, c.wall.Now())
	if !found {
		return open
	}
	return coolingDown(t.CooldownUntil, t.Outcome)
}

func coolingDown(until time.Time, outcome onebidv1.BidState) Result {
	return Result{Outcome: CoolingDown, Until: until, Reason: fmt.Sprintf(
		"the last Bid ended as %s; another may follow after %s", outcome, until.UTC().Format(time.RFC3339))}
}
