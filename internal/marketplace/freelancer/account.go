package freelancer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
)

// Account implements marketplace.Driver.
func (d *Driver) Account(ctx context.Context, pace marketplace.Pacer) (string, error) {
	return d.operation(marketplace.OpAccount, pace).ask(ctx)
}

// account gives our ID, asking for it the first time.
func (o *operation) account(ctx context.Context) (string, error) {
	if self := o.driver.known(); self != "" {
		return self, nil
	}
	return o.ask(ctx)
}

// known is our ID, "" before it was asked for.
func (d *Driver) known() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.self
}

// ask asks for our ID, which proves the token.
func (o *operation) ask(ctx context.Context) (string, error) {
	var me struct {
		ID json.Number `json:"id"`
	}
	c, r, err := o.read(ctx, pathSelf, nil, &me)
	if marketplace.ClassOf(err) == onebidv1.ErrorNotFound { // callers would take it for a bid that is not found
		return "", o.call(wire.Reading, nil).Fail(onebidv1.ErrorTransient, "the account cannot be read", err)
	}
	if err != nil {
		return "", err
	}
	self := me.ID.String()
	if !number.MatchString(self) {
		return "", c.Unreadable(r, errors.New("the account lacks its id"))
	}
	o.driver.mu.Lock()
	defer o.driver.mu.Unlock()
	if before := o.driver.self; before != "" && before != self {
		return "", c.Fail(onebidv1.ErrorAuth, fmt.Sprintf("the account was %s and is %s now", before, self), nil)
	}
	o.driver.self = self
	return self, nil
}
