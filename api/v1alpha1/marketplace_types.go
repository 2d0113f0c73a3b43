package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MarketplaceMode says which calls may be made.
// +kubebuilder:validation:Enum=Live;DryRun;Suspended
type MarketplaceMode string

const (
	// ModeLive places and withdraws.
	ModeLive MarketplaceMode = "Live"
	// ModeDryRun places nothing and shows the request that would place each bid; withdrawals continue.
	ModeDryRun MarketplaceMode = "DryRun"
	// ModeSuspended places nothing; withdrawals continue.
	ModeSuspended MarketplaceMode = "Suspended"
)

// MarketplaceClass says how the marketplace prevents duplicate bids. onebid's promise depends on it.
// +kubebuilder:validation:Enum=IdempotencyKey;UniquePerPosting;None
type MarketplaceClass string

const (
	// ClassIdempotencyKey: the marketplace honours an idempotency key. Never two open bids.
	ClassIdempotencyKey MarketplaceClass = "IdempotencyKey"
	// ClassUniquePerPosting: the marketplace refuses a second bid of an account on a posting. Never two open bids.
	ClassUniquePerPosting MarketplaceClass = "UniquePerPosting"
	// ClassNone: neither. At most one place call takes effect; when a lookup cannot resolve an unknown outcome, a person must.
	ClassNone MarketplaceClass = "None"
)

// ApprovalPolicy says whether a Bid needs a person's approval.
// +kubebuilder:validation:Enum=Automatic;Manual
type ApprovalPolicy string

const (
	// ApprovalAutomatic places every Bid that passes the guards.
	ApprovalAutomatic ApprovalPolicy = "Automatic"
	// ApprovalManual also waits for spec.approval of the Bid.
	ApprovalManual ApprovalPolicy = "Manual"
)

// OrphanPolicy says what happens to an orphan: an open bid of ours that no Bid accounts for.
// +kubebuilder:validation:Enum=Withdraw;Report
type OrphanPolicy string

const (
	// OrphansWithdraw withdraws and reports it.
	OrphansWithdraw OrphanPolicy = "Withdraw"
	// OrphansReport only reports it.
	OrphansReport OrphanPolicy = "Report"
)

// PreflightPolicy says when to look up our bids on the posting before placing.
// +kubebuilder:validation:Enum=WhenNeeded;Always
type PreflightPolicy string

const (
	// PreflightWhenNeeded looks up in class None, where the marketplace stores no keys, and when an earlier holder of the
	// posting's Lease may have made calls.
	PreflightWhenNeeded PreflightPolicy = "WhenNeeded"
	// PreflightAlways looks up before every place call.
	PreflightAlways PreflightPolicy = "Always"
)

// SecretReference names a Secret in the same namespace.
type SecretReference struct {
	// name of the Secret. The driver determines which keys it must have.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="!format.dns1123Subdomain().validate(self).hasValue()",message="must be the name of a Secret in the same namespace: lower-case letters, digits, '-' and '.'"
	Name string `json:"name,omitempty"`
}

