package bidding

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/text"
)

// Denied says why the Bid may not be placed; a Denial with an outcome ends it.
func Denied(denial Denial) Change {
	return Change{apply: func(e *edit) {
		e.set(onebidv1.ConditionAccepted, metav1.ConditionFalse, denial.Reason, denial.Message)
		if !denial.Until.IsZero() {
			e.attempts(onebidv1.OperationPlace, e.placeAttempts(0), denial.Until, "")
		}
		switch {
		case denial.Outcome != "":
			e.end(denial.Outcome)
		case denial.Stalled:
			e.stalled = &note{denial.Reason, denial.Message}
		default:
			e.reconciling = &note{onebidv1.ReasonProgressing, denial.Message}
		}
	}}
}

// GuardsPassed says that no guard denies the Bid any more, whose next attempt is not due yet.
func GuardsPassed() Change {
	return Change{apply: func(e *edit) {
		e.accept()
		e.reconciling = &note{
			onebidv1.ReasonRetrying,
			"Placing is retried at status.attempts.nextTime: " + e.condition(onebidv1.ConditionPlaced).Message,
		}
	}}
}

// ReportsWait is true when the status says already why the Bid is not placed. One reason is enough: each costs a write.
func ReportsWait(bid *onebidv1.Bid) bool {
	placed := placedCondition(bid)
	return placed != nil && (placed.Status != metav1.ConditionFalse || placed.Reason != onebidv1.ReasonNotPlaced)
}

// Waiting says that the Bid passed all guards and waits for its account, for a reason of the condition Placed. Wait is how
// long at least.
func Waiting(marketplace, reason string, wait time.Duration) Change {
	return Change{apply: func(e *edit) {
		e.accept()
		cause := map[string]string{
			onebidv1.ReasonRateLimited:   "has a rate limit, and other bids go first",
			onebidv1.ReasonAccountPaused: "is paused",
			onebidv1.ReasonCircuitOpen:   "does not answer",
			// Of a Bid that did not ask itself; PlaceFailed is for the one that did.
			onebidv1.ReasonQuotaExhausted: "has no bids left for the account",
		}[reason]
		message := fmt.Sprintf("Marketplace %q %s: this bid waits at least %s; see status.rateLimit and status.breaker of the Marketplace",
			marketplace, cause, max(wait.Round(time.Second), time.Second))
		e.set(onebidv1.ConditionPlaced, metav1.ConditionFalse, reason, message)
		e.reconciling = &note{onebidv1.ReasonProgressing, message}
	}}
}

// Bounds of a preview in the API, in bytes but for the number of headers.
const (
	maxPreviewURL     = 2048
	maxPreviewBody    = 4096
	maxPreviewValue   = 1024
	maxPreviewHeaders = 32
)

// DryRun says that all guards passed and nothing is sent, and shows the request that would be. Without one, problem says why
// there is none.
func DryRun(marketplace string, preview *onebidv1.BidPreview, problem string) Change {
	return Change{apply: func(e *edit) {
		e.accept()
		message := fmt.Sprintf("Marketplace %q is in mode DryRun: nothing is sent, and status.preview shows what would be;"+
			" set its spec.mode to Live to place this bid", marketplace)
		if preview == nil {
			message = fmt.Sprintf("Marketplace %q is in mode DryRun: nothing is sent, and nothing could be: %s", marketplace, problem)
		}
		e.set(onebidv1.ConditionPlaced, metav1.ConditionFalse, onebidv1.ReasonDryRun, message)
		e.reconciling = &note{onebidv1.ReasonProgressing, message}
		e.status.Preview = boundedPreview(preview)
	}}
}

func boundedPreview(preview *onebidv1.BidPreview) *onebidv1.BidPreview {
	if preview == nil {
		return nil
	}
	out := preview.DeepCopy()
	out.URL, out.Body = text.Cut(out.URL, maxPreviewURL), text.Cut(out.Body, maxPreviewBody)
	out.Headers = out.Headers[:min(len(out.Headers), maxPreviewHeaders)]
	for i := range out.Headers {
		if value := out.Headers[i].Value; value != nil {
			cleaned := text.Cut(*value, maxPreviewValue)
			out.Headers[i].Value = &cleaned
		}
	}
	return out
}

