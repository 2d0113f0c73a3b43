package posting

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/text"
)

const (
	// historyLength is how many records a Posting keeps.
	historyLength = 10
	// maxRequestLength is the schema's bound of status.lastHandledReconcileAt.
	maxRequestLength = 256
)

// active is true while the Bid is at the marketplace according to its status.
func active(bid *onebidv1.Bid) bool {
	return bidding.PlacedStatus(bid) == metav1.ConditionTrue && !bidding.Terminal(bid)
}

// claim sets the active Bid. One whose end is recorded already came late and changes nothing.
func claim(status *onebidv1.PostingStatus, bid *onebidv1.Bid) {
	if indexOf(status.History, bid.UID) >= 0 {
		return
	}
	status.ActiveBid = &onebidv1.ActiveBid{Name: bid.Name, UID: string(bid.UID)}
	if remote := bid.Status.Remote; remote != nil {
		status.ActiveBid.Since = remote.PlacedAt.DeepCopy()
	}
}

// release removes the active Bid if it is the one with this UID.
func release(status *onebidv1.PostingStatus, uid types.UID) {
	if status.ActiveBid != nil && status.ActiveBid.UID == string(uid) {
		status.ActiveBid = nil
	}
}

// addRecord puts the end of a Bid at the head of the history. A Bid has one record: a later outcome replaces the earlier.
func addRecord(status *onebidv1.PostingStatus, record onebidv1.BidRecord) {
	at := indexOf(status.History, types.UID(record.UID))
	switch {
	case at < 0:
		status.History = slices.Insert(status.History, 0, record)
		status.History = status.History[:min(len(status.History), historyLength)]
	case supersedes(record, status.History[at]):
		status.History[at] = record
	}
}

// supersedes is false for a record that was delayed: a Bid goes from Withdrawn to another outcome, never back, and times do
// not run backwards.
func supersedes(record, known onebidv1.BidRecord) bool {
	switch {
	case record.Outcome == known.Outcome, record.Outcome == onebidv1.StateWithdrawn:
		return false
	case record.EndedAt != nil && known.EndedAt != nil:
		return !record.EndedAt.Before(known.EndedAt)
	}
	return true
}

func indexOf(history []onebidv1.BidRecord, uid types.UID) int {
	return slices.IndexFunc(history, func(r onebidv1.BidRecord) bool { return r.UID == string(uid) })
}

// observe brings up to date what follows from the Posting itself and its active Bid.
func observe(posting *onebidv1.Posting, fresh bidding.FreshnessVerdict) {
	status := &posting.Status
	status.ObservedGeneration = posting.Generation
	status.LastHandledReconcileAt = text.CutRunes(posting.Annotations[onebidv1.AnnotationReconcileRequestedAt], maxRequestLength)
	for _, condition := range []metav1.Condition{
		readyCondition(posting),
		freshCondition(fresh),
		claimedCondition(status.ActiveBid),
	} {
		condition.ObservedGeneration = posting.Generation
		meta.SetStatusCondition(&status.Conditions, condition)
	}
}

func readyCondition(posting *onebidv1.Posting) metav1.Condition {
	key := onebidv1.Key{Marketplace: posting.Spec.Marketplace, PostingID: posting.Spec.PostingID}
	name, err := key.Name()
	condition := metav1.Condition{
		Type: onebidv1.ConditionReady, Status: metav1.ConditionFalse, Reason: onebidv1.ReasonNonCanonicalName,
	}
	switch {
	case err != nil:
		condition.Message = err.Error() + "; delete this Posting"
	case name != posting.Name:
		condition.Message = "metadata.name must be \"" + name +
			"\", the one name of this posting: delete this Posting and create it under that name"
	default:
		condition.Status, condition.Reason = metav1.ConditionTrue, onebidv1.ReasonObserved
		condition.Message = "The posting was observed; the conditions Fresh and Claimed say what may be done with it"
	}
	return condition
}

func freshCondition(fresh bidding.FreshnessVerdict) metav1.Condition {
	status := metav1.ConditionFalse
	switch {
	case fresh.Fresh:
		status = metav1.ConditionTrue
	case fresh.Reason == onebidv1.ReasonNoTimestamp:
		status = metav1.ConditionUnknown
	}
	return metav1.Condition{
		Type: onebidv1.ConditionFresh, Status: status, Reason: fresh.Reason, Message: fresh.Message,
	}
}

func claimedCondition(active *onebidv1.ActiveBid) metav1.Condition {
	if active == nil {
		return metav1.Condition{
			Type: onebidv1.ConditionClaimed, Status: metav1.ConditionFalse, Reason: onebidv1.ReasonNoBid,
			Message: "No bid of ours is active on the posting",
		}
	}
	return metav1.Condition{
		Type: onebidv1.ConditionClaimed, Status: metav1.ConditionTrue, Reason: onebidv1.ReasonBidActive,
		Message: "Bid \"" + active.Name + "\" is active on the posting",
	}
}