// MarketplaceSpec is a connection to one account at one marketplace.
//
// +kubebuilder:validation:ExactlyOneOf=http;freelancer
// +kubebuilder:validation:XValidation:rule="!has(self.freelancer) || self.class == 'UniquePerPosting'",fieldPath=".class",message="must be UniquePerPosting with freelancer: the site itself refuses a second bid on a project"
// +kubebuilder:validation:XValidation:rule="!has(self.freelancer) || has(self.credentialsSecretRef)",fieldPath=".credentialsSecretRef",message="must be given with freelancer: a Secret with the key token"
// +kubebuilder:validation:XValidation:rule="!has(self.freelancer) || !has(self.freelancer.environment) || self.freelancer.environment != 'Production' || (has(self.approval) && self.approval == 'Manual')",fieldPath=".approval",message="must be Manual with freelancer.environment Production: the terms of Freelancer.com prohibit unattended bidding"
type MarketplaceSpec struct {
	// mode is Live, DryRun (place nothing, show what would be sent) or Suspended
	// (place nothing). Withdrawals continue in every mode. Defaults to Live.
	// +optional
	// +default="Live"
	Mode MarketplaceMode `json:"mode,omitempty"`

	// http is the driver for any marketplace with a JSON API, described by CEL
	// expressions.
	// +optional
	HTTP *HTTPDriver `json:"http,omitempty"`

	// freelancer is the driver for Freelancer.com; its sandbox by default.
	// +optional
	Freelancer *FreelancerDriver `json:"freelancer,omitempty"`

	// credentialsSecretRef names the Secret with the account's credentials, in the
	// same namespace.
	// +optional
	CredentialsSecretRef *SecretReference `json:"credentialsSecretRef,omitempty"`

	// class says how the marketplace prevents duplicate bids: IdempotencyKey,
	// UniquePerPosting or None, by its documentation. When unsure, choose None.
	// +required
	Class MarketplaceClass `json:"class,omitempty"`

	// timeoutSeconds is the timeout of one call. Defaults to 10.
	// +optional
	// +default=10
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=300
	TimeoutSeconds int32 `json:"timeoutSeconds,omitempty"`

	// lateCommitSeconds is the longest time after the timeout of a call at which
	// the marketplace may still carry it out, by its documentation. timeoutSeconds,
	// lateCommitSeconds and visibilitySeconds determine the settle time. Defaults
	// to 5.
	// +optional
	// +default=5
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=3600
	LateCommitSeconds *int32 `json:"lateCommitSeconds,omitempty"`

	// visibilitySeconds is the longest time until the marketplace's lists show a
	// new bid, by its documentation. Defaults to 5.
	// +optional
	// +default=5
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=3600
	VisibilitySeconds *int32 `json:"visibilitySeconds,omitempty"`

	// preflight says when to look up our bids on the posting before a place call:
	// WhenNeeded or Always. Defaults to WhenNeeded.
	// +optional
	// +default="WhenNeeded"
	Preflight PreflightPolicy `json:"preflight,omitempty"`

	// rateLimit bounds all calls of this account. Without it, only the limits that
	// the marketplace's replies report apply.
	// +optional
	RateLimit *RateLimit `json:"rateLimit,omitempty"`

	// lock is the timing of posting Leases.
	// +optional
	// +default={}
	Lock MarketplaceLock `json:"lock,omitempty,omitzero"`

	// postingTTLSeconds is how long a posting stays fresh after it was read.
	// Defaults to 86400, a day.
	// +optional
	// +default=86400
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=31536000
	PostingTTLSeconds int32 `json:"postingTTLSeconds,omitempty"`

	// rebidCooldownSeconds is how long after the end of a bid no other one is
	// placed on its posting. Defaults to 300.
	// +optional
	// +default=300
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=31536000
	RebidCooldownSeconds *int32 `json:"rebidCooldownSeconds,omitempty"`

	// approval is Automatic or Manual. With Manual, each Bid waits for its
	// spec.approval. Defaults to Automatic.
	// +optional
	// +default="Automatic"
	Approval ApprovalPolicy `json:"approval,omitempty"`

	// limits bound the number of open bids, the price of each, and their sum.
	// Unlimited by default.
	// +optional
	Limits *MarketplaceLimits `json:"limits,omitempty"`

	// retry is the backoff between failed attempts.
	// +optional
	// +default={}
	Retry RetryPolicy `json:"retry,omitempty,omitzero"`

	// auditIntervalSeconds is the time between two audits: each lists the account's
	// open bids, to learn outcomes and to find orphans. Defaults to 600.
	// +optional
	// +default=600
	// +kubebuilder:validation:Minimum=5
	// +kubebuilder:validation:Maximum=86400
	AuditIntervalSeconds int32 `json:"auditIntervalSeconds,omitempty"`

	// orphans says what happens to an open bid of ours that no Bid accounts for:
	// Withdraw or Report. Defaults to Report.
	// +optional
	// +default="Report"
	Orphans OrphanPolicy `json:"orphans,omitempty"`
}

