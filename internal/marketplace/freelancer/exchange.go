package freelancer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
)

// The parts of the API, below the site.
const (
	pathSelf     = "/api/users/0.1/self/"
	pathBids     = "/api/projects/0.1/bids/"
	pathProjects = "/api/projects/0.1/projects/"
)

// identity is the header that proves who we are.
const identity = "Freelancer-OAuth-V1"

// operation is one call of the contract, which may take several requests.
type operation struct {
	driver   *Driver
	name     string
	pace     marketplace.Pacer
	proposal string
	begun    bool
}

func (d *Driver) operation(name string, pace marketplace.Pacer) *operation {
	return &operation{driver: d, name: name, pace: pace}
}

// call returns what classifies the reply to a request.
func (o *operation) call(i wire.Intent, m *wire.Message) *wire.Call {
	return &wire.Call{
		Operation: o.name, Intent: i, Now: o.driver.options.Now, Pace: o.pace, Moved: "the API is not at this address",
		Redact: wire.NewRedactor(m, map[string]string{tokenKey: o.driver.token}, o.proposal),
	}
}

// invalid is an error before anything was sent.
func (o *operation) invalid(cause error, format string, args ...any) error {
	return o.call(wire.Reading, nil).Fail(onebidv1.ErrorInvalid, fmt.Sprintf(format, args...), cause)
}

// needsProject refuses a posting that no project can be.
func (o *operation) needsProject(postingID string) error {
	if number.MatchString(postingID) {
		return nil
	}
	return o.invalid(nil, "spec.postingID: %q must be the ID of a project, a number such as 39211345", postingID)
}

// needsBid refuses a reference to what can be no bid there.
func (o *operation) needsBid(ref marketplace.Ref) error {
	if number.MatchString(ref.BidID) {
		return nil
	}
	return o.invalid(nil, "the bid's ID %q must be a number", ref.BidID)
}

// message builds a request without a body.
func (d *Driver) message(method, path string, query url.Values) (*wire.Message, error) {
	u, err := url.Parse(d.site + path)
	if err != nil {
		return nil, err
	}
	u.RawQuery = query.Encode()
	m := &wire.Message{Method: method, URL: u, Header: d.options.Header()}
	m.Header.Set(identity, d.token)
	return m, nil
}

// read gets one answer and decodes its result. The error is a *marketplace.Error.
func (o *operation) read(ctx context.Context, path string, query url.Values, into any) (*wire.Call, *wire.Reply, error) {
	m, err := o.driver.message(http.MethodGet, path, query)
	c := o.call(wire.Reading, m)
	if err != nil {
		return nil, nil, c.Unsent(err)
	}
	r, err := o.exchange(ctx, c, m)
	if err != nil {
		return nil, nil, err
	}
	if err := result(r, into); err != nil {
		return nil, nil, c.Unreadable(r, err)
	}
	return c, r, nil
}

// write sends one request that changes something, once. With an error there may be a reply.
func (o *operation) write(ctx context.Context, method, path, contentType string, body []byte) (*wire.Call, *wire.Reply, error) {
	m, err := o.driver.message(method, path, nil)
	c := o.call(wire.Writing, m)
	if err != nil {
		err = c.Unsent(err)
		return c, nil, err
	}
	m.Header.Set("Content-Type", contentType)
	m.Body = body
	r, err := o.exchange(ctx, c, m)
	return c, r, err
}

// exchange sends one request and classifies the reply: without an error it is a success. With one there may be a reply.
func (o *operation) exchange(ctx context.Context, c *wire.Call, m *wire.Message) (*wire.Reply, error) {
	if o.begun {
		if err := o.pace.Next(ctx); err != nil {
			return nil, c.Unanswered(&wire.SendError{Err: err})
		}
	}
	o.begun = true
	r, err := o.driver.sender.Send(ctx, c, m)
	if err != nil {
		return nil, c.Unanswered(err)
	}
	if verdict := c.Classify(r, meaning(c)); verdict != nil {
		return r, verdict
	}
	return r, nil
}

// result decodes what a reply is about.
func result(r *wire.Reply, into any) error {
	var envelope struct {
		Result json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal(r.Raw, &envelope); err != nil {
		return errors.New("the reply is no object")
	}
	if len(envelope.Result) == 0 || string(envelope.Result) == "null" {
		return errors.New("the reply has no result")
	}
	if err := json.Unmarshal(envelope.Result, into); err != nil {
		return errors.New("the result has not the form that was expected") // the cause may quote it
	}
	return nil
}
