package bidding

import (
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// maxMessage bounds what a condition or lastError may say, in bytes.
const maxMessage = 1024

// Change is one fact to be noted in a Bid's status.
type Change struct {
	// Learned is true when the fact is a live bid at the marketplace. Such a fact may be added to whatever the status has
	// become meanwhile; every other verdict counts only for the very version of the Bid that was read.
	Learned bool

	apply func(*edit)
	// beside, when set, is the ID of a bid that is no replacement for another one that is recorded.
	beside string
}

// Second is true when the change tells of a bid that is live beside the one that the Bid has already.
func (c Change) Second(bid *onebidv1.Bid) bool {
	remote := bid.Status.Remote
	return c.beside != "" && PlacedStatus(bid) == metav1.ConditionTrue && remote != nil && remote.BidID != c.beside
}

// edit is a status under change.
type edit struct {
	bid    *onebidv1.Bid
	status *onebidv1.BidStatus
	now    time.Time
	// What the trio of kstatus will say beside Ready; at most one is set.
	reconciling, stalled *note
}

type note struct{ reason, message string }

// Apply notes the fact in the Bid, in memory, and brings everything that is derived from it up to date.
func (c Change) Apply(bid *onebidv1.Bid, now time.Time) {
	e := &edit{bid: bid, status: &bid.Status, now: now}
	e.init()
	c.apply(e)
	e.summarize()
}

// init gives every condition that is always present a first value.
func (e *edit) init() {
	for _, first := range []metav1.Condition{
		{
			Type: onebidv1.ConditionAccepted, Status: metav1.ConditionUnknown,
			Reason: onebidv1.ReasonPending, Message: "Not examined yet",
		},
		{
			Type: onebidv1.ConditionPlaced, Status: metav1.ConditionFalse,
			Reason: onebidv1.ReasonNotPlaced, Message: "Not placed yet",
		},
		{
			Type: onebidv1.ConditionDuplicate, Status: metav1.ConditionFalse,
			Reason: onebidv1.ReasonNoneFound, Message: "No other bid of the account is known",
		},
		{
			Type: onebidv1.ConditionWithdrawn, Status: metav1.ConditionFalse,
			Reason: onebidv1.ReasonNotRequested, Message: "No withdrawal was asked for",
		},
	} {
		if meta.FindStatusCondition(e.status.Conditions, first.Type) == nil {
			e.set(first.Type, first.Status, first.Reason, first.Message)
		}
	}
	if e.status.AtomicEventID == "" {
		e.status.AtomicEventID = IdempotencyKey(e.bid.Namespace, KeyOf(e.bid), e.bid.UID)
	}
	e.status.PostingCachedAt = e.bid.Spec.PostingCachedAt
	e.status.Preview = nil // as long as it is true, DryRun shows it anew
	e.status.LastHandledReconcileAt = Requested(e.bid)
}

// current is what an abnormal condition says now, nil when it is not there.
func (e *edit) current(kind string) *note {
	c := meta.FindStatusCondition(e.status.Conditions, kind)
	if c == nil {
		return nil
	}
	return &note{c.Reason, c.Message}
}

func (e *edit) set(kind string, status metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&e.status.Conditions, metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: bounded(message),
		ObservedGeneration: e.bid.Generation, LastTransitionTime: metav1.NewTime(e.now),
	})
}

func (e *edit) accept() {
	e.set(onebidv1.ConditionAccepted, metav1.ConditionTrue, onebidv1.ReasonAccepted, "All guards passed")
}

func (e *edit) attempts(operation onebidv1.AttemptOperation, count int32, next time.Time, lastError string) {
	e.status.Attempts = &onebidv1.BidAttempts{Operation: operation, Count: count, LastError: bounded(lastError)}
	if !next.IsZero() {
		// Times in the API have whole seconds; rounding up keeps a Retry-After a Retry-After.
		at := metav1.NewTime(next.Add(time.Second - 1).Truncate(time.Second))
		e.status.Attempts.NextTime = &at
	}
}

// bounded cuts a text to maxMessage bytes without breaking a character.
func bounded(text string) string { return cut(text, maxMessage) }

func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	end := most - len("…")
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}
