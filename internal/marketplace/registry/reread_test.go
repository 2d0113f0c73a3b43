package registry

import (
	"context"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/onebid-dev/onebid/internal/marketplace"
)

// lister only counts lists.
type lister struct {
	marketplace.Driver

	lists int
}

func (l *lister) List(context.Context) ([]marketplace.Bid, error) {
	l.lists++
	return nil, nil
}

// TestWhoComesLateReadsNothing is for the caller who found the list old just before somebody else had read it.
func TestWhoComesLateReadsNothing(t *testing.T) {
	driver := &lister{}
	o := newOutcomes(t.Context(), driver, time.Minute, clocktesting.NewFakeClock(time.Unix(0, 0)))
	o.read()
	o.read()
	if driver.lists != 1 {
		t.Errorf("the list was read %d times", driver.lists)
	}
}
