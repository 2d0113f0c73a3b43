package bidding

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// PriorityClass orders what is to be done for Bids; the higher one goes first.
type PriorityClass int

const (
	// PriorityBackground is for Bids that are only read.
	PriorityBackground PriorityClass = iota
	// PriorityPlace is for Bids that are to be placed, or whose outcome is unknown.
	PriorityPlace
	// PriorityWithdraw is for Bids that are to be withdrawn: an unwanted open bid may cost more than a bid not made.
	PriorityWithdraw
)

// Priority orders Bids that wait for the same worker or the same account.
type Priority struct {
	Class PriorityClass
	// Deadline is when the posting closes; zero when nothing says so. Within a class the earlier one goes first, and those
	// without one come last, by age.
	Deadline time.Time
}

// PriorityOf derives it from a Bid and its Posting, which may be nil.
func PriorityOf(bid *onebidv1.Bid, posting *onebidv1.Posting) Priority {
	switch {
	case Terminal(bid) && bid.DeletionTimestamp.IsZero():
		return Priority{}
	case Withdrawing(bid):
		return Priority{Class: PriorityWithdraw}
	case PlacedStatus(bid) == metav1.ConditionTrue:
		return Priority{}
	}
	return Priority{PriorityPlace, closesAt(posting)}
}
