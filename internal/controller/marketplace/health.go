package marketplace

import (
	"context"
	"math"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/controller/wake"
	"github.com/onebid-dev/onebid/internal/marketplace/account"
)

const (
	// healthInterval is how often the status follows pauses and the circuit breaker at the most: a marketplace that comes and
	// goes is not worth a write each time.
	healthInterval = 5 * time.Second
	// shortPause is what is over before anybody has read of it.
	shortPause = time.Second
)

// healthChanges brings a Marketplace when this process gets on with its account differently, but not all the time.
func (r *Reconciler) healthChanges() source.Source {
	return source.Func(func(ctx context.Context, q workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		keys := wake.NewKeys()
		r.Connections.SubscribeHealth(keys.Report)
		go keys.Run(ctx, func(key types.NamespacedName) {
			q.AddAfter(reconcile.Request{NamespacedName: key}, r.tracker.healthDue(key))
		})
		return nil
	})
}

// healthDue is how long until the status may follow the health again.
func (t *tracker) healthDue(name types.NamespacedName) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.entries[name]
	if e == nil || e.healthAt.IsZero() {
		return 0
	}
	return max(e.healthAt.Add(healthInterval).Sub(t.clock.Now()), 0)
}

func (t *tracker) healthTold(name types.NamespacedName) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.entries[name]; e != nil {
		e.healthAt = t.clock.Now()
	}
}

// describeHealth sets what this process knows of the account. What it has not learned since it began stays as it was.
func (r *Reconciler) describeHealth(v *visit) metav1.Condition {
	status := &v.marketplace.Status
	health, known := r.Connections.Health(v.name())
	now := r.Clock.Now()
	status.RateLimit = rateLimitOf(health, status.RateLimit, now)
	if known {
		status.Breaker = breakerOf(health, status.Breaker)
	}
	return reachable(status.Conditions, health, now)
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

// reachable says whether calls are made. Before the first answer to this process the verdict of the one before stands.
func reachable(before []metav1.Condition, health account.Health, now time.Time) metav1.Condition {
	condition := metav1.Condition{Type: onebidv1.ConditionReachable, Status: metav1.ConditionFalse}
	was := meta.FindStatusCondition(before, onebidv1.ConditionReachable)
	switch {
	case !health.NextProbe.IsZero():
		condition.Reason = onebidv1.ReasonCircuitOpen
		condition.Message = "The marketplace left too many calls in a row without an answer. Bids wait, withdrawals are tried from " +
			"time to time; status.breaker.nextProbe says when it is tried next. If this lasts, see whether it is up, and whether " +
			"spec.timeoutSeconds is enough"
	case pausedNow(health, now):
		condition.Reason = health.PauseReason
		condition.Message = "Calls are held back until status.rateLimit.pausedUntil, as the marketplace's answers ask for"
	case quotaSpent(health, now):
		condition.Status, condition.Reason = metav1.ConditionTrue, onebidv1.ReasonAnswering
		condition.Message = "The marketplace answers, and says that the account's bids are used up: bids wait, and one tries " +
			"again at status.rateLimit.pausedUntil; withdrawals go on"
	case health.Answered:
		condition.Status, condition.Reason = metav1.ConditionTrue, onebidv1.ReasonAnswering
		condition.Message = "The marketplace answers"
	case was != nil && was.Status == metav1.ConditionTrue:
		return *was
	default:
		condition.Status, condition.Reason = metav1.ConditionUnknown, onebidv1.ReasonNotProbed
		condition.Message = "No call was answered yet"
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

// healthBack is how long until the status would say otherwise by itself, or the marketplace may be tried again; 0 when
// there is nothing to wait for.
func (r *Reconciler) healthBack(v *visit, now time.Time) time.Duration {
	health, _ := r.Connections.Health(v.name())
	var wait time.Duration
	if pausedNow(health, now) {
		wait = health.PausedUntil.Sub(now)
	} else if quotaSpent(health, now) {
		wait = health.QuotaUntil.Sub(now)
	}
	if at := health.NextProbe; !at.IsZero() && !v.deleting() {
		probe := max(at.Sub(now), healthInterval)
		if wait == 0 || probe < wait {
			wait = probe
		}
	}
	return wait
}