// Remote is a bid of ours as the marketplace shows it.
type Remote struct {
	ID, URL  string
	PlacedAt time.Time
	State    onebidv1.RemoteState
	// Adopted is true when a lookup found the bid after an unknown outcome.
	Adopted bool
}

// Placed records a bid of ours at the marketplace, under the attempt that it answers. In class None, where the marketplace
// accepts a second bid like the first, it does not replace a recorded one: see Change.Second.
func Placed(remote Remote, attempt int32, class onebidv1.MarketplaceClass) Change {
	change := Change{Learned: true, apply: func(e *edit) { e.placed(remote, attempt) }}
	if class == onebidv1.ClassNone {
		change.secondID = remote.ID
	}
	return change
}

func (e *edit) placed(remote Remote, attempt int32) {
	if PlacedStatus(e.bid) == metav1.ConditionTrue && e.status.Remote != nil && e.status.Remote.BidID == remote.ID {
		e.keep() // recorded already: what was found out since then stays
		return
	}
	e.accept()
	attempt = e.placeAttempts(attempt)
	reason, message := onebidv1.ReasonPlaced, "The marketplace confirmed the bid"
	if remote.Adopted {
		reason, message = onebidv1.ReasonAdopted, "Found at the marketplace after an unknown outcome, and adopted"
	}
	e.set(onebidv1.ConditionPlaced, metav1.ConditionTrue, reason, message)
	at := metav1.NewTime(e.now)
	if !remote.PlacedAt.IsZero() {
		at = metav1.NewTime(remote.PlacedAt)
	}
	e.status.Remote = &onebidv1.RemoteBid{BidID: remote.ID, URL: remote.URL, PlacedAt: &at}
	if remote.Adopted {
		e.status.Remote.Adopted = &remote.Adopted
	}
	e.status.SettlingSince = nil
	// An outcome reached without knowing of this bid is void: an open bid must be withdrawn or polled.
	e.status.Outcome = ""
	// One attempt is what Attempts assumes of a placed bid: the field is absent unless there were more.
	e.status.Attempts = nil
	if attempt > 1 {
		e.attempts(onebidv1.OperationPlace, attempt, time.Time{}, "")
	}
	e.observe(remote.State)
	e.withdrawalRequested()
}

// Observed records what the marketplace says of the Bid's bid by now.
func Observed(state onebidv1.RemoteState) Change {
	return Change{apply: func(e *edit) {
		e.observe(state)
		e.withdrawalRequested()
	}}
}

// PlaceFailed records an attempt that certainly had no effect. Permanent refusals end the Bid.
func PlaceFailed(f Failure) Change {
	return Change{apply: func(e *edit) {
		e.accept()
		e.set(onebidv1.ConditionPlaced, metav1.ConditionFalse, reasonOf(f.Class), f.Message)
		e.attempts(onebidv1.OperationPlace, f.Attempt, f.Next, f.Message)
		if outcome := refusal(f.Class); outcome != "" {
			e.end(outcome)
			return
		}
		e.retrying(f, "Placing")
	}}
}

// ExistingBid records that the account has another bid on the posting, which we never touch.
func ExistingBid(remoteID string, attempt int32) Change {
	return Change{apply: func(e *edit) {
		e.accept()
		message := fmt.Sprintf("The account already has bid %q on this posting, which was not placed by this Bid; it is left alone", remoteID)
		e.set(onebidv1.ConditionDuplicate, metav1.ConditionTrue, onebidv1.ReasonExistingBid, message)
		attempt = e.placeAttempts(attempt)
		e.set(onebidv1.ConditionPlaced, metav1.ConditionFalse, onebidv1.ReasonAlreadyExists, message)
		e.attempts(onebidv1.OperationPlace, attempt, time.Time{}, "")
		e.end(onebidv1.StateDuplicate)
	}}
}

// Acknowledged changes nothing but the acknowledgement of onebid.dev/reconcile-requested-at, which every change gives.
func Acknowledged() Change { return Change{apply: (*edit).keep} }
