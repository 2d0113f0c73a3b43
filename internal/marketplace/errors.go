package marketplace

import (
	"context"
	"errors"
	"fmt"
	"time"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// Error is the only kind of error that a Driver returns. Its class says what the controller may conclude.
type Error struct {
	// Class is one of the closed set onebidv1.Error….
	Class onebidv1.ErrorClass
	// Operation is "place", "lookup", "list", "get", "withdraw" or "account".
	Operation string
	// Message is for people: the marketplace's own code and words, cut to a bounded length; never a secret and never
	// the proposal.
	Message string
	// RetryAfter is how long the marketplace asks us to wait; zero when it does not say.
	RetryAfter time.Duration
	// Unreadable is true when an answer came that reports success and cannot be read: the marketplace is there.
	Unreadable bool
	// Err is the cause, if there is one.
	Err error
}

// Error names operation, class and message.
func (e *Error) Error() string {
	text := fmt.Sprintf("%s: %s", e.Operation, e.Class)
	if e.Message != "" {
		text += ": " + e.Message
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// ClassOf returns the class of an error, "" of nil. An error that is no *Error could mean anything, so it is
// UnknownOutcome.
func ClassOf(err error) onebidv1.ErrorClass {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Class
	}
	return onebidv1.ErrorUnknownOutcome
}

// RetryAfter returns how long the marketplace asked us to wait, 0 when it did not.
func RetryAfter(err error) time.Duration {
	var e *Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}

// FieldError says which field of a Marketplace is wrong, and what would be right. It holds no secret.
type FieldError struct {
	// Field is the path, such as spec.http.lookup.items.
	Field string
	// Reason says what is wrong, where, and what would be right.
	Reason string
}

// Error names the field and the reason.
func (e *FieldError) Error() string { return e.Field + ": " + e.Reason }

// Factory builds the Driver of a Marketplace from its spec and the data of its credentials Secret, nil when it names
// none. It makes no call. Its errors are for the person who wrote the spec: they name the field and what would be
// right, and never hold a secret.
type Factory func(ctx context.Context, spec *onebidv1.MarketplaceSpec, credentials map[string][]byte) (Driver, error)
