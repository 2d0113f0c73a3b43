package bidding

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// approvalOf returns the decision on this very Bid, nil when there is none.
func approvalOf(bid *onebidv1.Bid) *onebidv1.BidApproval {
	if a := bid.Spec.Approval; a != nil && a.BidUID == string(bid.UID) {
		return a
	}
	return nil
}

// ApprovalOf is the decision on this very Bid with the time at which it was acted on; nil when there is none.
func ApprovalOf(bid *onebidv1.Bid) *onebidv1.ApprovalRecord {
	approval := approvalOf(bid)
	if approval == nil {
		return nil
	}
	out := &onebidv1.ApprovalRecord{Decision: approval.Decision, By: approval.By, Reason: approval.Reason}
	if c := meta.FindStatusCondition(bid.Status.Conditions, onebidv1.ConditionAccepted); c != nil {
		out.At = &c.LastTransitionTime
	}
	return out
}

// decidedBy is as in `Refused by "anna": too cheap`.
func decidedBy(approval *onebidv1.BidApproval) string {
	by := "an approver"
	if approval.By != "" {
		by = fmt.Sprintf("%q", approval.By)
	}
	text := string(approval.Decision) + " by " + by
	if approval.Reason != "" {
		text += ": " + approval.Reason
	}
	return text
}

// NewlyApproved says who approved a Bid and why, when this status is the first since the approval in which all guards passed;
// "" otherwise.
func NewlyApproved(before *onebidv1.BidStatus, bid *onebidv1.Bid) string {
	approval := approvalOf(bid)
	if approval == nil || approval.Decision != onebidv1.ApprovalApproved ||
		!meta.IsStatusConditionTrue(bid.Status.Conditions, onebidv1.ConditionAccepted) {
		return ""
	}
	was := meta.FindStatusCondition(before.Conditions, onebidv1.ConditionAccepted)
	if was == nil || was.Status == metav1.ConditionUnknown ||
		was.Reason == onebidv1.ReasonAwaitingApproval || was.Reason == onebidv1.ReasonApprovalMismatch {
		return decidedBy(approval)
	}
	return ""
}
