// Package history checks what was seen of postings, by everybody together, for linearizability: whether there is one order
// of all calls, each at some moment between its beginning and its end, in which a posting is a register that holds at most
// one live bid of ours. A call with an unknown outcome may have had its effect or not; both are followed.
package history

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// Kind of an operation.
type Kind string

// The kinds of operation on a posting.
const (
	// Create makes the Bid object Owner. Refused means that there is one.
	Create Kind = "create"
	// Gone is the moment when the Bid object Owner is gone.
	Gone Kind = "gone"
	// Place puts a bid of Owner on the posting. With Done, its ID is known.
	Place Kind = "place"
	// Withdraw takes the bid ID back.
	Withdraw Kind = "withdraw"
	// End is the moment when the bid ID ended without our doing.
	End Kind = "end"
	// Lookup shows which bids of ours are live: Seen.
	Lookup Kind = "lookup"
)

// Outcome is the outcome as the caller sees it.
type Outcome string

// The outcomes.
const (
	Done    Outcome = "done"
	Refused Outcome = "refused"
	Unknown Outcome = "unknown"
)

// Operation is one call, or one thing that happened.
type Operation struct {
	// Key names the posting.
	Key     string
	Kind    Kind
	Outcome Outcome
	// Owner is the Bid that it is for, by UID or idempotency key.
	Owner string
	// ID of the bid at the marketplace, once known.
	ID string
	// Again is true when the marketplace answered a place with a bid that it had placed before, and that may have ended.
	Again bool
	// Seen are the IDs that a Lookup showed.
	Seen []string
	// Call and Return bound the moment at which it took effect. Return is zero when it may be any time later. Where a bid is
	// not shown at once, its place returns when it is.
	Call, Return time.Time
}

func (o *Operation) String() string {
	words := []string{string(o.Kind), string(o.Outcome)}
	for _, word := range []string{o.Owner, o.ID, strings.Join(o.Seen, "+")} {
		if word != "" {
			words = append(words, word)
		}
	}
	until := "…"
	if !o.Return.IsZero() {
		until = o.Return.Format("15:04:05.000000")
	}
	return fmt.Sprintf("%s to %s: %s", o.Call.Format("15:04:05.000000"), until, strings.Join(words, " "))
}

// Check returns an error with the history of the first posting for which there is no such order. Within the patience, that
// is: finding one may take long when much is unknown, and then the error says that.
func Check(operations []Operation, patience time.Duration) error {
	byKey := map[string][]Operation{}
	var keys []string
	for _, o := range operations {
		if byKey[o.Key] == nil {
			keys = append(keys, o.Key)
		}
		byKey[o.Key] = append(byKey[o.Key], o)
	}
	for _, key := range keys {
		switch porcupine.CheckOperationsTimeout(register(), timed(byKey[key]), patience) {
		case porcupine.Ok:
		case porcupine.Illegal:
			return fmt.Errorf("no order of the operations on %s has at most one live bid:\n%s", key, listed(byKey[key]))
		default:
			return fmt.Errorf("no order of the operations on %s was found in %s", key, patience)
		}
	}
	return nil
}

func timed(operations []Operation) []porcupine.Operation {
	out := make([]porcupine.Operation, 0, len(operations))
	for i := range operations {
		o := &operations[i]
		end := int64(math.MaxInt64)
		if !o.Return.IsZero() {
			end = max(o.Return.UnixNano(), o.Call.UnixNano())
		}
		out = append(out, porcupine.Operation{Input: o, Call: o.Call.UnixNano(), Return: end})
	}
	return out
}

func listed(operations []Operation) string {
	sorted := slices.Clone(operations)
	slices.SortStableFunc(sorted, func(a, b Operation) int {
		return cmp.Or(a.Call.Compare(b.Call), a.Return.Compare(b.Return))
	})
	var b strings.Builder
	for i := range sorted {
		fmt.Fprintln(&b, sorted[i].String())
	}
	return b.String()
}
