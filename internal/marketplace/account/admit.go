package account

import (
	"context"
	"time"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

const (
	// admitWithin is how long a worker waits for a request slot.
	admitWithin = time.Second
	// maxQueueWait is after how long at most a denied caller asks again: those before it may have gone.
	maxQueueWait = 30 * time.Second
)

// Denial says why no call is made now and until when at least; the zero value permits the call.
type Denial struct {
	// Until is on the process's clock.
	Until time.Time
	// Reason of a condition: CircuitOpen, AccountPaused, QuotaExhausted or RateLimited.
	Reason string
}

// Denied is true when the call is not permitted.
func (d Denial) Denied() bool { return !d.Until.IsZero() }

// Err is the denial as an error for which Unsent is true.
func (d Denial) Err(now time.Time) error {
	return unsent(max(d.Until.Sub(now), time.Second), "wait", nil)
}

// Denied says whether a read or a withdrawal of this priority is denied now. It makes no request.
func (a *Account) Denied(p Priority) Denial { return a.limiter.denied(p.Class) }

// AdmitWithdraw waits for a request slot for one Withdraw or Place, at most a second, and says why there is none otherwise.
func (a *Account) AdmitWithdraw(ctx context.Context, p Priority) Denial {
	if d := a.Denied(p); d.Denied() {
		return d
	}
	return a.waitForSlot(ctx, p)
}

// AdmitPlace is AdmitWithdraw for a bid that is to be placed: the account must have bids left too, and the marketplace must
// answer. While it does not, a lookup on the posting probes it: a lookup without an answer does no harm, and a place does.
func (a *Account) AdmitPlace(ctx context.Context, p Priority, postingID string) Denial {
	if d := a.limiter.AdmitQuota(); d.Denied() {
		return d
	}
	if d := a.Denied(p); d.Denied() {
		return d
	}
	if !a.limiter.Answering() {
		_, _ = a.call(ctx, request{operation: marketplace.OpLookup, priority: p, postingID: postingID}) // the breaker has its result
		if !a.limiter.Answering() {
			if d := a.limiter.denied(PriorityPlace); d.Denied() {
				return d
			}
			return Denial{Until: a.clock.Now().Add(time.Second), Reason: onebidv1.ReasonCircuitOpen} // another call is the next probe
		}
	}
	return a.waitForSlot(ctx, p)
}

func (a *Account) waitForSlot(ctx context.Context, p Priority) Denial {
	ctx, cancel := context.WithTimeout(ctx, admitWithin)
	defer cancel()
	if err := a.limiter.Wait(ctx, p); err != nil {
		wait := max(min(marketplace.RetryAfter(err), maxQueueWait), time.Second)
		return Denial{Until: a.clock.Now().Add(wait), Reason: onebidv1.ReasonRateLimited}
	}
	return Denial{}
}
