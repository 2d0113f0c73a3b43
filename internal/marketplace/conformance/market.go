package conformance

import (
	"fmt"
	"testing"
	"time"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// Market is the marketplace behind a driver: its ledger is the truth. Implementations fail the test when they cannot
// do what is asked.
type Market interface {
	// Spoil makes calls fail until the test ends.
	Spoil(t *testing.T, f Fault)
	// Calls counts the calls of an operation on a posting that arrived on the wire, "" for all.
	Calls(t *testing.T, operation, account, postingID string) int
	// Live gives the IDs of the live bids on a posting, hidden ones too.
	Live(t *testing.T, account, postingID string) []string
	// Move brings a bid into a state by hand.
	Move(t *testing.T, bidID string, state onebidv1.RemoteState)
	// Close makes a posting refuse further bids.
	Close(t *testing.T, postingID string)
	// Revoke makes the account's credentials invalid.
	Revoke(t *testing.T, account string)
}

// Reply is what the client sees of a spoilt call.
type Reply string

// The replies.
const (
	// ReplyTrue is the true one, or Status.
	ReplyTrue Reply = ""
	// ReplyDrop resets the connection without a reply.
	ReplyDrop Reply = "drop"
	// ReplyTruncate breaks off in the middle of the body.
	ReplyTruncate Reply = "truncate"
	// ReplyGarbage is a success whose body is nonsense.
	ReplyGarbage Reply = "garbage"
)

// Fault says which calls go wrong, and how.
type Fault struct {
	// Operation and PostingID choose the calls; a PostingID of "" means all.
	Operation, PostingID string
	// Skip leaves so many calls alone first.
	Skip int
	// Commit lets the call take effect before the reply; without it there is none, or it comes after Late.
	Commit bool
	// Late is how long after its arrival the call takes effect after all.
	Late time.Duration
	// Delay holds the reply back.
	Delay time.Duration
	// Hide keeps a placed bid out of all reads for so long.
	Hide time.Duration
	// Reply that the client sees.
	Reply Reply
	// Status, Code and Headers of the reply.
	Status  int
	Code    string
	Headers map[string]string
}

func (f Fault) String() string {
	return fmt.Sprintf("%s %s%d, commit %t", f.Operation, f.Reply, f.Status, f.Commit)
}
