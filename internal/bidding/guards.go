package bidding

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// GuardInput is all that the guards look at.
type GuardInput struct {
	Bid *onebidv1.Bid
	// Marketplace is nil when there is none of that name.
	Marketplace *onebidv1.Marketplace
	// Connected is true when this process has a driver for the Marketplace.
	Connected bool
	// Freshness of the posting.
	Freshness FreshnessVerdict
	// Others are the Marketplace's other Bids.
	Others Account
}

// Hold says why a Bid may not be placed.
type Hold struct {
	// Reason and Message are for the condition Accepted.
	Reason, Message string
	// Outcome is the state that the Bid ends in, "" when it waits.
	Outcome onebidv1.BidState
	// Stalled is true when a person must act.
	Stalled bool
	// Until is when the Hold passes by itself, where that is known.
	Until time.Time
}

type guard func(GuardInput) *Hold

// The order is the order of refusal: what ends a Bid and what a person must mend come before what passes by itself.
var guards = []guard{
	canonicalName,
	knownMarketplace,
	freshPosting,
	notRefused,
	placingAllowed,
	connected,
	approved,
	oneCurrency,
	priceLimit,
	activeLimit,
	budgetLimit,
}

// Guard returns the first reason not to place the Bid, nil when there is none. The cooldown is not judged here but on
// the live tombstone, when the Lease is acquired.
func Guard(in GuardInput) *Hold {
	for _, check := range guards {
		if hold := check(in); hold != nil {
			return hold
		}
	}
	return nil
}

func canonicalName(in GuardInput) *Hold {
	name, err := KeyOf(in.Bid).Name()
	if err != nil {
		return &Hold{Reason: onebidv1.ReasonNonCanonicalName, Message: err.Error() + "; delete this Bid", Stalled: true}
	}
	if name != in.Bid.Name {
		return &Hold{Reason: onebidv1.ReasonNonCanonicalName, Stalled: true, Message: fmt.Sprintf(
			"metadata.name must be %q, the one name of this posting: delete this Bid and create it under that name", name)}
	}
	return nil
}

func knownMarketplace(in GuardInput) *Hold {
	if in.Marketplace == nil {
		return &Hold{Reason: onebidv1.ReasonMarketplaceNotFound, Stalled: true, Message: fmt.Sprintf(
			"There is no Marketplace %q in namespace %q: create it, or delete this Bid", in.Bid.Spec.Marketplace, in.Bid.Namespace)}
	}
	return nil
}

func freshPosting(in GuardInput) *Hold {
	if in.Freshness.Fresh {
		return nil
	}
	hold := &Hold{Reason: onebidv1.ReasonPostingStale, Message: in.Freshness.Message, Outcome: onebidv1.StateExpired}
	if in.Freshness.Reason != onebidv1.ReasonClosed {
		return hold
	}
	hold.Reason = onebidv1.ReasonPostingClosed
	if awaited := missed(in); awaited != "" {
		hold.Reason = onebidv1.ReasonMissedDeadline
		hold.Message = "This bid missed the posting while it waited for " + awaited + ". " + hold.Message
	}
	return hold
}

func notRefused(in GuardInput) *Hold {
	approval := in.Bid.Spec.Approval
	if approval == nil || approval.Decision != onebidv1.ApprovalRefused || !approvalNames(approval, in.Bid.UID) {
		return nil
	}
	return &Hold{Reason: onebidv1.ReasonRefused, Message: decidedBy(approval), Outcome: onebidv1.StateRejected}
}

func placingAllowed(in GuardInput) *Hold {
	if in.Marketplace.Spec.Mode != onebidv1.ModeSuspended {
		return nil
	}
	return &Hold{Reason: onebidv1.ReasonMarketplaceSuspended, Message: fmt.Sprintf(
		"Marketplace %q is suspended; bids are placed again once its spec.mode is Live", in.Marketplace.Name)}
}

func connected(in GuardInput) *Hold {
	if !in.Marketplace.DeletionTimestamp.IsZero() {
		return &Hold{Reason: onebidv1.ReasonMarketplaceNotReady, Stalled: true, Message: fmt.Sprintf(
			"Marketplace %q is being deleted: delete this Bid", in.Marketplace.Name)}
	}
	if !in.Connected {
		return &Hold{Reason: onebidv1.ReasonMarketplaceNotReady, Message: fmt.Sprintf(
			"Marketplace %q is not Ready; see its conditions", in.Marketplace.Name)}
	}
	return nil
}

