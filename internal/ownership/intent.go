package ownership

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/types"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// Intent is the durable note, written before a call, that the call may have been made. It stays until the outcome of the
// call is resolved. The JSON names are part of the protocol: policies and people read them.
type Intent struct {
	// Operation is the call. Empty in an unknown intent.
	Operation onebidv1.AttemptOperation `json:"op,omitempty"`
	// BidUID is the Bid for which the call is made. Empty in an unknown intent.
	BidUID types.UID `json:"bidUID,omitempty"`
	// Attempt counts the calls of this operation for this Bid. Zero in an intent that stands for a claim which was
	// taken over without one.
	Attempt int32 `json:"attempt,omitempty"`
	// Key is the idempotency key sent with the call.
	Key string `json:"key,omitempty"`
	// Time is when the intent was written, on the API server's clock.
	Time time.Time `json:"time,omitzero"`
	// Raw is the text of an annotation that could not be read. It is kept as it was found, so that a person or a newer
	// version can still make sense of it.
	Raw string `json:"raw,omitempty"`
}

// Unknown reports whether only the intent's existence is known, because its annotation could not be read. Some call of
// some Bid may have been made.
func (i Intent) Unknown() bool { return i.BidUID == "" }

func (i Intent) validate() error {
	switch {
	case i.BidUID == "" && i.Raw != "":
		return nil
	case i.BidUID == "":
		return errors.New("an intent has no bidUID")
	case i.Operation != onebidv1.OperationPlace && i.Operation != onebidv1.OperationWithdraw:
		return fmt.Errorf("intent of Bid %s: unknown operation %q", i.BidUID, i.Operation)
	}
	return nil
}

// Intents are the unresolved intents of a posting, of whatever Bid. A new Bid which meets an old UID's intent must
// resolve that first.
type Intents []Intent

// ParseIntents reads the annotation. Text that cannot be read gives an error and one unknown intent, never none: taking
// it for "no intent" would permit a second place.
func ParseIntents(text string) (intents Intents, err error) {
	if text == "" {
		return nil, nil
	}
	err = json.Unmarshal([]byte(text), &intents)
	if err == nil && intents == nil {
		err = errors.New("must be a list")
	}
	for i := 0; err == nil && i < len(intents); i++ {
		err = intents[i].validate()
	}
	if err != nil {
		return Intents{{Raw: text}}, fmt.Errorf("unreadable intents %q: %w", text, err)
	}
	return intents, nil
}

// intentsOf reads a Lease; what cannot be read is an unknown intent.
func intentsOf(lease *coordinationv1.Lease) Intents {
	intents, _ := ParseIntents(lease.Annotations[onebidv1.AnnotationIntent])
	return intents
}

// Format writes the annotation; the same intents in any order give the same text. No intents give "".
func (s Intents) Format() string {
	if len(s) == 0 {
		return ""
	}
	sorted := slices.SortedFunc(slices.Values(s), func(a, b Intent) int {
		return cmp.Or(cmp.Compare(a.BidUID, b.BidUID), cmp.Compare(a.Operation, b.Operation),
			cmp.Compare(a.Attempt, b.Attempt), cmp.Compare(a.Raw, b.Raw))
	})
	for i := range sorted {
		sorted[i].Time = sorted[i].Time.UTC()
	}
	text, _ := json.Marshal(sorted) //nolint:errchkjson // Nothing in it can fail but a time beyond the year 9999.
	return string(text)
}

// With returns the intents with this one in place of the same Bid's; those of other Bids stay, because only resolving
// an intent may erase it.
func (s Intents) With(intent Intent) Intents {
	return append(s.Without(intent.BidUID), intent)
}

// Without returns the intents but for this Bid's. The UID "" stands for unknown intents.
func (s Intents) Without(uid types.UID) Intents {
	return slices.DeleteFunc(slices.Clone(s), func(i Intent) bool { return i.BidUID == uid })
}

// Of returns this Bid's intent.
func (s Intents) Of(uid types.UID) (Intent, bool) {
	at := slices.IndexFunc(s, func(i Intent) bool { return i.BidUID == uid })
	if at < 0 {
		return Intent{}, false
	}
	return s[at], true
}

// not returns the intents of Bids that have none in others.
func (s Intents) not(others Intents) Intents {
	return slices.DeleteFunc(slices.Clone(s), func(i Intent) bool {
		_, found := others.Of(i.BidUID)
		return found
	})
}

// kept returns the intents that are the same in others.
func (s Intents) kept(others Intents) Intents {
	return slices.DeleteFunc(slices.Clone(s), func(i Intent) bool {
		return !slices.ContainsFunc(others, i.equal)
	})
}

// reached is true when the set has the same call of the same Bid, of this attempt or a later one.
func (s Intents) reached(intent Intent) bool {
	noted, found := s.Of(intent.BidUID)
	return found && noted.Operation == intent.Operation && noted.Key == intent.Key && noted.Attempt >= intent.Attempt
}

func (i Intent) equal(other Intent) bool {
	same := i.Time.Equal(other.Time)
	other.Time = i.Time
	return same && i == other
}
