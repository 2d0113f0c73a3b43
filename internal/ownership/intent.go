package ownership

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/types"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// Intent is the durable note, written before a call, that the call may be about to happen. It stays until somebody has
// resolved what became of the call.
type Intent struct {
	// Operation is the call. Empty in an unknown intent.
	Operation onebidv1.AttemptOperation
	// BidUID is the Bid for which the call is made. Empty in an unknown intent.
	BidUID types.UID
	// Attempt counts the calls of this operation for this Bid. Zero in an intent that stands for a claim which was
	// taken over without one.
	Attempt int32
	// Key is the idempotency key sent with the call.
	Key string
	// Time is when the intent was written, on the API server's clock.
	Time time.Time
	// Raw is the text of an annotation that could not be read. It is kept as it was found, so that a person or a newer
	// version can still make sense of it.
	Raw string
}

// Unknown reports whether nothing but the intent's existence is known, because its annotation could not be read. Some
// call of some Bid may have been made.
func (i Intent) Unknown() bool { return i.BidUID == "" }

// Intents are the unresolved intents of a posting, of whatever Bid. A new Bid which meets an old UID's intent must
// resolve that first.
type Intents []Intent

// wireIntent is the JSON form. The names are part of the protocol: policies and people read them.
type wireIntent struct {
	Operation onebidv1.AttemptOperation `json:"op,omitempty"`
	BidUID    types.UID                 `json:"bidUID,omitempty"`
	Attempt   int32                     `json:"attempt,omitempty"`
	Key       string                    `json:"key,omitempty"`
	Time      time.Time                 `json:"time,omitzero"`
	Raw       string                    `json:"raw,omitempty"`
}

// ParseIntents reads the annotation. Text that cannot be read gives an error and one unknown intent, never none: taking
// it for "no intent" would permit a second place.
func ParseIntents(text string) (Intents, error) {
	if text == "" {
		return nil, nil
	}
	var wire []wireIntent
	err := json.Unmarshal([]byte(text), &wire)
	for i := 0; err == nil && i < len(wire); i++ {
		err = wire[i].validate()
	}
	if err == nil && len(wire) == 0 && text != "[]" {
		err = fmt.Errorf("must be a list")
	}
	if err != nil {
		return Intents{{Raw: text}}, fmt.Errorf("unreadable intents %q: %w", text, err)
	}
	var intents Intents
	for _, w := range wire {
		intents = append(intents, Intent(w))
	}
	return intents, nil
}

// intentsOf reads a Lease; what cannot be read is an unknown intent.
func intentsOf(lease *coordinationv1.Lease) Intents {
	intents, _ := ParseIntents(lease.Annotations[onebidv1.AnnotationIntent])
	return intents
}

func (w wireIntent) validate() error {
	switch {
	case w.BidUID == "" && w.Raw != "":
		return nil
	case w.BidUID == "":
		return fmt.Errorf("an intent has no bidUID")
	case w.Operation != onebidv1.OperationPlace && w.Operation != onebidv1.OperationWithdraw:
		return fmt.Errorf("intent of Bid %s: unknown operation %q", w.BidUID, w.Operation)
	}
	return nil
}

// Format writes the annotation; the same intents in any order give the same text. No intents give "".
func (s Intents) Format() string {
	if len(s) == 0 {
		return ""
	}
	wire := make([]wireIntent, 0, len(s))
	for _, intent := range s {
		intent.Time = intent.Time.UTC()
		wire = append(wire, wireIntent(intent))
	}
	slices.SortFunc(wire, func(a, b wireIntent) int {
		return cmp.Or(cmp.Compare(a.BidUID, b.BidUID), cmp.Compare(a.Operation, b.Operation),
			cmp.Compare(a.Attempt, b.Attempt), cmp.Compare(a.Raw, b.Raw))
	})
	text, _ := json.Marshal(wire) //nolint:errchkjson // Nothing in it can fail but a time beyond the year 9999.
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
