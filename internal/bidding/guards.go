package bidding

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// GuardInput is all that the guards read.
type GuardInput struct {
	Bid *onebidv1.Bid
	// Marketplace is nil when there is none of that name.
	Marketplace *onebidv1.Marketplace
	// Connected is true when this process has a connection to the Marketplace.
	Connected bool
	// Freshness is the posting's.
	Freshness FreshnessVerdict
}

// Denial says why a Bid may not be placed now.
type Denial struct {
	// Reason and Message are for the condition Accepted.
	Reason, Message string
	// Outcome is the state that the Bid ends in, "" when it waits.
	Outcome onebidv1.BidState
	// Stalled is true when a person must act.
	Stalled bool
	// Until is when the denial ends without an event; zero when that is not known.
	Until time.Time
}

type guard func(GuardInput) *Denial

// The first denial counts: what ends a Bid and what a person must mend come before what ends without an event.
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
}

// Guard returns the first reason not to place the Bid, nil when there is none. It reserves nothing: CapacityDenial judges the
// limits on all Bids of the Marketplace together when capacity is reserved, and the cooldown is judged on the uncached
// tombstone when the Lease is acquired.
func Guard(in GuardInput) *Denial {
	for _, check := range guards {
		if denial := check(in); denial != nil {
			return denial
		}
	}
	return nil
}

func canonicalName(in GuardInput) *Denial {
	name, err := KeyOf(in.Bid).Name()
	if err != nil {
		return &Denial{Reason: onebidv1.ReasonNonCanonicalName, Message: err.Error() + "; delete this Bid", Stalled: true}
	}
	if name != in.Bid.Name {
		return &Denial{Reason: onebidv1.ReasonNonCanonicalName, Stalled: true, Message: fmt.Sprintf(
			"metadata.name must be %q, the one name of this posting: delete this Bid and create it under that name", name)}
	}
	return nil
}

func knownMarketplace(in GuardInput) *Denial {
	if in.Marketplace == nil {
		return &Denial{Reason: onebidv1.ReasonMarketplaceNotFound, Stalled: true, Message: fmt.Sprintf(
			"There is no Marketplace %q in namespace %q: create it, or delete this Bid", in.Bid.Spec.Marketplace, in.Bid.Namespace)}
	}
	return nil
}

func freshPosting(in GuardInput) *Denial {
	if in.Freshness.Fresh {
		return nil
	}
	denial := &Denial{Reason: onebidv1.ReasonPostingStale, Message: in.Freshness.Message, Outcome: onebidv1.StateExpired}
	if in.Freshness.Reason != onebidv1.ReasonClosed {
		return denial
	}
	denial.Reason = onebidv1.ReasonPostingClosed
	if awaited := missedWhile(in); awaited != "" {
		denial.Reason = onebidv1.ReasonMissedDeadline
		denial.Message = "This bid missed the posting while it waited for " + awaited + ". " + denial.Message
	}
	return denial
}

func notRefused(in GuardInput) *Denial {
	approval := approvalOf(in.Bid)
	if approval == nil || approval.Decision != onebidv1.ApprovalRefused {
		return nil
	}
	return &Denial{Reason: onebidv1.ReasonRefused, Message: decidedBy(approval), Outcome: onebidv1.StateRejected}
}

func placingAllowed(in GuardInput) *Denial {
	if in.Marketplace.Spec.Mode != onebidv1.ModeSuspended {
		return nil
	}
	return &Denial{Reason: onebidv1.ReasonMarketplaceSuspended, Message: fmt.Sprintf(
		"Marketplace %q is suspended; bids are placed again once its spec.mode is Live", in.Marketplace.Name)}
}

func connected(in GuardInput) *Denial {
	if !in.Marketplace.DeletionTimestamp.IsZero() {
		return &Denial{Reason: onebidv1.ReasonMarketplaceNotReady, Stalled: true, Message: fmt.Sprintf(
			"Marketplace %q is being deleted: delete this Bid", in.Marketplace.Name)}
	}
	if !in.Connected {
		return &Denial{Reason: onebidv1.ReasonMarketplaceNotReady, Message: fmt.Sprintf(
			"Marketplace %q is not Ready; see its conditions", in.Marketplace.Name)}
	}
	return nil
}

