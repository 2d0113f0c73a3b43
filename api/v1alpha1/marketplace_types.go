package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MarketplaceMode says what may be sent.
// +kubebuilder:validation:Enum=Live;DryRun;Suspended
type MarketplaceMode string

const (
	// ModeLive places and withdraws.
	ModeLive MarketplaceMode = "Live"
	// ModeDryRun places nothing and says what it would have placed; withdrawals go on.
	ModeDryRun MarketplaceMode = "DryRun"
	// ModeSuspended places nothing; withdrawals go on.
	ModeSuspended MarketplaceMode = "Suspended"
)

// MarketplaceClass says what the marketplace does against double bids, and so what onebid can promise.
// +kubebuilder:validation:Enum=IdempotencyKey;UniquePerPosting;None
type MarketplaceClass string

const (
	// ClassIdempotencyKey honours a key that we send: never two live bids.
	ClassIdempotencyKey MarketplaceClass = "IdempotencyKey"
	// ClassUniquePerPosting itself refuses a second bid of one account on one posting: never two live bids.
	ClassUniquePerPosting MarketplaceClass = "UniquePerPosting"
	// ClassNone does neither: at most once; an unknown outcome that a look-up cannot settle waits for a person.
	ClassNone MarketplaceClass = "None"
)

// ApprovalPolicy says who lets a Bid be placed.
// +kubebuilder:validation:Enum=Automatic;Manual
type ApprovalPolicy string

const (
	// ApprovalAutomatic places what passes the guards.
	ApprovalAutomatic ApprovalPolicy = "Automatic"
	// ApprovalManual waits for spec.approval on each Bid.
	ApprovalManual ApprovalPolicy = "Manual"
)

// OrphanPolicy says what happens to a live bid of ours that no Bid accounts for.
// +kubebuilder:validation:Enum=Withdraw;Report
type OrphanPolicy string

const (
	// OrphansWithdraw takes it back and reports it.
	OrphansWithdraw OrphanPolicy = "Withdraw"
	// OrphansReport only reports it.
	OrphansReport OrphanPolicy = "Report"
)

// PreflightPolicy says when to look before placing.
// +kubebuilder:validation:Enum=WhenNeeded;Always
type PreflightPolicy string

const (
	// PreflightWhenNeeded looks up for class None and whenever anything hints at history.
	PreflightWhenNeeded PreflightPolicy = "WhenNeeded"
	// PreflightAlways looks up before every place.
	PreflightAlways PreflightPolicy = "Always"
)

// SecretReference names a Secret in the same namespace.
type SecretReference struct {
	// name of the Secret. Which keys it must have is the driver's matter.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="!format.dns1123Subdomain().validate(self).hasValue()",message="must be the name of a Secret in the same namespace: lower-case letters, digits, '-' and '.'"
	Name string `json:"name,omitempty"`
}

