package marketplace

import (
	"math"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace/account"
)

const (
	// healthInterval is how often the status follows pauses and the circuit breaker at the most, however often they change.
	healthInterval = 5 * time.Second
	// shortPause is not worth a write.
	shortPause = time.Second
)

// describeHealth sets what this process knows of the account. What it has not learned since it started stays.
func describeHealth(marketplace *onebidv1.Marketplace, health account.Health, known bool, now time.Time) {
	status := &marketplace.Status
	status.RateLimit = rateLimitOf(health, status.RateLimit, now)
	if known {
		status.Breaker = breakerOf(health, status.Breaker)
	}
	condition := reachable(status.Conditions, health, now)
	condition.ObservedGeneration = marketplace.Generation
	meta.SetStatusCondition(&status.Conditions, condition)
}

func pausedNow(health account.Health, now time.Time) bool {
	return health.PausedUntil.Sub(now) > shortPause
}

func quotaSpent(health account.Health, now time.Time) bool {
	return health.QuotaUntil.Sub(now) > shortPause
}

func rateLimitOf(health account.Health, was *onebidv1.RateLimitStatus, now time.Time) *onebidv1.RateLimitStatus {
	out := &onebidv1.RateLimitStatus{}
	switch {
	case health.Reported != nil:
		out.Remaining = &health.Reported.Remaining
		if limit := health.Reported.Limit; limit > 0 {
			out.Limit = &limit
		}
	case was != nil:
		out.Limit, out.Remaining = was.Limit, was.Remaining
	}
	if pausedNow(health, now) {
		out.PausedUntil = seconds(health.PausedUntil.Add(time.Second - 1))
		out.Reason = health.PauseReason
	} else if quotaSpent(health, now) {
		out.PausedUntil = seconds(health.QuotaUntil.Add(time.Second - 1))
		out.Reason = onebidv1.ReasonQuotaExhausted
	}
	if *out == (onebidv1.RateLimitStatus{}) {
		return nil
	}
	return out
}

func breakerOf(health account.Health, was *onebidv1.BreakerStatus) *onebidv1.BreakerStatus {
	out := &onebidv1.BreakerStatus{State: health.Breaker}
	switch {
	case health.Breaker != onebidv1.BreakerClosed:
		out.NextProbe, out.Failures = seconds(health.NextProbe), int32(min(max(health.Failures, 1), math.MaxInt32))
	case health.Since.IsZero() && was != nil && was.State == onebidv1.BreakerClosed:
		return was
	}
	if !health.Since.IsZero() {
		out.Since = seconds(health.Since)
	}
	return out
}

// seconds is a time as the API has it.
func seconds(t time.Time) *metav1.Time {
	at := metav1.NewTime(t.Truncate(time.Second))
	return &at
}

// reachable says whether calls are made. Until this process has had a reply the condition of the process before stands.
func reachable(before []metav1.Condition, health account.Health, now time.Time) metav1.Condition {
	condition := metav1.Condition{Type: onebidv1.ConditionReachable, Status: metav1.ConditionFalse}
	was := meta.FindStatusCondition(before, onebidv1.ConditionReachable)
	switch {
	case !health.NextProbe.IsZero():
		condition.Reason = onebidv1.ReasonCircuitOpen
		condition.Message = "Too many calls in a row got no reply. Bids wait, withdrawals are tried from time to time; " +
			"status.breaker.nextProbe says when the next call is made. If this lasts, check whether the marketplace is up, and " +
			"whether spec.timeoutSeconds is enough"
	case pausedNow(health, now):
		condition.Reason = health.PauseReason
		condition.Message = "No calls are made until status.rateLimit.pausedUntil, as the marketplace's replies ask for"
	case quotaSpent(health, now):
		condition.Status, condition.Reason = metav1.ConditionTrue, onebidv1.ReasonAnswering
		condition.Message = "The marketplace answers, but the account's quota of bids is used up: one bid tries again at " +
			"status.rateLimit.pausedUntil and the others wait; withdrawals go on"
	case health.Answered:
		condition.Status, condition.Reason = metav1.ConditionTrue, onebidv1.ReasonAnswering
		condition.Message = "The marketplace answers"
	case was != nil && was.Status == metav1.ConditionTrue:
		return *was
	default:
		condition.Status, condition.Reason = metav1.ConditionUnknown, onebidv1.ReasonNotProbed
		condition.Message = "No call has had a reply yet"
	}
	return condition
}

// worthWriting is true when more changed than the number of calls that are left, which changes with every call.
func worthWriting(before, after *onebidv1.MarketplaceStatus) bool {
	a, b := before.DeepCopy(), after.DeepCopy()
	for _, status := range []*onebidv1.MarketplaceStatus{a, b} {
		if status.RateLimit != nil {
			status.RateLimit.Remaining = nil
		}
	}
	return !equality.Semantic.DeepEqual(a, b)
}

// healthWait is how long until the status changes by itself, or the circuit breaker may be probed; 0 for neither.
func healthWait(health account.Health, deleting bool, now time.Time) time.Duration {
	var wait time.Duration
	if pausedNow(health, now) {
		wait = health.PausedUntil.Sub(now)
	} else if quotaSpent(health, now) {
		wait = health.QuotaUntil.Sub(now)
	}
	if at := health.NextProbe; !at.IsZero() && !deleting {
		wait = earliest(wait, max(at.Sub(now), healthInterval))
	}
	return wait
}

// earliest of two waits, of which 0 is none.
func earliest(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}
