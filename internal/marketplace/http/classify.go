package httpdriver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/interpreter"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

// call is one request of an operation on its way to a verdict.
type call struct {
	driver    *Driver
	operation string
	intent    intent
	redact    redactor
}

// call begins the judgement of a request, which may not exist yet.
func (d *Driver) call(operation string, m *message, proposal string) *call {
	return &call{d, operation, intentOf(operation), newRedactor(m, d.secrets, proposal)}
}

// cause keeps what an error is and hides what it says.
type cause struct {
	text string
	err  error
}

func (c *cause) Error() string { return c.text }

func (c *cause) Unwrap() error { return c.err }

func (c *call) fail(class onebidv1.ErrorClass, words string, err error) *marketplace.Error {
	e := &marketplace.Error{Class: class, Operation: c.operation, Message: c.redact.clean(words)}
	if err != nil {
		e.Err = &cause{c.redact.clean(err.Error()), err}
	}
	return e
}

// open is the class of what is not documented: after a write anything may have happened.
func (c *call) open() onebidv1.ErrorClass {
	if c.intent == writing {
		return onebidv1.ErrorUnknownOutcome
	}
	return onebidv1.ErrorTransient
}

// unsent judges a request that could not be built: nothing left, and trying again cannot help.
func (c *call) unsent(err error) *marketplace.Error {
	return c.fail(onebidv1.ErrorInvalid, "the request could not be built", err)
}

// unanswered judges a request that got no answer.
func (c *call) unanswered(err error) *marketplace.Error {
	var failed *sendError
	if errors.As(err, &failed) && !failed.sent {
		return c.fail(onebidv1.ErrorTransient, "nothing was sent", err)
	}
	return c.fail(c.open(), "no answer came", err)
}

// unreadable judges an answer that reports success and cannot be read.
func (c *call) unreadable(r *reply, err error) *marketplace.Error {
	return c.fail(c.open(), fmt.Sprintf("HTTP %d that cannot be read", r.status), err)
}

// classify is the one place that says what a reply means; nil is success. Code in the body comes before the status.
func (c *call) classify(ctx context.Context, r *reply) *marketplace.Error {
	verdict := c.verdict(ctx, r)
	if verdict == nil {
		return nil
	}
	verdict.RetryAfter = retryAfter(r.header, c.driver.options.Now())
	return verdict
}

func (c *call) verdict(ctx context.Context, r *reply) *marketplace.Error {
	undocumented := r.status < 200 || r.status >= 500 || (r.status >= 300 && r.status < 400)
	switch {
	case c.intent == writing && undocumented:
		return c.refused(r, onebidv1.ErrorUnknownOutcome)
	case r.broken != nil:
		return c.unreadable(r, r.broken)
	}
	class, err := c.rule(ctx, r)
	switch {
	case err != nil:
		return c.unreadable(r, err)
	case class != "":
		return c.refused(r, class)
	case r.succeeded() && r.alien != nil:
		return c.unreadable(r, r.alien)
	case r.succeeded():
		return nil
	}
	return c.refused(r, c.byStatus(r.status))
}

func (c *call) refused(r *reply, class onebidv1.ErrorClass) *marketplace.Error {
	// A read has no outcome that could be unknown.
	if class == onebidv1.ErrorUnknownOutcome {
		class = c.open()
	}
	words := fmt.Sprintf("HTTP %d", r.status)
	if said := wordsOf(r.body); said != "" {
		words += ": " + said
	}
	if r.status >= 300 && r.status < 400 {
		words += ": redirects are not followed; set " + root + ".baseURL to where the API is"
	}
	return c.fail(class, words, nil)
}

// rule finds the first of the spec's rules that matches. A rule that asks for what the reply does not have does not.
func (c *call) rule(ctx context.Context, r *reply) (onebidv1.ErrorClass, error) {
	if len(c.driver.plan.errors) == 0 {
		return "", nil
	}
	vars := r.vars()
	vars["operation"] = c.operation
	for _, rule := range c.driver.plan.errors {
		value, err := rule.when.eval(ctx, vars)
		var cancelled interpreter.EvalCancelledError
		if errors.As(err, &cancelled) {
			return "", err
		}
		if err == nil && value == types.True {
			return rule.class, nil
		}
	}
	return "", nil
}

func (c *call) byStatus(status int) onebidv1.ErrorClass {
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
		switch c.operation {
		case opPlace:
			return onebidv1.ErrorAlreadyExists
		case opWithdraw:
			return onebidv1.ErrorNotWithdrawable
		}
	}
	return c.open()
}

// maxRetryAfter bounds what a marketplace can ask for.
const maxRetryAfter = 24 * time.Hour