// MarketplaceStatus is the observed state of a Marketplace.
type MarketplaceStatus struct {
	// conditions explain the Marketplace: Ready, Suspended, Reachable.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the metadata.generation that this status describes; -1
	// before the first reconcile.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// driver in use: http or freelancer.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Driver string `json:"driver,omitempty"`

	// activeBids is the number of open bids, by the Bids' statuses. It is updated
	// at most every few seconds.
	// +optional
	// +kubebuilder:validation:Minimum=0
	ActiveBids *int32 `json:"activeBids,omitempty"`

	// remainingBids is how many more bids maxActiveBids allows; absent without that
	// limit. Bids whose outcome is unknown count.
	// +optional
	// +kubebuilder:validation:Minimum=0
	RemainingBids *int32 `json:"remainingBids,omitempty"`

	// remaining is the sum that maxCommitted still allows, such as "750 USD"; absent
	// without that limit. Bids whose outcome is unknown count.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Remaining string `json:"remaining,omitempty"`

	// committed is the sum of the open bids' prices, by currency, such as "12.50
	// EUR, 250 USD". It is updated together with activeBids.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Committed string `json:"committed,omitempty"`

	// accountID is the marketplace's ID of the account; absent when the driver
	// cannot ask for it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	AccountID string `json:"accountID,omitempty"`

	// rateLimit is the account's rate limit as the marketplace's replies report it,
	// and the present pause; absent while there is neither.
	// +optional
	RateLimit *RateLimitStatus `json:"rateLimit,omitempty"`

	// breaker is the account's circuit breaker; absent until a replica has
	// connected to the account.
	// +optional
	Breaker *BreakerStatus `json:"breaker,omitempty"`

	// heldSecret is the name of the Secret that has, or is about to get, the
	// finalizer onebid.dev/in-use because Bids that have not ended need it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	HeldSecret string `json:"heldSecret,omitempty"`

	// settleSeconds is the settle time: how long the controller waits, after the
	// end of its own call or after taking over the posting's Lease, before it looks
	// up an unknown outcome. It is computed from the spec's and the manager's
	// timings.
	// +optional
	// +kubebuilder:validation:Minimum=0
	SettleSeconds *int32 `json:"settleSeconds,omitempty"`

	// lastHandledReconcileAt is the last handled value of the annotation
	// onebid.dev/reconcile-requested-at.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	LastHandledReconcileAt string `json:"lastHandledReconcileAt,omitempty"`
}

// Marketplace is a connection to one account at a site that takes bids.
//
// +genclient
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:metadata:annotations="onebid.dev/schema-version=1"
// +kubebuilder:resource:shortName=mkt,categories=onebid
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.spec.mode`
// +kubebuilder:printcolumn:name="Driver",type=string,JSONPath=`.status.driver`
// +kubebuilder:printcolumn:name="Active",type=integer,JSONPath=`.status.activeBids`
// +kubebuilder:printcolumn:name="Committed",type=string,JSONPath=`.status.committed`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Remaining-Bids",type=integer,priority=1,JSONPath=`.status.remainingBids`
// +kubebuilder:printcolumn:name="Remaining-Budget",type=string,priority=1,JSONPath=`.status.remaining`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 40",fieldPath=".spec",message="metadata.name must be a DNS label of at most 40 characters: it begins the name of every Bid"
type Marketplace struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object's metadata; name must be a DNS label of at
	// most 40 characters.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`

	// spec describes the connection: the driver, the class of the marketplace, and
	// the limits of bidding.
	// +required
	Spec MarketplaceSpec `json:"spec,omitempty,omitzero"`

	// status is the observed state. Only the controller may write it.
	// +optional
	// +default={"observedGeneration":-1,"conditions":[{"type":"Ready","status":"Unknown","reason":"Pending","message":"Waiting for the controller; if this stays, see whether the Deployment onebid-manager runs","lastTransitionTime":"1970-01-01T00:00:00Z"}]}
	Status MarketplaceStatus `json:"status,omitempty,omitzero"`
}

// MarketplaceList is a list of Marketplaces.
// +kubebuilder:object:root=true
type MarketplaceList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Marketplace `json:"items"`
}
