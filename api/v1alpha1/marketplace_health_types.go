package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// BreakerState is that of a circuit breaker.
// +kubebuilder:validation:Enum=Closed;Open;HalfOpen
type BreakerState string

const (
	// BreakerClosed lets every call through.
	BreakerClosed BreakerState = "Closed"
	// BreakerOpen lets none through until the next probe.
	BreakerOpen BreakerState = "Open"
	// BreakerHalfOpen waits for the answer to a probe.
	BreakerHalfOpen BreakerState = "HalfOpen"
)

// RateLimitStatus is what the marketplace lets the account do, as far as the replica that writes this status was told.
// +kubebuilder:validation:MinProperties=1
type RateLimitStatus struct {
	// limit is how many calls the marketplace allows in one of its windows, where
	// its replies tell.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Limit *int64 `json:"limit,omitempty"`

	// remaining is how many of them were left when this status was last written;
	// it is not written for the sake of this number.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Remaining *int64 `json:"remaining,omitempty"`

	// pausedUntil is when calls go on that are held back now, or of placing with
	// the reason QuotaExhausted; absent while none are.
	// +optional
	PausedUntil *metav1.Time `json:"pausedUntil,omitempty"`

	// reason of the pause: RateLimited or AuthenticationFailed, of all calls;
	// QuotaExhausted, of placing only: the account's bids are used up.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason,omitempty"`
}

// BreakerStatus is the circuit breaker of the replica that writes this status; each replica has its own, and learns from
// its own calls.
type BreakerStatus struct {
	// state is Closed (calls are made), Open (the marketplace left too many
	// unanswered, and none are made) or HalfOpen (one is made to see whether it is
	// back).
	// +required
	State BreakerState `json:"state,omitempty"`

	// since is when it opened, or closed again.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`

	// nextProbe is when a call tries again whether the marketplace is back;
	// withdrawals may try sooner. Absent while Closed.
	// +optional
	NextProbe *metav1.Time `json:"nextProbe,omitempty"`

	// failures in a row; absent while Closed.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Failures int32 `json:"failures,omitempty"`
}
