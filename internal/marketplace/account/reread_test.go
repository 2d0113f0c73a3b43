package account

import (
	"context"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

// lister only counts lists.
type lister struct {
	marketplace.Driver

	lists int
}

func (l *lister) List(context.Context, marketplace.Pacer) ([]marketplace.Bid, error) {
	l.lists++
	return []marketplace.Bid{{ID: "1"}}, nil
}

// A caller may find the list old just before another one has read it.
func TestAListThatWasJustReadIsNotReadAgain(t *testing.T) {
	driver := &lister{}
	a := NewRegistry(Options{Clock: clocktesting.NewFakeClock(time.Unix(1, 0))}).Open(&onebidv1.Marketplace{}, driver, 0)
	l := newListed(t.Context(), a)
	l.read()
	l.read()
	if driver.lists != 1 {
		t.Errorf("the list was read %d times", driver.lists)
	}
}
