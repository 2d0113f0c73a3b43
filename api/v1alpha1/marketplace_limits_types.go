package v1alpha1

// RateLimit bounds all calls of one account, reads and writes together.
type RateLimit struct {
	// requestsPerSecond is the rate over all replicas.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	RequestsPerSecond int32 `json:"requestsPerSecond,omitempty"`

	// burst is how many calls may start at once after an idle time. Defaults to 1.
	// +optional
	// +default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	Burst int32 `json:"burst,omitempty"`
}

// MarketplaceLock is the timing of posting Leases.
type MarketplaceLock struct {
	// ttlSeconds is the Lease's duration: how long the Lease of a scanner that died
	// blocks a posting. Defaults to 300.
	// +optional
	// +default=300
	// +kubebuilder:validation:Minimum=5
	// +kubebuilder:validation:Maximum=86400
	TTLSeconds int32 `json:"ttlSeconds,omitempty"`

	// acquireTimeoutSeconds is how long a scanner waits for a Lease that another
	// process holds. Defaults to 10.
	// +optional
	// +default=10
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=600
	AcquireTimeoutSeconds int32 `json:"acquireTimeoutSeconds,omitempty"`
}

// MarketplaceLimits bound the number and the prices of bids. maxActiveBids and maxCommitted hold exactly, over all Bids of
// the Marketplace and all replicas. Open bids count, and so do bids that may be open and bids that are being placed. A Bid
// that exceeds a limit waits; when capacity is released, the oldest Bid that fits is placed first. Lowering a limit
// withdraws nothing.
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:XValidation:rule="!has(self.maxPrice) || !has(self.maxCommitted) || self.maxPrice.currency == self.maxCommitted.currency",fieldPath=".maxCommitted",message="currency must be the one of maxPrice: an account has one currency"
type MarketplaceLimits struct {
	// maxActiveBids is the number of bids that may be open at once. Unlimited by
	// default.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	MaxActiveBids int32 `json:"maxActiveBids,omitempty"`

	// maxPrice of one bid. Bids in another currency are not accepted. Unlimited by
	// default.
	// +optional
	MaxPrice *Money `json:"maxPrice,omitempty"`

	// maxCommitted is the maximal sum of the prices of all open bids. Bids in
	// another currency are not accepted. Unlimited by default.
	// +optional
	MaxCommitted *Money `json:"maxCommitted,omitempty"`
}

// RetryPolicy is the backoff between failed attempts: exponential with full jitter, and never before a Retry-After.
// +kubebuilder:validation:XValidation:rule="!has(self.initialSeconds) || !has(self.maxSeconds) || self.initialSeconds <= self.maxSeconds",fieldPath=".maxSeconds",message="must be at least initialSeconds"
type RetryPolicy struct {
	// initialSeconds is the upper bound of the first wait. Defaults to 1.
	// +optional
	// +default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3600
	InitialSeconds int32 `json:"initialSeconds,omitempty"`

	// maxSeconds is the upper bound of every wait. Defaults to 600.
	// +optional
	// +default=600
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=86400
	MaxSeconds int32 `json:"maxSeconds,omitempty"`

	// manualReviewAfter is the number of failed attempts after which Stalled asks a
	// person to look; attempts continue at maxSeconds. Defaults to 10.
	// +optional
	// +default=10
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	ManualReviewAfter int32 `json:"manualReviewAfter,omitempty"`
}
