package bidding_test

import (
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
)

func decided(uid, by, reason string) func(*onebidv1.Bid) {
	return func(b *onebidv1.Bid) {
		b.Spec.Approval = &onebidv1.BidApproval{BidUID: uid, Decision: onebidv1.ApprovalApproved, By: by, Reason: reason}
	}
}

func TestApprovalOf(t *testing.T) {
	g := NewWithT(t)
	g.Expect(bidding.ApprovalOf(newBid())).To(BeNil())
	g.Expect(bidding.ApprovalOf(newBid(decided("uid-0", "anna", "")))).To(BeNil(), "of another Bid")
	want := &onebidv1.ApprovalRecord{Decision: onebidv1.ApprovalApproved, By: "anna", Reason: "fair"}
	g.Expect(bidding.ApprovalOf(newBid(decided("uid-1", "anna", "fair")))).To(Equal(want))
	want.At = &metav1.Time{Time: now}
	live := noted(placedBy(bidding.Remote{ID: "77", State: onebidv1.RemoteLive}, 1))
	g.Expect(bidding.ApprovalOf(newBid(decided("uid-1", "anna", "fair"), live))).To(Equal(want))
}

type edits []func(*onebidv1.Bid)

func TestApprovedNow(t *testing.T) {
	live := noted(placedBy(bidding.Remote{ID: "77", State: onebidv1.RemoteLive}, 1))
	held := func(reason string) func(*onebidv1.Bid) {
		return noted(bidding.Denied(bidding.Denial{Reason: reason, Message: "wait"}))
	}
	for _, c := range []struct {
		why    string
		before func(*onebidv1.Bid)
		after  edits
		want   string
	}{
		{"it waited for that", held("AwaitingApproval"), edits{decided("uid-1", "anna", "fair"), live}, `Approved by "anna": fair`},
		{"an older approval", held("ApprovalMismatch"), edits{decided("uid-1", "", ""), live}, "Approved by an approver"},
		{"approved before anybody looked", noted(), edits{decided("uid-1", "anna", ""), live}, `Approved by "anna"`},
		{"it was let through before", live, edits{decided("uid-1", "anna", ""), live}, ""},
		{"it waited for something else since", held("BudgetExhausted"), edits{decided("uid-1", "anna", ""), live}, ""},
		{"not let through", held("AwaitingApproval"), edits{decided("uid-1", "anna", ""), held("BudgetExhausted")}, ""},
		{"no status yet", noted(), edits{decided("uid-1", "anna", "")}, ""},
		{"of another Bid", held("AwaitingApproval"), edits{decided("uid-0", "anna", ""), live}, ""},
		{"nobody decided", held("AwaitingApproval"), edits{live}, ""},
	} {
		t.Run(c.why, func(t *testing.T) {
			before := newBid(c.before).Status
			NewWithT(t).Expect(bidding.NewlyApproved(&before, newBid(c.after...))).To(Equal(c.want))
		})
	}
}
