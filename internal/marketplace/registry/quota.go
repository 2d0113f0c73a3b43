package registry

import (
	"time"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

const (
	// quotaPause is after how long one bid tries again whether the account has bids left, where the marketplace does not
	// say: such quotas are refilled by the hour, the day or the month.
	quotaPause = 30 * time.Minute
	// leadFor is how long the others wait for what that one finds.
	leadFor = 30 * time.Second
)

// SpendQuota holds back all placing until then, because the account's bids are used up. Reads and withdrawals go on.
func (l *Limiter) SpendQuota(until time.Time) {
	l.mu.Lock()
	longer := until.After(l.quotaUntil)
	if longer {
		if l.quotaUntil.IsZero() {
			l.pauses[onebidv1.ReasonQuotaExhausted]++
		}
		l.quotaUntil, l.leading = until, false
	}
	l.mu.Unlock()
	if longer {
		l.changed()
	}
}

// refill ends SpendQuota: a bid was placed.
func (l *Limiter) refill() {
	l.mu.Lock()
	spent := !l.quotaUntil.IsZero()
	l.quotaUntil, l.leading = time.Time{}, false
	l.mu.Unlock()
	if spent {
		l.changed()
	}
}

// Placing is asked before a bid is placed. It says until when nothing is, at least; the zero value is that this one may be.
// Once the account's bids were used up that is one at a time: what that one finds counts for all.
func (l *Limiter) Placing() Block {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	if l.quotaUntil.After(now) {
		return Block{l.quotaUntil, onebidv1.ReasonQuotaExhausted}
	}
	if !l.quotaUntil.IsZero() {
		l.quotaUntil, l.leading = now.Add(leadFor), true
	}
	return Block{}
}

// nextLeads ends the lead of a bid that was refused for a reason of its own, so that the next one tries at once.
func (l *Limiter) nextLeads() {
	l.mu.Lock()
	led := l.leading
	if led {
		l.quotaUntil, l.leading = l.clock.Now(), false
	}
	l.mu.Unlock()
	if led {
		l.changed()
	}
}