func approved(in GuardInput) *Denial {
	if in.Marketplace.Spec.Approval != onebidv1.ApprovalManual {
		return nil
	}
	approval := in.Bid.Spec.Approval
	switch {
	case approval == nil:
		return &Denial{Reason: onebidv1.ReasonAwaitingApproval, Message: fmt.Sprintf(
			"Waiting for approval: a person with the verb \"approve\" must set spec.approval with bidUID %q", in.Bid.UID)}
	case approvalOf(in.Bid) == nil:
		return &Denial{Reason: onebidv1.ReasonApprovalMismatch, Message: fmt.Sprintf(
			"spec.approval.bidUID is %q but this Bid's UID is %q: approve this one", approval.BidUID, in.Bid.UID)}
	}
	return nil
}

func oneCurrency(in GuardInput) *Denial {
	limits := in.Marketplace.Spec.Limits
	if limits == nil {
		return nil
	}
	for _, limit := range []*onebidv1.Money{limits.MaxPrice, limits.MaxCommitted} {
		if limit != nil && limit.Currency != in.Bid.Spec.Price.Currency {
			return &Denial{Reason: onebidv1.ReasonCurrencyMismatch, Stalled: true, Message: fmt.Sprintf(
				"spec.price is in %s but Marketplace %q counts in %s: bid in that currency",
				in.Bid.Spec.Price.Currency, in.Marketplace.Name, limit.Currency)}
		}
	}
	return nil
}

// priceLimit denies what can never be placed: a price over maxPrice, or over maxCommitted by itself.
func priceLimit(in GuardInput) *Denial {
	limits := in.Marketplace.Spec.Limits
	if limits == nil {
		return nil
	}
	for _, limit := range []struct {
		name string
		most *onebidv1.Money
	}{{"maxPrice", limits.MaxPrice}, {"maxCommitted", limits.MaxCommitted}} {
		if limit.most == nil {
			continue
		}
		if over := (Totals{}).over(in.Bid.Spec.Price, *limit.most); over.IsPositive() {
			return &Denial{Reason: onebidv1.ReasonPriceTooHigh, Stalled: true, Message: fmt.Sprintf(
				"spec.price is %s %s over %s %s %[2]s of Marketplace %[5]q: raise the limit, or delete this Bid and bid less",
				over, limit.most.Currency, limit.name, limit.most.Amount, in.Marketplace.Name)}
		}
	}
	return nil
}

// missedWhile says what a Bid waited for while its posting closed; "" when the posting was closed before the Bid was made.
func missedWhile(in GuardInput) string {
	bid := in.Bid
	accepted := meta.FindStatusCondition(bid.Status.Conditions, onebidv1.ConditionAccepted)
	switch placed := placedCondition(bid); {
	case accepted == nil && !bid.CreationTimestamp.Time.Before(in.Freshness.ClosedAt):
		return ""
	case accepted != nil && accepted.Status == metav1.ConditionFalse:
		return waitFor(accepted.Reason)
	case placed != nil:
		return waitFor(placed.Reason)
	}
	return waitFor("")
}

// waitFor puts into words what a reason of Accepted or Placed waits for.
func waitFor(reason string) string {
	switch reason {
	case onebidv1.ReasonAwaitingApproval, onebidv1.ReasonApprovalMismatch:
		return "its approval"
	case onebidv1.ReasonMarketplaceSuspended, onebidv1.ReasonDryRun:
		return "the Marketplace's spec.mode to be Live"
	case onebidv1.ReasonRateLimited:
		return "the account's rate limit"
	case onebidv1.ReasonAccountPaused:
		return "the end of the account's pause"
	case onebidv1.ReasonCircuitOpen:
		return "the marketplace to answer again"
	case onebidv1.ReasonQuotaExhausted:
		return "the account to have bids left"
	case "", onebidv1.ReasonNotPlaced, onebidv1.ReasonAccepted:
		return "earlier work"
	default: // limits, cooldown, credentials, failed attempts
		return "the end of " + reason
	}
}
