package bidding_test

import (
	"testing"

	. "github.com/onsi/gomega"
	"github.com/shopspring/decimal"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
)

func input(edit ...func(*bidding.GuardInput)) bidding.GuardInput {
	in := bidding.GuardInput{
		Bid: newBid(), Marketplace: newMarketplace(), Connected: true, Freshness: bidding.FreshnessVerdict{Fresh: true},
	}
	for _, e := range edit {
		e(&in)
	}
	return in
}

func limits(l onebidv1.MarketplaceLimits) func(*bidding.GuardInput) {
	return func(in *bidding.GuardInput) { in.Marketplace.Spec.Limits = &l }
}

func manual(in *bidding.GuardInput) { in.Marketplace.Spec.Approval = onebidv1.ApprovalManual }

func decision(uid string, d onebidv1.ApprovalDecision, reason string) func(*bidding.GuardInput) {
	return func(in *bidding.GuardInput) {
		in.Bid.Spec.Approval = &onebidv1.BidApproval{BidUID: uid, Decision: d, Reason: reason}
	}
}

func TestGuard(t *testing.T) {
	usd := func(amount string) *onebidv1.Money { return &onebidv1.Money{Amount: amount, Currency: "USD"} }
	for _, tc := range []struct {
		why     string
		in      bidding.GuardInput
		reason  string
		message string
		outcome onebidv1.BidState
		stalled bool
	}{
		{why: "nothing in the way", in: input()},
		{
			why: "a name that is not the posting's own", in: input(func(in *bidding.GuardInput) { in.Bid.Name = "rest.2" }),
			reason: "NonCanonicalName", message: `metadata.name must be "rest.1"`, stalled: true,
		},
		{
			why: "a key without any name", in: input(func(in *bidding.GuardInput) { in.Bid.Spec.PostingID = "\x00" }),
			reason: "NonCanonicalName", message: "must not contain control characters", stalled: true,
		},
		{
			why: "an unknown marketplace", in: input(func(in *bidding.GuardInput) { in.Marketplace = nil }),
			reason: "MarketplaceNotFound", message: `There is no Marketplace "rest" in namespace "tenant": create it`, stalled: true,
		},
		{
			why: "a stale posting", in: input(func(in *bidding.GuardInput) {
				in.Freshness = bidding.FreshnessVerdict{Reason: onebidv1.ReasonStale, Message: "too old"}
			}), reason: "PostingStale", message: "too old", outcome: onebidv1.StateExpired,
		},
		{
			why: "a closed posting", in: input(func(in *bidding.GuardInput) {
				in.Freshness = bidding.FreshnessVerdict{Reason: onebidv1.ReasonClosed, Message: "closed"}
			}), reason: "PostingClosed", message: "closed", outcome: onebidv1.StateExpired,
		},
		{
			why: "refused by a person", in: input(manual, decision("uid-1", onebidv1.ApprovalRefused, "too cheap")),
			reason: "Refused", message: "Refused by an approver: too cheap", outcome: onebidv1.StateRejected,
		},
		{
			why: "refused without a word, although nobody had to be asked", in: input(decision("uid-1", onebidv1.ApprovalRefused, "")),
			reason: "Refused", message: "Refused by an approver", outcome: onebidv1.StateRejected,
		},
		{
			why: "suspended", in: input(func(in *bidding.GuardInput) { in.Marketplace.Spec.Mode = onebidv1.ModeSuspended }),
			reason: "MarketplaceSuspended", message: "once its spec.mode is Live",
		},
		{
			why: "a marketplace on its way out", in: input(func(in *bidding.GuardInput) {
				in.Marketplace.DeletionTimestamp = ptr.To(metav1.NewTime(now))
			}), reason: "MarketplaceNotReady", message: "is being deleted", stalled: true,
		},
		{
			why: "no driver yet", in: input(func(in *bidding.GuardInput) { in.Connected = false }),
			reason: "MarketplaceNotReady", message: "see its conditions",
		},
		{why: "waiting for a person", in: input(manual), reason: "AwaitingApproval", message: `set spec.approval with bidUID "uid-1"`},
		{
			why: "a decision about another Bid", in: input(manual, decision("uid-0", onebidv1.ApprovalApproved, "")),
			reason: "ApprovalMismatch", message: `spec.approval.bidUID is "uid-0" but this Bid's UID is "uid-1"`,
		},
		{why: "a refusal of another Bid does not end this one", in: input(decision("uid-0", onebidv1.ApprovalRefused, ""))},
		{why: "approved", in: input(manual, decision("uid-1", onebidv1.ApprovalApproved, ""))},
		{why: "limits without numbers", in: input(limits(onebidv1.MarketplaceLimits{}))},
		{
			why:    "another currency than the limits'",
			in:     input(limits(onebidv1.MarketplaceLimits{MaxPrice: &onebidv1.Money{Amount: "9", Currency: "EUR"}})),
			reason: "CurrencyMismatch", message: `spec.price is in USD but Marketplace "rest" counts in EUR`, stalled: true,
		},
		{why: "at the price limit", in: input(limits(onebidv1.MarketplaceLimits{MaxPrice: usd("250.00")}))},
		{
			why: "over the price limit", in: input(limits(onebidv1.MarketplaceLimits{MaxPrice: usd("249.99")})),
			reason: "PriceTooHigh", message: `spec.price is 0.01 USD over maxPrice 249.99 USD of Marketplace "rest"`, stalled: true,
		},
		{
			why: "more than all the money", in: input(limits(onebidv1.MarketplaceLimits{MaxCommitted: usd("249")})),
			reason: "PriceTooHigh", message: `spec.price is 1 USD over maxCommitted 249 USD of Marketplace "rest"`, stalled: true,
		},
		{
			why: "an amount that admission would not have let in counts as nothing", in: input(
				limits(onebidv1.MarketplaceLimits{MaxPrice: usd("1")}), func(in *bidding.GuardInput) { in.Bid.Spec.Price.Amount = "much" }),
		},
	} {
		t.Run(tc.why, func(t *testing.T) {
			g := NewWithT(t)
			hold := bidding.Guard(tc.in)
			if tc.reason == "" {
				g.Expect(hold).To(BeNil())
				return
			}
			g.Expect(hold).NotTo(BeNil())
			g.Expect(hold.Reason).To(Equal(tc.reason))
			g.Expect(hold.Message).To(ContainSubstring(tc.message))
			g.Expect(hold.Outcome).To(Equal(tc.outcome))
			g.Expect(hold.Stalled).To(Equal(tc.stalled))
		})
	}
}

