package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// BreakerState is the state of a circuit breaker.
// +kubebuilder:validation:Enum=Closed;Open;HalfOpen
type BreakerState string

const (
	// BreakerClosed admits every call.
	BreakerClosed BreakerState = "Closed"
	// BreakerOpen admits no call until the next probe.
	BreakerOpen BreakerState = "Open"
	// BreakerHalfOpen waits for the reply to a probe.
	BreakerHalfOpen BreakerState = "HalfOpen"
)

// RateLimitStatus is the account's rate limit, as replies to the replica that writes this status reported it.
// +kubebuilder:validation:MinProperties=1
type RateLimitStatus struct {
	// limit is how many calls the marketplace allows per window of its own, as its
	// replies report it; absent when they do not.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Limit *int64 `json:"limit,omitempty"`

	// remaining is how many of those calls were left when this status was last
	// written. A change of this number alone causes no write.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Remaining *int64 `json:"remaining,omitempty"`

	// pausedUntil is when the pause of calls ends; with the reason QuotaExhausted,
	// the pause of placing. Absent while there is no pause.
	// +optional
	PausedUntil *metav1.Time `json:"pausedUntil,omitempty"`

	// reason of the pause. RateLimited and AuthenticationFailed pause all calls;
	// QuotaExhausted (the account has no bids left) pauses placing only.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason,omitempty"`
}

// BreakerStatus is the circuit breaker of the replica that writes this status. Each replica has its own, fed by its own calls.
type BreakerStatus struct {
	// state is Closed (calls are made), Open (too many calls in a row had no
	// answer, and none are made) or HalfOpen (one call probes the marketplace).
	// +required
	State BreakerState `json:"state,omitempty"`

	// since is when the breaker opened, or closed again.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`

	// nextProbe is when one call probes the marketplace again. A withdrawal may
	// probe earlier. Absent while Closed.
	// +optional
	NextProbe *metav1.Time `json:"nextProbe,omitempty"`

	// failures is the number of calls in a row without an answer; absent while
	// Closed.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Failures int32 `json:"failures,omitempty"`
}
