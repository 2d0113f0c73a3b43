package bid

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/account"
)

// query is what reads for the Bid are about.
func (s *situation) query() account.Query {
	return account.Query{Priority: s.priority(), AccountID: s.marketplace.Status.AccountID}
}

// placedAt is when the bid was recorded as placed; zero while it is not.
func placedAt(bid *onebidv1.Bid) time.Time {
	placed := meta.FindStatusCondition(bid.Status.Conditions, onebidv1.ConditionPlaced)
	if placed == nil || placed.Status != metav1.ConditionTrue {
		return time.Time{}
	}
	return placed.LastTransitionTime.Time
}

func (s *situation) timeout() time.Duration {
	return time.Duration(s.marketplace.Spec.TimeoutSeconds) * time.Second
}

func (r *Reconciler) failure(s *situation, err error, attempt int32) bidding.Failure {
	class := marketplace.ClassOf(err)
	retry := s.marketplace.Spec.Retry
	delay := bidding.RetryDelay(retry, class, attempt, marketplace.RetryAfter(err), r.Jitter())
	return bidding.Failure{
		Class: class, Message: err.Error(), Attempt: attempt, Next: r.Wall.Now().Add(delay), ReviewAfter: retry.ManualReviewAfter,
	}
}

func refOf(bid *onebidv1.Bid) marketplace.Ref {
	return marketplace.Ref{BidID: bid.Status.Remote.BidID, PostingID: bid.Spec.PostingID}
}

func remoteOf(b marketplace.Bid, adopted bool) bidding.Remote {
	return bidding.Remote{ID: b.ID, URL: b.URL, PlacedAt: b.PlacedAt, State: b.State, Adopted: adopted}
}
