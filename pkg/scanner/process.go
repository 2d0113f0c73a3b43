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

// Process bids on a posting, unless there is a reason not to: it looks whether the posting is fresh, locks it, creates its
// Posting, evaluates it, and creates its Bid. A lock that somebody has or had, and a Posting that is there already, make it
// look for a Bid and a verdict first. Of any number of scanners that process a posting at once one evaluates; the others
// wait for it, and learn what came of it as soon as it is known.
//
// Of the posting only spec.postingID is needed; labels and annotations are kept. spec.cachedAt is when this host read it,
// by its own clock; now, when that is not set.
//
// Requests, when nobody competes: three when a Bid is created, four with a verdict against it, now or earlier, and two when
// there is a Bid already; one when this process has learned so before. One more when the Marketplace was not read for 10 s.
// It blocks for these, for evaluate, and for the lock's timeout at most when somebody else has the posting.
//
// Errors: *EvaluationError, *MarketplaceNotFoundError, *onebidv1.KeyError, the context's, and those of the API server.
// After any of them the posting may be processed again.
func (s *Scanner) Process(ctx context.Context, posting *onebidv1.Posting, evaluate Evaluate) (Result, error) {
	v, err := s.newVisit(ctx, posting)
	if err != nil {
		return Result{}, err
	}
	result, err := s.process(ctx, v, evaluate)
	if err != nil {
		return Result{Evaluated: result.Evaluated}, err
	}
	s.seen.Add(v.name, result.Outcome)
	s.metrics.ended(s.marketplace, s.backend.Name(), result.Outcome)
	return result, nil
}

func (s *Scanner) process(ctx context.Context, v *visit, evaluate Evaluate) (Result, error) {
	last, seen := s.seen.Get(v.name)
	checks := []check{s.allowed}
	switch {
	case last == Created || last == Duplicate:
		// Feeds repeat themselves. What was processed here before is likely to be as it was, which costs one read.
		checks = append(checks, s.claimed, s.recorded)
	case seen:
		checks = append(checks, s.recorded, s.claimed)
	}
	if result, err := inOrder(ctx, v, checks...); err != nil || result.Outcome != Open {
		return result, err
	}
	held, contended, result, err := s.compete(ctx, v)
	if held == nil {
		return result, err
	}
	end := held.Release
	// Also when evaluate panics.
	defer func() { s.giveBack(ctx, end) }()
	result, err = s.underLock(ctx, v, held, contended || seen, evaluate)
	if err == nil && result.Outcome == Created {
		end = held.HandOver
	}
	return result, err
}

// underLock looks again, evaluates and records. known means that somebody else may have been here.
func (s *Scanner) underLock(ctx context.Context, v *visit, held lock.Lock, known bool, evaluate Evaluate) (Result, error) {
	if result, err := s.lookAgain(ctx, v, held, known); err != nil || result.Outcome != Open {
		return result, err
	}
	verdict, err := s.evaluate(ctx, v, held, evaluate)
	if err != nil {
		return Result{Evaluated: true}, &EvaluationError{PostingID: v.key.PostingID, Err: err}
	}
	if verdict.Suitable {
		return s.bid(ctx, v, verdict)
	}
	return s.decline(ctx, v, verdict)
}

// lookAgain creates the Posting, and returns whatever somebody else has decided on it until now. It reads the Bid only
// where something shows that somebody was here.
func (s *Scanner) lookAgain(ctx context.Context, v *visit, held lock.Lock, known bool) (Result, error) {
	var lease *coordinationv1.Lease
	if held.Backend() != lock.Lease {
		// A Lease that could be taken was no tombstone; another backend does not know.
		var err error
		if lease, err = s.leased(ctx, v); err != nil {
			return Result{}, err
		}
		known = known || lease != nil
	}
	if known {
		if result, err := s.claimed(ctx, v); err != nil || result.Outcome != Open {
			return result, err
		}
	}
	if result := s.cooling(lease); result.Outcome != Open {
		return result, nil
	}
	existed, result, err := s.register(ctx, v)
	if err != nil || result.Outcome != Open {
		return result, err
	}
	if existed && !known {
		return s.claimed(ctx, v)
	}
	return open, nil
}

// register creates the Posting, before anything is paid for: that it could be created proves that no scanner has finished
// with it. One that exists may hold a verdict.
func (s *Scanner) register(ctx context.Context, v *visit) (existed bool, result Result, err error) {
	err = s.api.Create(ctx, v.posting.DeepCopy(), fieldOwner)
	if err == nil {
		return false, open, nil
	}
	if !apierrors.IsAlreadyExists(err) {
		return false, Result{}, fmt.Errorf("create Posting %s: %w", v.name, err)
	}
	result, err = s.recorded(ctx, v)
	return true, result, err
}

// fieldOwner of what a scanner writes.
const fieldOwner = client.FieldOwner("onebid-scanner")

// evaluate runs evaluate and keeps the lock meanwhile.
func (s *Scanner) evaluate(ctx context.Context, v *visit, held lock.Lock, evaluate Evaluate) (Verdict, error) {
	stop := s.keep(ctx, held, s.ttl(v.market))
	defer stop()
	return evaluate(ctx, v.posting.DeepCopy())
}
