package v1alpha1

// RateLimit bounds the calls of one account, reads and writes together.
type RateLimit struct {
	// requestsPerSecond over all replicas.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	RequestsPerSecond int32 `json:"requestsPerSecond,omitempty"`

	// burst is how many calls may go out at once after a quiet time. Defaults to
	// 1.
	// +optional
	// +default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	Burst int32 `json:"burst,omitempty"`
}

// MarketplaceLock is the posting Lease's timing.
type MarketplaceLock struct {
	// ttlSeconds is the Lease's duration: how long a scanner that died keeps a
	// posting. Defaults to 300.
	// +optional
	// +default=300
	// +kubebuilder:validation:Minimum=5
	// +kubebuilder:validation:Maximum=86400
	TTLSeconds int32 `json:"ttlSeconds,omitempty"`

	// acquireTimeoutSeconds is how long to wait for a Lease that somebody else
	// holds. Defaults to 10.
	// +optional
	// +default=10
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=600
	AcquireTimeoutSeconds int32 `json:"acquireTimeoutSeconds,omitempty"`
}

// MarketplaceLimits guard the money. maxActiveBids and maxCommitted hold over all Bids of the Marketplace and all replicas
// of the controller, exactly: what is live, what may be, and what is under way count. A Bid that does not fit waits, and
// the oldest that fits goes first when there is room. A limit that is lowered withdraws nothing.
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:XValidation:rule="!has(self.maxPrice) || !has(self.maxCommitted) || self.maxPrice.currency == self.maxCommitted.currency",fieldPath=".maxCommitted",message="currency must be the one of maxPrice: an account has one currency"
type MarketplaceLimits struct {
	// maxActiveBids that may be live at once.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	MaxActiveBids int32 `json:"maxActiveBids,omitempty"`

	// maxPrice of one bid. Bids in another currency are not accepted.
	// +optional
	MaxPrice *Money `json:"maxPrice,omitempty"`

	// maxCommitted is the most that all live bids together may sum up to. Bids in
	// another currency are not accepted.
	// +optional
	MaxCommitted *Money `json:"maxCommitted,omitempty"`
}

// RetryPolicy spaces attempts that failed: exponential with full jitter, never before a Retry-After.
// +kubebuilder:validation:XValidation:rule="!has(self.initialSeconds) || !has(self.maxSeconds) || self.initialSeconds <= self.maxSeconds",fieldPath=".maxSeconds",message="must be at least initialSeconds"
type RetryPolicy struct {
	// initialSeconds bounds the first wait. Defaults to 1.
	// +optional
	// +default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3600
	InitialSeconds int32 `json:"initialSeconds,omitempty"`

	// maxSeconds bounds every wait. Defaults to 600.
	// +optional
	// +default=600
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=86400
	MaxSeconds int32 `json:"maxSeconds,omitempty"`

	// manualReviewAfter this many failed attempts a person is called; attempts go
	// on at maxSeconds. Defaults to 10.
	// +optional
	// +default=10
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	ManualReviewAfter int32 `json:"manualReviewAfter,omitempty"`
}
