package bidding

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// ApprovalOf is the decision on this very Bid; nil when there is none.
func ApprovalOf(bid *onebidv1.Bid) *onebidv1.ApprovalRecord {
	approval := bid.Spec.Approval
	if approval == nil || !approvalNames(approval, bid.UID) {
		return nil
	}
	return &onebidv1.ApprovalRecord{
		Decision: approval.Decision, By: approval.By, At: actedOn(bid), Reason: approval.Reason,
	}
}

// actedOn is when the Bid was let through, or ended, by the decision.
func actedOn(bid *onebidv1.Bid) *metav1.Time {
	if c := meta.FindStatusCondition(bid.Status.Conditions, onebidv1.ConditionAccepted); c != nil {
		return &c.LastTransitionTime
	}
	return nil
}

// decidedBy is as in `Refused by "anna": too cheap`.
func decidedBy(approval *onebidv1.BidApproval) string {
	who := "an approver"
	if approval.By != "" {
		who = fmt.Sprintf("%q", approval.By)
	}
	text := string(approval.Decision) + " by " + who
	if approval.Reason != "" {
		text += ": " + approval.Reason
	}
	return text
}

// ApprovedNow says by whom and why, when the Bid is let through for the first time since it was approved; "" otherwise.
func ApprovedNow(before *onebidv1.BidStatus, bid *onebidv1.Bid) string {
	approval := bid.Spec.Approval
	if approval == nil || approval.Decision != onebidv1.ApprovalApproved || !approvalNames(approval, bid.UID) {
		return ""
	}
	is := meta.FindStatusCondition(bid.Status.Conditions, onebidv1.ConditionAccepted)
	if is == nil || is.Status != metav1.ConditionTrue {
		return ""
	}
	was := meta.FindStatusCondition(before.Conditions, onebidv1.ConditionAccepted)
	first := was == nil || was.Status == metav1.ConditionUnknown ||
		was.Reason == onebidv1.ReasonAwaitingApproval || was.Reason == onebidv1.ReasonApprovalMismatch
	if !first {
		return ""
	}
	return decidedBy(approval)
}
