package account

import (
	"time"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

const (
	// quotaPause is after how long one bid probes whether the account has bids left, where the marketplace does not say: such
	// quotas are refilled by the hour, the day or the month.
	quotaPause = 30 * time.Minute
	// quotaProbe is how long the other bids wait for the result of that one.
	quotaProbe = 30 * time.Second
)

// SpendQuota denies placing until then, because the account's bids are used up. Reads and withdrawals go on.
func (l *Limiter) SpendQuota(until time.Time) {
	l.mu.Lock()
	longer := until.After(l.quotaUntil)
	if longer {
		if l.quotaUntil.IsZero() {
			l.pauses[onebidv1.ReasonQuotaExhausted]++
		}
		l.quotaUntil, l.quotaProbing = until, false
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
	l.quotaUntil, l.quotaProbing = time.Time{}, false
	l.mu.Unlock()
	if spent {
		l.changed()
	}
}

// AdmitQuota is asked before each place. Once the account's bids were used up it admits one bid at a time, whose result
// counts for all.
func (l *Limiter) AdmitQuota() Denial {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	if l.quotaUntil.After(now) {
		return Denial{l.quotaUntil, onebidv1.ReasonQuotaExhausted}
	}
	if !l.quotaUntil.IsZero() {
		l.quotaUntil, l.quotaProbing = now.Add(quotaProbe), true
	}
	return Denial{}
}

// endQuotaProbe lets the next bid probe at once, because this one was refused for a reason of its own.
func (l *Limiter) endQuotaProbe() {
	l.mu.Lock()
	probing := l.quotaProbing
	if probing {
		l.quotaUntil, l.quotaProbing = l.clock.Now(), false
	}
	l.mu.Unlock()
	if probing {
		l.changed()
	}
}