func approved(in GuardInput) *Hold {
	if in.Marketplace.Spec.Approval != onebidv1.ApprovalManual {
		return nil
	}
	approval := in.Bid.Spec.Approval
	switch {
	case approval == nil:
		return &Hold{Reason: onebidv1.ReasonAwaitingApproval, Message: fmt.Sprintf(
			"Waiting for somebody with the verb \"approve\" to set spec.approval with bidUID %q", in.Bid.UID)}
	case !approvalNames(approval, in.Bid.UID):
		return &Hold{Reason: onebidv1.ReasonApprovalMismatch, Message: fmt.Sprintf(
			"spec.approval.bidUID is %q but this Bid's UID is %q: approve this one", approval.BidUID, in.Bid.UID)}
	}
	return nil
}

func approvalNames(approval *onebidv1.BidApproval, uid types.UID) bool {
	return approval.BidUID == string(uid)
}

func oneCurrency(in GuardInput) *Hold {
	limits := in.Marketplace.Spec.Limits
	if limits == nil {
		return nil
	}
	for _, limit := range []*onebidv1.Money{limits.MaxPrice, limits.MaxCommitted} {
		if limit != nil && limit.Currency != in.Bid.Spec.Price.Currency {
			return &Hold{Reason: onebidv1.ReasonCurrencyMismatch, Stalled: true, Message: fmt.Sprintf(
				"spec.price is in %s but Marketplace %q counts in %s: bid in that currency",
				in.Bid.Spec.Price.Currency, in.Marketplace.Name, limit.Currency)}
		}
	}
	return nil
}

func priceLimit(in GuardInput) *Hold {
	limits := in.Marketplace.Spec.Limits
	if limits == nil || limits.MaxPrice == nil {
		return nil
	}
	over := amount(in.Bid.Spec.Price).Sub(amount(*limits.MaxPrice))
	if !over.IsPositive() {
		return nil
	}
	return &Hold{Reason: onebidv1.ReasonPriceTooHigh, Stalled: true, Message: fmt.Sprintf(
		"spec.price is %s %s over maxPrice %s %[2]s of Marketplace %[4]q: raise the limit, or delete this Bid and bid less",
		over, limits.MaxPrice.Currency, limits.MaxPrice.Amount, in.Marketplace.Name)}
}

func activeLimit(in GuardInput) *Hold {
	limits := in.Marketplace.Spec.Limits
	if limits == nil || !in.Others.full(limits) {
		return nil
	}
	return &Hold{Reason: onebidv1.ReasonTooManyActiveBids, Message: fmt.Sprintf(
		"spec.limits.maxActiveBids of Marketplace %q is %d, and so many are active; this one goes on when one of them ends",
		in.Marketplace.Name, limits.MaxActiveBids)}
}

func budgetLimit(in GuardInput) *Hold {
	limits := in.Marketplace.Spec.Limits
	if limits == nil || limits.MaxCommitted == nil {
		return nil
	}
	limit, over := *limits.MaxCommitted, in.Others.over(in.Bid.Spec.Price, *limits.MaxCommitted)
	if !over.IsPositive() {
		return nil
	}
	if alone := (Account{}).over(in.Bid.Spec.Price, limit); alone.IsPositive() {
		return &Hold{Reason: onebidv1.ReasonPriceTooHigh, Stalled: true, Message: fmt.Sprintf(
			"spec.price is %s %s over maxCommitted %s %[2]s of Marketplace %[4]q: raise the limit, or delete this Bid and bid less",
			alone, limit.Currency, limit.Amount, in.Marketplace.Name)}
	}
	return &Hold{Reason: onebidv1.ReasonBudgetExhausted, Message: fmt.Sprintf(
		"This bid would put Marketplace %q %s %s over maxCommitted %s %[3]s; it goes on when enough of the live bids end",
		in.Marketplace.Name, over, limit.Currency, limit.Amount)}
}
