package bidding_test

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func newBid(edit ...func(*onebidv1.Bid)) *onebidv1.Bid {
	bid := &onebidv1.Bid{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "tenant", Name: "rest.1", UID: "uid-1", Generation: 3, Finalizers: []string{onebidv1.FinalizerWithdraw},
			CreationTimestamp: metav1.NewTime(now.Add(-time.Minute)),
		},
		Spec: onebidv1.BidSpec{
			Marketplace: "rest", PostingID: "1", Price: onebidv1.Money{Amount: "250", Currency: "USD"},
		},
	}
	for _, e := range edit {
		e(bid)
	}
	return bid
}

func deleted(bid *onebidv1.Bid) { bid.DeletionTimestamp = ptr.To(metav1.NewTime(now)) }

func withdrawing(bid *onebidv1.Bid) {
	bid.Spec.Withdraw = &onebidv1.BidWithdraw{Reason: "changed my mind"}
}

func noted(changes ...bidding.Change) func(*onebidv1.Bid) {
	return func(bid *onebidv1.Bid) {
		for _, c := range changes {
			c.Apply(bid, now)
		}
	}
}

func newMarketplace(edit ...func(*onebidv1.Marketplace)) *onebidv1.Marketplace {
	mkt := &onebidv1.Marketplace{
		ObjectMeta: metav1.ObjectMeta{Namespace: "tenant", Name: "rest"},
		Spec:       onebidv1.MarketplaceSpec{Mode: onebidv1.ModeLive, Approval: onebidv1.ApprovalAutomatic},
	}
	for _, e := range edit {
		e(mkt)
	}
	return mkt
}

func condition(bid *onebidv1.Bid, kind string) metav1.Condition {
	c := meta.FindStatusCondition(bid.Status.Conditions, kind)
	if c == nil {
		return metav1.Condition{}
	}
	return *c
}

var (
	live   = placedBy(bidding.Remote{ID: "77", State: onebidv1.RemoteLive}, 1)
	failed = bidding.PlaceFailed(bidding.Failure{
		Class: onebidv1.ErrorTransient, Message: "connection refused", Attempt: 1, Next: now.Add(time.Minute), ReviewAfter: 10,
	})
	unknown = bidding.OutcomeUnknown(1, "timeout")
)

// placedBy is a bid at a marketplace that accepts one at a time.
func placedBy(remote bidding.Remote, attempt int32) bidding.Change {
	return bidding.Placed(remote, attempt, onebidv1.ClassUniquePerPosting)
}
