package wire

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/ratelimit"
)

// Intent of a request.
type Intent bool

// The intents. A request that changes something at the marketplace is a write.
const (
	Reading Intent = false
	Writing Intent = true
)

// Call is one request of an operation on its way to a verdict.
type Call struct {
	// Operation that the request belongs to.
	Operation string
	// Intent of the request: an operation that writes may read first.
	Intent Intent
	// Redact cleans what errors say.
	Redact Redactor
	// Moved says what to do about a redirect.
	Moved string
	// Now tells the time. Required.
	Now func() time.Time
	// Pace observes the reply.
	Pace marketplace.Pacer
}

// Rule says what a marketplace means by a reply, "" when it says nothing that the status does not say. It fails when it
// cannot tell.
type Rule func(*Reply) (onebidv1.ErrorClass, error)

// cause keeps what an error is and hides what it says.
type cause struct {
	text string
	err  error
}

func (c *cause) Error() string { return c.text }

func (c *cause) Unwrap() error { return c.err }

// Fail words an error of the class. The cause may be nil.
func (c *Call) Fail(class onebidv1.ErrorClass, words string, err error) *marketplace.Error {
	e := &marketplace.Error{Class: class, Operation: c.Operation, Message: c.Redact.Clean(words)}
	if err != nil {
		e.Err = &cause{c.Redact.Clean(err.Error()), err}
	}
	return e
}

// Open is the class of what is not documented: after a write anything may have happened.
func (c *Call) Open() onebidv1.ErrorClass {
	if c.Intent == Writing {
		return onebidv1.ErrorUnknownOutcome
	}
	return onebidv1.ErrorTransient
}

// Unsent judges a request that could not be built: nothing left, and trying again cannot help.
func (c *Call) Unsent(err error) *marketplace.Error {
	return c.Fail(onebidv1.ErrorInvalid, "the request could not be built", err)
}

// Unanswered judges a request that got no answer.
func (c *Call) Unanswered(err error) *marketplace.Error {
	var failed *SendError
	if errors.As(err, &failed) && !failed.Sent {
		return c.Fail(onebidv1.ErrorTransient, "nothing was sent", err)
	}
	return c.Fail(c.Open(), "no answer came", err)
}

// Unreadable judges an answer that reports success and cannot be read.
func (c *Call) Unreadable(r *Reply, err error) *marketplace.Error {
	verdict := c.Fail(c.Open(), fmt.Sprintf("HTTP %d that cannot be read", r.Status), err)
	verdict.Unreadable = r.Succeeded()
	return verdict
}

// Classify is the one place that says what a reply means; nil is success. What the rule finds comes before the status.
func (c *Call) Classify(r *Reply, rule Rule) *marketplace.Error {
	verdict := c.verdict(r, rule)
	if verdict == nil {
		return nil
	}
	verdict.RetryAfter = ratelimit.RetryAfter(r.Header, c.Now())
	if verdict.RetryAfter == 0 && verdict.Class == onebidv1.ErrorRateLimited {
		verdict.RetryAfter = ratelimit.ShortestWindow(r.Header)
	}
	return verdict
}

func (c *Call) verdict(r *Reply, rule Rule) *marketplace.Error {
	undocumented := r.Status < 200 || r.Status >= 500 || (r.Status >= 300 && r.Status < 400)
	switch {
	case c.Intent == Writing && undocumented:
		return c.refused(r, onebidv1.ErrorUnknownOutcome)
	case r.Broken != nil:
		return c.Unreadable(r, r.Broken)
	}
	class, err := rule(r)
	switch {
	case err != nil:
		return c.Unreadable(r, err)
	case class != "":
		return c.refused(r, class)
	case r.Succeeded() && r.Alien != nil:
		return c.Unreadable(r, r.Alien)
	case r.Succeeded():
		return nil
	}
	return c.refused(r, c.byStatus(r.Status))
}

func (c *Call) refused(r *Reply, class onebidv1.ErrorClass) *marketplace.Error {
	// A read has no outcome that could be unknown.
	if class == onebidv1.ErrorUnknownOutcome {
		class = c.Open()
	}
	words := fmt.Sprintf("HTTP %d", r.Status)
	if said := wordsOf(r.Body); said != "" {
		words += ": " + said
	}
	if r.Status >= 300 && r.Status < 400 {
		words += ": redirects are not followed; " + c.Moved
	}
	return c.Fail(class, words, nil)
}

func (c *Call) byStatus(status int) onebidv1.ErrorClass {
	switch status {
	case http.StatusUnauthorized:
		return onebidv1.ErrorAuth
	case http.StatusForbidden:
		return onebidv1.ErrorForbidden
	case http.StatusNotFound, http.StatusGone:
		return onebidv1.ErrorNotFound
	case http.StatusTooManyRequests:
		return onebidv1.ErrorRateLimited
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return onebidv1.ErrorInvalid
	case http.StatusConflict:
		switch {
		case c.Intent == Reading:
		case c.Operation == marketplace.OpPlace:
			return onebidv1.ErrorAlreadyExists
		case c.Operation == marketplace.OpWithdraw:
			return onebidv1.ErrorNotWithdrawable
		}
	}
	return c.Open()
}
