package bidding

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// authMax bounds the wait after refused credentials, so that a corrected Secret heals all Bids within a minute. The whole
// account is paused meanwhile, so not every Bid asks.
const authMax = time.Minute

// Backoff is the wait after the given number of failed attempts: exponential with full jitter between the policy's bounds, and
// never shorter than retryAfter, which the marketplace asked for. Jitter is in [0,1).
func Backoff(policy onebidv1.RetryPolicy, failures int32, retryAfter time.Duration, jitter float64) time.Duration {
	ceiling := time.Duration(policy.InitialSeconds) * time.Second
	limit := time.Duration(policy.MaxSeconds) * time.Second
	for i := int32(1); i < failures && ceiling < limit; i++ {
		ceiling *= 2
	}
	ceiling = min(ceiling, limit)
	// Full jitter spreads retries over the whole interval. A tenth is the floor: no hot loop on an unlucky draw.
	wait := time.Duration(float64(ceiling) * (0.1 + 0.9*jitter))
	// Bids that were all given the same time must not all come back at it.
	return max(wait, retryAfter+time.Duration(float64(retryAfter)*0.1*jitter))
}

// AttemptsSince is the number of failed attempts that Backoff would have spread over the time since then. It stands in where
// attempts are not counted.
func AttemptsSince(policy onebidv1.RetryPolicy, since *metav1.Time, now time.Time) int32 {
	if since == nil {
		return 1
	}
	attempts := int32(1)
	for past := now.Sub(since.Time) / 2; past >= time.Duration(policy.InitialSeconds)*time.Second && past > 0; past /= 2 {
		attempts++
	}
	return attempts
}

// RetryDelay is Backoff with bounds by class: after a used-up quota only retryAfter counts, which is always set; refused
// credentials are tried again within a minute.
func RetryDelay(
	policy onebidv1.RetryPolicy, class onebidv1.ErrorClass, failures int32, retryAfter time.Duration, jitter float64,
) time.Duration {
	switch class {
	case onebidv1.ErrorQuotaExhausted:
		return retryAfter + time.Duration(float64(retryAfter)*0.1*jitter)
	case onebidv1.ErrorAuth:
		policy.MaxSeconds = min(policy.MaxSeconds, int32(authMax/time.Second))
	default:
	}
	return Backoff(policy, failures, retryAfter, jitter)
}