func TestCapacityDenial(t *testing.T) {
	usd := func(amount string) *onebidv1.Money { return &onebidv1.Money{Amount: amount, Currency: "USD"} }
	for _, tc := range []struct {
		why             string
		limits          onebidv1.MarketplaceLimits
		active          int
		committed       string
		reason, message string
	}{
		{why: "one more fits", limits: onebidv1.MarketplaceLimits{MaxActiveBids: 2}, active: 1, committed: "0"},
		{
			why: "as many as allowed", limits: onebidv1.MarketplaceLimits{MaxActiveBids: 2}, active: 2, committed: "0",
			reason: "TooManyActiveBids", message: `Marketplace "rest" has 2 active bids, which is its spec.limits.maxActiveBids`,
		},
		{why: "money left", limits: onebidv1.MarketplaceLimits{MaxCommitted: usd("1000")}, active: 3, committed: "750"},
		{
			why: "no money left", limits: onebidv1.MarketplaceLimits{MaxCommitted: usd("1000")}, active: 3, committed: "750.01",
			reason: "BudgetExhausted", message: `would put Marketplace "rest" 0.01 USD over maxCommitted 1000 USD`,
		},
	} {
		t.Run(tc.why, func(t *testing.T) {
			g := NewWithT(t)
			mkt := newMarketplace(func(m *onebidv1.Marketplace) { m.Spec.Limits = &tc.limits })
			others := bidding.Totals{Active: tc.active, Committed: map[string]decimal.Decimal{"USD": decimal.RequireFromString(tc.committed)}}
			denial := bidding.CapacityDenial(mkt, *usd("250"), others)
			if tc.reason == "" {
				g.Expect(denial).To(BeNil())
				return
			}
			g.Expect(denial.Reason).To(Equal(tc.reason))
			g.Expect(denial.Message).To(ContainSubstring(tc.message))
			g.Expect(denial.Outcome).To(BeEmpty())
			g.Expect(denial.Stalled).To(BeFalse())
		})
	}
}