// MarketplaceSpec is one account at one marketplace.
//
// +kubebuilder:validation:ExactlyOneOf=http;freelancer
// +kubebuilder:validation:XValidation:rule="!has(self.freelancer) || self.class == 'UniquePerPosting'",fieldPath=".class",message="must be UniquePerPosting with freelancer: the site itself refuses a second bid on a project"
// +kubebuilder:validation:XValidation:rule="!has(self.freelancer) || has(self.credentialsSecretRef)",fieldPath=".credentialsSecretRef",message="must be given with freelancer: a Secret with the key token"
// +kubebuilder:validation:XValidation:rule="!has(self.freelancer) || !has(self.freelancer.environment) || self.freelancer.environment != 'Production' || (has(self.approval) && self.approval == 'Manual')",fieldPath=".approval",message="must be Manual with freelancer.environment Production: the terms of Freelancer.com prohibit unattended bidding"
type MarketplaceSpec struct {
	// mode is Live, DryRun (place nothing, say what would be placed) or Suspended
	// (place nothing); withdrawals go on in all of them. Defaults to Live.
	// +optional
	// +default="Live"
	Mode MarketplaceMode `json:"mode,omitempty"`

	// http reaches any marketplace with a JSON API, by description.
	// +optional
	HTTP *HTTPDriver `json:"http,omitempty"`

	// freelancer reaches Freelancer.com, its sandbox by default.
	// +optional
	Freelancer *FreelancerDriver `json:"freelancer,omitempty"`

	// credentialsSecretRef names the Secret with the account's credentials.
	// +optional
	CredentialsSecretRef *SecretReference `json:"credentialsSecretRef,omitempty"`

	// class says what the marketplace does against double bids: IdempotencyKey,
	// UniquePerPosting or None. When unsure, None is the safe choice.
	// +required
	Class MarketplaceClass `json:"class,omitempty"`

	// timeoutSeconds is the most that one call may take. Defaults to 10.
	// +optional
	// +default=10
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=300
	TimeoutSeconds int32 `json:"timeoutSeconds,omitempty"`

	// lateCommitSeconds is the longest time after our timeout at which the
	// marketplace may still carry a call out. Together with timeoutSeconds and
	// visibilitySeconds it decides how long an unknown outcome must settle.
	// Defaults to 5.
	// +optional
	// +default=5
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=3600
	LateCommitSeconds *int32 `json:"lateCommitSeconds,omitempty"`

	// visibilitySeconds is the longest time until the marketplace's own lists show
	// a new bid. Defaults to 5.
	// +optional
	// +default=5
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=3600
	VisibilitySeconds *int32 `json:"visibilitySeconds,omitempty"`

	// preflight is WhenNeeded or Always: whether to look for a bid of ours before
	// each place. Defaults to WhenNeeded.
	// +optional
	// +default="WhenNeeded"
	Preflight PreflightPolicy `json:"preflight,omitempty"`

	// rateLimit bounds all calls of this account. Without it only the
	// marketplace's own answers do.
	// +optional
	RateLimit *RateLimit `json:"rateLimit,omitempty"`

	// lock is the posting Lease's timing.
	// +optional
	// +default={}
	Lock MarketplaceLock `json:"lock,omitempty,omitzero"`

	// postingTTLSeconds is how long a posting's reading stays fresh. Defaults to
	// 86400, a day.
	// +optional
	// +default=86400
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=31536000
	PostingTTLSeconds int32 `json:"postingTTLSeconds,omitempty"`

	// rebidCooldownSeconds is how long after a bid ended no second one is placed
	// on its posting. Defaults to 300.
	// +optional
	// +default=300
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=31536000
	RebidCooldownSeconds *int32 `json:"rebidCooldownSeconds,omitempty"`

	// approval is Automatic, or Manual: each Bid then waits for its spec.approval.
	// Defaults to Automatic.
	// +optional
	// +default="Automatic"
	Approval ApprovalPolicy `json:"approval,omitempty"`

	// limits guard the money: how many bids, how large, and how much together.
	// +optional
	Limits *MarketplaceLimits `json:"limits,omitempty"`

	// retry spaces attempts that failed.
	// +optional
	// +default={}
	Retry RetryPolicy `json:"retry,omitempty,omitzero"`

	// auditIntervalSeconds is how often the account's bids are listed, to learn
	// outcomes and to find bids of ours that no Bid accounts for. Defaults to 600.
	// +optional
	// +default=600
	// +kubebuilder:validation:Minimum=5
	// +kubebuilder:validation:Maximum=86400
	AuditIntervalSeconds int32 `json:"auditIntervalSeconds,omitempty"`

	// orphans is Withdraw or Report: what happens to a live bid of ours that no
	// Bid accounts for. Defaults to Report.
	// +optional
	// +default="Report"
	Orphans OrphanPolicy `json:"orphans,omitempty"`
}

// MarketplaceStatus is what the controller knows.
type MarketplaceStatus struct {
	// conditions explain the Marketplace: Ready, Suspended, Reachable.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the metadata.generation that this status speaks of; -1
	// before the first visit.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// driver in use: http or freelancer.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Driver string `json:"driver,omitempty"`

	// activeBids is how many Bids are live; refreshed every few seconds at the
	// most.
	// +optional
	// +kubebuilder:validation:Minimum=0
	ActiveBids *int32 `json:"activeBids,omitempty"`

	// remainingBids is how many more bids maxActiveBids has room for; not given
	// without that limit. Bids whose outcome is unknown take room too.
	// +optional
	// +kubebuilder:validation:Minimum=0
	RemainingBids *int32 `json:"remainingBids,omitempty"`

	// remaining is how much more may be committed under maxCommitted, as "750 USD";
	// not given without that limit. Bids whose outcome is unknown count.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Remaining string `json:"remaining,omitempty"`

	// committed is the sum of the live bids' prices, one entry a currency, as "250
	// USD"; refreshed as activeBids is.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Committed string `json:"committed,omitempty"`

	// accountID is the account as the marketplace knows it, where the driver can
	// ask.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	AccountID string `json:"accountID,omitempty"`

	// rateLimit is what the marketplace lets the account do now, where it said so.
	// +optional
	RateLimit *RateLimitStatus `json:"rateLimit,omitempty"`

	// breaker says whether calls are made at all, or the marketplace left too many
	// without an answer.
	// +optional
	Breaker *BreakerStatus `json:"breaker,omitempty"`

	// heldSecret is the Secret that carries, or is about to carry, the finalizer
	// onebid.dev/in-use for the sake of this Marketplace's unsettled Bids.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	HeldSecret string `json:"heldSecret,omitempty"`

	// settleSeconds is how long an unknown outcome settles before it is looked up,
	// computed from the timings above and the manager's own.
	// +optional
	// +kubebuilder:validation:Minimum=0
	SettleSeconds *int32 `json:"settleSeconds,omitempty"`

	// lastHandledReconcileAt acknowledges the value of the annotation
	// onebid.dev/reconcile-requested-at.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	LastHandledReconcileAt string `json:"lastHandledReconcileAt,omitempty"`
}

// Marketplace is a connection to a site that takes bids, with one account.
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

	// spec is one account at one marketplace: how to reach it, what it promises,
	// and how much may be bid there.
	// +required
	Spec MarketplaceSpec `json:"spec,omitempty,omitzero"`

	// status is what the controller knows; nobody else may write it.
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
