package scanner

import (
	"context"
	"fmt"
	"time"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// Outcome says what became of a posting.
type Outcome string

const (
	// Open is ShouldBid's answer when nothing is in the way. Process never returns it.
	Open Outcome = "Open"
	// Created: the posting was evaluated as suitable, and this scanner created its Bid.
	Created Outcome = "Created"
	// Duplicate: there is a Bid already, by any scanner and in any state. Evaluated is true in the rare case that only the
	// refusal to create another one showed it.
	Duplicate Outcome = "Duplicate"
	// NotSuitable: it was evaluated, now or earlier, by this scanner or another, and is not worth a bid.
	NotSuitable Outcome = "NotSuitable"
	// Ended: the last bid on it was withdrawn, refused, won or lost. It is bid on again when its Bid is deleted, and either
	// its Posting is deleted too or the scanner has Options.Rebid.
	Ended Outcome = "Ended"
	// Stale: it was read too long ago; read it again.
	Stale Outcome = "Stale"
	// Closed: it takes no bids any more.
	Closed Outcome = "Closed"
	// Paused: its Marketplace is suspended or being deleted.
	Paused Outcome = "Paused"
	// CoolingDown: the cooldown after the last bid is not over; see Result.Until.
	CoolingDown Outcome = "CoolingDown"
	// LockTimeout: another scanner evaluated it for as long as this one waited; try again later.
	LockTimeout Outcome = "LockTimeout"
)

// Result is what became of a posting, and why.
type Result struct {
	Outcome Outcome
	// Reason is for people.
	Reason string
	// Bid is the one that was Created, or the one that was found when Duplicate. It is nil when only the API server's
	// refusal showed it.
	Bid *onebidv1.Bid
	// Evaluated is true when evaluate was called.
	Evaluated bool
	// Until is when to try again, where that is known: the end of a cooldown on the API server's clock, or when the lock can
	// run out on this process's.
	Until time.Time
}

// Verdict is the outcome of an evaluation.
type Verdict struct {
	// Suitable is whether to bid. A verdict against it is kept on the Posting, so that it is paid for once; remove
	// spec.evaluation of the Posting to have it evaluated anew.
	Suitable bool
	// Score from 0 to 100 and Reason are kept with a verdict against.
	Score  *int32
	Reason string
	// Bid is what to bid: price at least. Marketplace, postingID and postingCachedAt are filled in.
	Bid onebidv1.BidSpec
}

// Evaluate decides on a posting. It may take long: the lock is renewed meanwhile. It must not change the posting. When it
// returns an error nothing is recorded, and the next scanner may try.
type Evaluate func(ctx context.Context, posting *onebidv1.Posting) (Verdict, error)

// EvaluationError means that evaluate failed.
type EvaluationError struct {
	// PostingID is the posting's.
	PostingID string
	// Err is what evaluate returned.
	Err error
}

// Error names the posting.
func (e *EvaluationError) Error() string {
	return fmt.Sprintf("evaluate posting %q: %v", e.PostingID, e.Err)
}

// Unwrap gives what evaluate returned.
func (e *EvaluationError) Unwrap() error { return e.Err }

// MarketplaceNotFoundError means that the scanner's Marketplace does not exist.
type MarketplaceNotFoundError struct {
	Namespace, Name string
}

// Error says what to do.
func (e *MarketplaceNotFoundError) Error() string {
	return fmt.Sprintf("there is no Marketplace %q in namespace %q: create it first", e.Name, e.Namespace)
}

// ConfigError means that an option, or a variable of the environment, cannot be used.
type ConfigError struct {
	// Field is the option or the variable.
	Field string
	// Value is what was found there; it is empty where that may hold a password.
	Value string
	// Reason says what would be right.
	Reason string
}

// Error names the field, the value and what would be right.
func (e *ConfigError) Error() string {
	if e.Value == "" {
		return fmt.Sprintf("%s: %s", e.Field, e.Reason)
	}
	return fmt.Sprintf("%s: invalid value %q: %s", e.Field, e.Value, e.Reason)
}
