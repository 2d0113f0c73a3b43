package bidding

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// Urgency orders what is to be done for Bids.
type Urgency int

const (
	// UrgencyWatch is for Bids that are live or settled: they are only read.
	UrgencyWatch Urgency = iota
	// UrgencyPlace is for Bids that are to be placed, or of whose place the outcome is unknown.
	UrgencyPlace
	// UrgencyWithdraw is for Bids that are to be taken back: an offer that must not stand costs more than one not made.
	UrgencyWithdraw
)

// Order is a Bid's place among those that wait for the same worker or the same account.
type Order struct {
	Urgency Urgency
	// By is when the posting closes; zero when nothing says so. Those go last, and among themselves by age.
	By time.Time
}

// OrderOf tells it from a Bid and its Posting, which may be nil.
func OrderOf(bid *onebidv1.Bid, posting *onebidv1.Posting) Order {
	switch {
	case Terminal(bid) && bid.DeletionTimestamp.IsZero():
		return Order{}
	case Withdrawing(bid):
		return Order{Urgency: UrgencyWithdraw}
	case PlacedStatus(bid) == metav1.ConditionTrue:
		return Order{}
	}
	return Order{UrgencyPlace, closesAt(posting)}
}
