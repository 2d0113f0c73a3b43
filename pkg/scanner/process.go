package scanner

import (
	"context"
	"fmt"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/pkg/scanner/lock"
)

// Process bids on a posting, unless there is a reason not to: it checks that the posting is fresh, locks it, creates its
// Posting, evaluates it, and creates its Bid. When another scanner has or had the lock, or the Posting exists already, it
// first looks for a Bid and a verdict. Of any number of scanners that process a posting at once one evaluates; the others
// wait for it, and return as soon as its Bid or its verdict is stored.
//
// Of the posting only spec.postingID is needed; labels and annotations are kept. spec.cachedAt is when this host read it,
// by its own clock; now, when that is not set.
//
// Requests, when nobody competes: three when a Bid is created, four with a verdict against it, now or earlier, and two when
// there is a Bid already; one when this process has learned so before. One more when the Marketplace was not read for 10 s.
// It blocks for these, for evaluate, and for the lock's timeout at most when another scanner has the posting.
//
// Errors: *EvaluationError, *MarketplaceNotFoundError, *onebidv1.KeyError, the context's, and those of the API server.
// After any of them the posting may be processed again.
func (s *Scanner) Process(ctx context.Context, posting *onebidv1.Posting, evaluate Evaluate) (Result, error) {
	c, err := s.newCandidate(ctx, posting)
	if err != nil {
		return Result{}, err
	}
	result, err := c.process(ctx, evaluate)
	if err != nil {
		return Result{Evaluated: result.Evaluated}, err
	}
	s.seen.Add(c.name, result.Outcome)
	s.metrics.processed(s.marketplace, s.backend.Name(), result.Outcome)
	return result, nil
}

func (c *candidate) process(ctx context.Context, evaluate Evaluate) (Result, error) {
	last, seen := c.seen.Get(c.name)
	checks := []check{c.checkKnown}
	switch {
	case last == Created || last == Duplicate:
		// Feeds repeat postings. What was processed here before is likely to be unchanged, which costs one read.
		checks = append(checks, c.checkBid, c.checkPosting)
	case seen:
		checks = append(checks, c.checkPosting, c.checkBid)
	}
	if result, err := inOrder(ctx, checks...); err != nil || result.Outcome != Open {
		return result, err
	}
	held, contended, result, err := c.acquireOrFollow(ctx)
	if held == nil {
		return result, err
	}
	end := held.Release
	// Also when evaluate panics.
	defer func() { c.giveBack(ctx, end) }()
	result, err = c.underLock(ctx, held, contended || seen, evaluate)
	if err == nil && result.Outcome == Created {
		end = held.HandOver
	}
	return result, err
}

// underLock checks again, evaluates and records. known means that another scanner may have had the posting before.
func (c *candidate) underLock(ctx context.Context, held lock.Lock, known bool, evaluate Evaluate) (Result, error) {
	if result, err := c.checkUnderLock(ctx, held, known); err != nil || result.Outcome != Open {
		return result, err
	}
	stop := c.keep(ctx, held, c.ttl(c.market))
	verdict, err := func() (Verdict, error) {
		defer stop()
		return evaluate(ctx, c.posting.DeepCopy())
	}()
	if err != nil {
		return Result{Evaluated: true}, &EvaluationError{PostingID: c.key.PostingID, Err: err}
	}
	if verdict.Suitable {
		return c.bid(ctx, verdict)
	}
	return c.decline(ctx, verdict)
}

// checkUnderLock creates the Posting, and returns what other scanners have decided on it until now. It reads the Bid only
// where something shows that another scanner had the posting.
func (c *candidate) checkUnderLock(ctx context.Context, held lock.Lock, known bool) (Result, error) {
	var lease *coordinationv1.Lease
	if held.Backend() != lock.Lease {
		// A Lease that could be acquired was no tombstone; another backend has no tombstones.
		var err error
		if lease, err = c.readLease(ctx); err != nil {
			return Result{}, err
		}
		known = known || lease != nil
	}
	if known {
		if result, err := c.checkBid(ctx); err != nil || result.Outcome != Open {
			return result, err
		}
	}
	if result := c.cooldown(lease); result.Outcome != Open {
		return result, nil
	}
	existed, result, err := c.register(ctx)
	if err != nil || result.Outcome != Open {
		return result, err
	}
	if existed && !known {
		return c.checkBid(ctx)
	}
	return open, nil
}

// register creates the Posting before the evaluation is paid for: that it could be created proves that no scanner has
// decided on it. One that exists may hold a verdict.
func (c *candidate) register(ctx context.Context) (existed bool, result Result, err error) {
	err = c.api.Create(ctx, c.posting.DeepCopy(), fieldOwner)
	if err == nil {
		return false, open, nil
	}
	if !apierrors.IsAlreadyExists(err) {
		return false, Result{}, fmt.Errorf("create Posting %s: %w", c.name, err)
	}
	result, err = c.checkPosting(ctx)
	return true, result, err
}

// fieldOwner of what a scanner writes.
const fieldOwner = client.FieldOwner("onebid-scanner")
