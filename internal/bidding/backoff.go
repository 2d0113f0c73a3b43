package bidding

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// authMax bounds the wait after refused credentials, so that a mended Secret heals everything within a minute. The
// account as a whole is paused meanwhile, so that not every Bid asks.
const authMax = time.Minute

// Backoff is how long to wait after the given number of failed attempts: exponential with full jitter between the
// policy's bounds, and never shorter than what the marketplace asked for. Jitter is in [0,1).
func Backoff(policy onebidv1.RetryPolicy, failures int32, retryAfter time.Duration, jitter float64) time.Duration {
	ceiling := time.Duration(policy.InitialSeconds) * time.Second
	limit := time.Duration(policy.MaxSeconds) * time.Second
	for i := int32(1); i < failures && ceiling < limit; i++ {
		ceiling *= 2
	}
	ceiling = min(ceiling, limit)
	// Full jitter spreads retries over the whole interval. A tenth is the floor: no hot loop on an unlucky draw.
	wait := time.Duration(float64(ceiling) * (0.1 + 0.9*jitter))
	// Those who were all told the same time must not all come back at it.
	return max(wait, retryAfter+time.Duration(float64(retryAfter)*0.1*jitter))
}

// Tries is the number of failed attempts that Backoff would have spread over the time since then, for what is not counted.
func Tries(policy onebidv1.RetryPolicy, since *metav1.Time, now time.Time) int32 {
	if since == nil {
		return 1
	}
	tries := int32(1)
	for past := now.Sub(since.Time) / 2; past >= time.Duration(policy.InitialSeconds)*time.Second && past > 0; past /= 2 {
		tries++
	}
	return tries
}

// RetryDelay is Backoff with the classes' own bounds: after a used-up quota only retryAfter counts, which is always set; refused credentials are tried
// again within a minute, and from manualReviewAfter on the longest interval applies.
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
