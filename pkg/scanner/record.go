package scanner

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/text"
)

// Lengths that the API server takes.
const (
	maxReason = 1024
	maxBy     = 256
)

// bid creates the Bid. The API server refuses a second one.
func (c *candidate) bid(ctx context.Context, verdict Verdict) (Result, error) {
	bid := &onebidv1.Bid{
		ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: c.name},
		Spec:       *verdict.Bid.DeepCopy(),
	}
	bid.Spec.Marketplace, bid.Spec.PostingID = c.marketplace, c.key.PostingID
	if bid.Spec.PostingCachedAt == nil {
		bid.Spec.PostingCachedAt = c.posting.Spec.CachedAt
	}
	created := Result{Outcome: Created, Bid: bid, Reason: verdict.Reason, Evaluated: true}
	attempts, err := c.persist(ctx, func() error { return c.api.Create(ctx, bid, fieldOwner) })
	switch {
	case err == nil:
		return created, nil
	case !apierrors.IsAlreadyExists(err):
		return Result{Evaluated: true}, fmt.Errorf("create Bid %s: %w", c.name, err)
	}
	result := Result{Outcome: Duplicate, Reason: "another Bid was created meanwhile", Evaluated: true}
	if attempts > 1 {
		// An earlier attempt may have taken effect although its reply was lost.
		found := &onebidv1.Bid{}
		if err := c.api.Get(ctx, client.ObjectKeyFromObject(bid), found); err == nil && sameSpec(found, bid) {
			created.Bid = found
			return created, nil
		}
	}
	return result, nil
}

// sameSpec compares what was read with what was sent; a time loses its fractions on the way.
func sameSpec(found, sent *onebidv1.Bid) bool {
	want := sent.Spec.DeepCopy()
	want.PostingCachedAt = &metav1.Time{Time: want.PostingCachedAt.Truncate(time.Second)}
	return equality.Semantic.DeepEqual(&found.Spec, want)
}

// decline records a verdict against the posting. The patch touches nothing else, so it cannot conflict.
func (c *candidate) decline(ctx context.Context, verdict Verdict) (Result, error) {
	suitable := false
	judged := c.posting.DeepCopy()
	judged.Spec.Evaluation = &onebidv1.PostingEvaluation{
		Suitable: &suitable, Score: verdict.Score, Reason: text.CutRunes(verdict.Reason, maxReason), By: text.CutRunes(c.identity, maxBy),
		EvaluatedAt: &metav1.Time{Time: c.wall.Now()},
	}
	_, err := c.persist(ctx, func() error {
		return c.api.Patch(ctx, judged.DeepCopy(), client.MergeFrom(c.posting), fieldOwner)
	})
	if err != nil {
		return Result{Evaluated: true}, fmt.Errorf("record the verdict on Posting %s: %w", c.name, err)
	}
	return Result{Outcome: NotSuitable, Reason: verdict.Reason, Evaluated: true}, nil
}

// persistence is for saving a result that was paid for: some 15 s in all.
func persistence() wait.Backoff {
	return wait.Backoff{Duration: 250 * time.Millisecond, Factor: 2, Jitter: 0.2, Steps: 6}
}

// persist repeats a write that failed for reasons which may pass.
func (s *Scanner) persist(ctx context.Context, write func() error) (attempts int, err error) {
	backoff := persistence()
	for attempts = 1; ; attempts++ {
		if err = write(); err == nil || !mayPass(ctx, err) || attempts == persistence().Steps {
			return attempts, err
		}
		if s.pause(ctx, backoff.Step()) != nil {
			return attempts, err
		}
	}
}

// mayPass is true for errors after which the same request may succeed: without a reply, or with one that asks to try again.
func mayPass(ctx context.Context, err error) bool {
	switch reason := apierrors.ReasonForError(err); reason {
	case metav1.StatusReasonTooManyRequests, metav1.StatusReasonServiceUnavailable, metav1.StatusReasonInternalError,
		metav1.StatusReasonServerTimeout, metav1.StatusReasonTimeout, metav1.StatusReasonUnknown:
		return ctx.Err() == nil
	default:
		return false
	}
}

// pause waits, or returns the context's error.
func (s *Scanner) pause(ctx context.Context, d time.Duration) error {
	timer := s.clock.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
