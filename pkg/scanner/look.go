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

// visit is one look at one posting.
type visit struct {
	key  onebidv1.Key
	name string
	// posting is what will be created.
	posting *onebidv1.Posting
	market  *onebidv1.Marketplace
}

var open = Result{Outcome: Open, Reason: "nothing is in the way"}

// ShouldBid says whether Process would evaluate the posting now: Outcome is Open when it would. It locks and writes
// nothing, so another scanner may be faster.
//
// Requests: three reads, fewer when the first ones tell already.
func (s *Scanner) ShouldBid(ctx context.Context, posting *onebidv1.Posting) (Result, error) {
	v, err := s.newVisit(ctx, posting)
	if err != nil {
		return Result{}, err
	}
	return inOrder(ctx, v, s.allowed, s.recorded, s.claimed, s.cooled)
}

// check looks for one reason not to bid; Open is none.
type check func(context.Context, *visit) (Result, error)

// inOrder returns the first reason that one of the checks finds, else Open.
func inOrder(ctx context.Context, v *visit, checks ...check) (Result, error) {
	for _, check := range checks {
		if result, err := check(ctx, v); err != nil || result.Outcome != Open {
			return result, err
		}
	}
	return open, nil
}

// newVisit fills in the posting's name, and dates it by the API server's clock.
func (s *Scanner) newVisit(ctx context.Context, given *onebidv1.Posting) (*visit, error) {
	if given.Spec.Marketplace != "" && given.Spec.Marketplace != s.marketplace {
		return nil, &onebidv1.KeyError{Field: "marketplace", Value: given.Spec.Marketplace, Reason: fmt.Sprintf(
			"must be %q or empty: this scanner is for that Marketplace", s.marketplace)}
	}
	v := &visit{key: onebidv1.Key{Marketplace: s.marketplace, PostingID: given.Spec.PostingID}}
	var err error
	if v.name, err = v.key.Name(); err != nil {
		return nil, err
	}
	if v.market, err = s.readMarket(ctx); err != nil {
		return nil, err
	}
	v.posting = &onebidv1.Posting{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.namespace, Name: v.name, Labels: given.Labels, Annotations: given.Annotations,
		},
		Spec: *given.Spec.DeepCopy(),
	}
	v.posting.Spec.Marketplace = s.marketplace
	v.posting.Spec.CachedAt = &metav1.Time{Time: s.readAt(given.Spec.CachedAt)}
	return v, nil
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

// allowed judges what is known without a request.
func (s *Scanner) allowed(_ context.Context, v *visit) (Result, error) {
	switch {
	case !v.market.DeletionTimestamp.IsZero():
		return Result{Outcome: Paused, Reason: fmt.Sprintf("Marketplace %q is being deleted", s.marketplace)}, nil
	case v.market.Spec.Mode == onebidv1.ModeSuspended:
		return Result{Outcome: Paused, Reason: fmt.Sprintf("Marketplace %q is suspended", s.marketplace)}, nil
	}
	return s.fresh(v, v.posting), nil
}

// fresh judges a posting by its times.
func (s *Scanner) fresh(v *visit, posting *onebidv1.Posting) Result {
	verdict := bidding.Freshness(bidding.FreshnessInput{
		Posting: posting, DefaultTTL: time.Duration(v.market.Spec.PostingTTLSeconds) * time.Second,
	}, s.wall.Now())
	switch {
	case verdict.Fresh:
		return open
	case verdict.Reason == onebidv1.ReasonClosed:
		return Result{Outcome: Closed, Reason: verdict.Message}
	}
	return Result{Outcome: Stale, Reason: verdict.Message, Until: verdict.Until}
}

// recorded looks for a Posting that says that there is nothing to evaluate.
func (s *Scanner) recorded(ctx context.Context, v *visit) (Result, error) {
	stored := &onebidv1.Posting{}
	if err := s.api.Get(ctx, client.ObjectKeyFromObject(v.posting), stored); err != nil {
		return open, client.IgnoreNotFound(err)
	}
	return s.told(v, stored), nil
}

// told judges a Posting that somebody stored. How old it is does not matter, since this scanner has just read it anew.
func (s *Scanner) told(v *visit, stored *onebidv1.Posting) Result {
	if result := s.settled(stored); result.Outcome != Open {
		return result
	}
	if verdict := stored.Spec.Evaluation; verdict != nil && verdict.Suitable != nil && !*verdict.Suitable {
		return Result{Outcome: NotSuitable, Reason: verdict.Reason}
	}
	stored.Spec.CachedAt = v.posting.Spec.CachedAt
	if result := s.fresh(v, stored); result.Outcome == Closed {
		return result
	}
	return open
}

// settled judges a Posting by how the last bid on it ended. That its Bid is gone is no wish for another: most often
// somebody deleted it to withdraw the bid. A bid that expired was never placed, or lapsed, and nobody said anything.
func (s *Scanner) settled(stored *onebidv1.Posting) Result {
	if s.rebid || stored.Status.ActiveBid != nil || len(stored.Status.History) == 0 {
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

// claimed looks for a Bid.
func (s *Scanner) claimed(ctx context.Context, v *visit) (Result, error) {
	bid := &onebidv1.Bid{}
	if err := s.api.Get(ctx, client.ObjectKeyFromObject(v.posting), bid); err != nil {
		return open, client.IgnoreNotFound(err)
	}
	return duplicate(bid), nil
}

func duplicate(bid *onebidv1.Bid) Result {
	return Result{Outcome: Duplicate, Bid: bid, Reason: fmt.Sprintf("there is a Bid already: %s, created %s",
		bid.Name, bid.CreationTimestamp.UTC().Format(time.RFC3339))}
}

// cooled looks for the tombstone of an earlier Bid.
func (s *Scanner) cooled(ctx context.Context, v *visit) (Result, error) {
	lease, err := s.leased(ctx, v)
	if err != nil {
		return Result{}, err
	}
	return s.cooling(lease), nil
}

// leased reads the posting's Lease; nil when there is none.
func (s *Scanner) leased(ctx context.Context, v *visit) (*coordinationv1.Lease, error) {
	lease, err := s.kube.CoordinationV1().Leases(s.namespace).Get(ctx, onebidv1.LeasePrefix+v.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return lease, err
}

// cooling judges whether a Lease is a tombstone that forbids a bid. Nil does not.
func (s *Scanner) cooling(lease *coordinationv1.Lease) Result {
	me := ownership.Identity{Role: ownership.RoleScanner}
	decision := ownership.Decide(lease, me, ownership.Facts{Wall: s.wall.Now(), Since: s.clock.Now()}, s.clock.Now())
	if decision.Verdict != ownership.Cooldown {
		return open
	}
	return coolingDown(decision.Until, decision.Tombstone.Outcome)
}

func coolingDown(until time.Time, outcome onebidv1.BidState) Result {
	return Result{Outcome: CoolingDown, Until: until, Reason: fmt.Sprintf(
		"the last Bid ended as %s; another may follow after %s", outcome, until.UTC().Format(time.RFC3339))}
}
