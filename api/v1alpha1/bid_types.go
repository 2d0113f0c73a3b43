package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Money is an exact amount of one currency.
type Money struct {
	// amount in major units, as a decimal string: "250" or "12.50". Greater than
	// zero, at most 12 digits before and 4 after the point. It is sent exactly as
	// written here.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=17
	// +kubebuilder:validation:XValidation:rule="self.matches(r'^(0|[1-9][0-9]{0,11})([.][0-9]{1,4})?$')",message="must be a decimal string such as \"250\" or \"12.50\": no sign, no exponent, no leading zero, at most 4 decimals"
	// +kubebuilder:validation:XValidation:rule="!isQuantity(self) || quantity(self).isGreaterThan(quantity('0'))",message="must be greater than 0"
	Amount string `json:"amount,omitempty"`

	// currency is the ISO 4217 code, such as "USD".
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=3
	// +kubebuilder:validation:XValidation:rule="self.matches(r'^[A-Z]{3}$')",message="must be an ISO 4217 code of three capital letters, such as \"USD\""
	Currency string `json:"currency,omitempty"`
}

// ApprovalDecision is what an approver decided.
// +kubebuilder:validation:Enum=Approved;Refused
type ApprovalDecision string

const (
	// ApprovalApproved lets the Bid be placed.
	ApprovalApproved ApprovalDecision = "Approved"
	// ApprovalRefused ends the Bid as Rejected.
	ApprovalRefused ApprovalDecision = "Refused"
)

// BidApproval is a person's decision on one Bid. The spec is immutable, so the decision covers its price and proposal.
type BidApproval struct {
	// bidUID is metadata.uid of the Bid that the decision is about. A Bid
	// re-created under the same name needs a new decision.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	BidUID string `json:"bidUID,omitempty"`

	// decision is Approved or Refused.
	// +required
	Decision ApprovalDecision `json:"decision,omitempty"`

	// reason for the decision. Conditions and the Posting's history show it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`

	// by is the name of the user who decided. The API server writes it; leave it
	// out.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	By string `json:"by,omitempty"`
}

// BidWithdraw requests a withdrawal; the Bid object stays.
type BidWithdraw struct {
	// reason for the withdrawal. It is copied to status.withdrawnReason, and sent
	// to the marketplace if its API takes a reason.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`
}

// BidSpec is what to bid. Only approval and withdraw can change after creation. To change anything else, delete the Bid, wait
// for the cooldown and create it again.
//
// +kubebuilder:validation:XValidation:rule="has(self.deliveryDays) == has(oldSelf.deliveryDays)",fieldPath=".deliveryDays",reason=FieldValueForbidden,message="must not be added or removed: a Bid's spec cannot change; delete the Bid and create it again"
// +kubebuilder:validation:XValidation:rule="has(self.proposal) == has(oldSelf.proposal)",fieldPath=".proposal",reason=FieldValueForbidden,message="must not be added or removed: a Bid's spec cannot change; delete the Bid and create it again"
// +kubebuilder:validation:XValidation:rule="has(self.postingCachedAt) == has(oldSelf.postingCachedAt)",fieldPath=".postingCachedAt",reason=FieldValueForbidden,message="must not be added or removed: a Bid's spec cannot change; delete the Bid and create it again"
// +kubebuilder:validation:XValidation:rule="has(self.attributes) == has(oldSelf.attributes)",fieldPath=".attributes",reason=FieldValueForbidden,message="must not be added or removed: a Bid's spec cannot change; delete the Bid and create it again"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.withdraw) || has(self.withdraw)",fieldPath=".withdraw",reason=FieldValueForbidden,message="must stay: a withdrawal cannot be taken back; delete the Bid and create it again to place another bid"
type BidSpec struct {
	// marketplace is the name of a Marketplace in the same namespace: a DNS label
	// of at most 40 characters.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be a DNS label: lower-case letters, digits and inner hyphens"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",reason=FieldValueForbidden,messageExpression="'must stay ' + oldSelf + ': it is part of the name'"
	Marketplace string `json:"marketplace,omitempty"`

	// postingID is the marketplace's ID of the posting, in the marketplace's
	// spelling: 1 to 100 bytes of UTF-8 without control characters. Quote it in
	// YAML: an unquoted 39211345 is a number.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=100
	// +kubebuilder:validation:XValidation:rule="size(bytes(self)) <= 100",message="must be at most 100 bytes of UTF-8"
	// +kubebuilder:validation:XValidation:rule="self.matches(r'^\\P{Cc}*$')",message="must not contain control characters"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",reason=FieldValueForbidden,message="must not change: it is part of the name"
	PostingID string `json:"postingID,omitempty"`

	// price of the bid, in the currency of the posting.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",reason=FieldValueForbidden,messageExpression="'must stay ' + oldSelf.amount + ' ' + oldSelf.currency + ': a Bid cannot change; delete it, wait for the cooldown and create it again'"
	Price Money `json:"price,omitempty,omitzero"`

	// deliveryDays is the offered delivery time, in days.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3650
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",reason=FieldValueForbidden,message="must not change: a Bid's spec cannot change; delete the Bid and create it again"
	DeliveryDays int32 `json:"deliveryDays,omitempty"`

	// proposal is the text that the marketplace shows to the client: at most
	// 16,384 characters.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16384
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",reason=FieldValueForbidden,message="must not change: a Bid's spec cannot change; delete the Bid and create it again"
	Proposal string `json:"proposal,omitempty"`

	// postingCachedAt is when the scanner read the posting. The newer of this and
	// the Posting's cachedAt counts; without either, the creation of the Posting,
	// and without a Posting that of the Bid. The Bid ends as Expired when its
	// bid is not placed within the posting's TTL after that.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",reason=FieldValueForbidden,message="must not change: a Bid's spec cannot change; delete the Bid and create it again"
	PostingCachedAt *metav1.Time `json:"postingCachedAt,omitempty"`

	// attributes are marketplace-specific values, passed unchanged to the driver:
	// at most 32, of at most 1,024 characters each.
	// +optional
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",reason=FieldValueForbidden,message="must not change: a Bid's spec cannot change; delete the Bid and create it again"
	Attributes map[string]AttributeValue `json:"attributes,omitempty"`

	// approval is a person's decision, needed when the Marketplace's approval is
	// Manual. Setting it needs the verb "approve" on bids.
	// +optional
	Approval *BidApproval `json:"approval,omitempty"`

	// withdraw requests a withdrawal; the Bid object stays. It cannot be unset or
	// changed. Deleting the Bid withdraws as well.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",reason=FieldValueForbidden,message="must not change once set"
	Withdraw *BidWithdraw `json:"withdraw,omitempty"`
}

// AttributeValue is the value of one marketplace-specific attribute.
// +kubebuilder:validation:MaxLength=1024
type AttributeValue string

// BidState summarizes the conditions in one word, for people and field selectors. Programs must decide by the conditions.
// +kubebuilder:validation:Enum=Pending;Active;Indeterminate;Withdrawing;Withdrawn;Rejected;Duplicate;Expired;Won;Lost
type BidState string

const (
	// StatePending means not placed yet; the conditions Accepted and Placed say why.
	StatePending BidState = "Pending"
	// StateActive means open at the marketplace.
	StateActive BidState = "Active"
	// StateIndeterminate means that no lookup can tell whether a place call took effect; a person decides.
	StateIndeterminate BidState = "Indeterminate"
	// StateWithdrawing means that a withdrawal is wanted and not confirmed yet.
	StateWithdrawing BidState = "Withdrawing"
	// StateWithdrawn means that the marketplace shows no open bid of ours.
	StateWithdrawn BidState = "Withdrawn"
	// StateRejected means refused by an approver, by the marketplace permanently, or later by the posting's owner.
	StateRejected BidState = "Rejected"
	// StateDuplicate means that the account has another bid on the posting, which onebid leaves alone.
	StateDuplicate BidState = "Duplicate"
	// StateExpired means that the posting became stale or closed before the bid was placed, or that the bid lapsed.
	StateExpired BidState = "Expired"
	// StateWon means that the posting's owner chose this bid.
	StateWon BidState = "Won"
	// StateLost means that the posting's owner chose another bid.
	StateLost BidState = "Lost"
)

// RemoteBid is the bid at the marketplace.
type RemoteBid struct {
	// bidID is the marketplace's ID of the bid. Withdrawals use it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	BidID string `json:"bidID,omitempty"`

	// url of the bid's web page, if the marketplace reports one.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	URL string `json:"url,omitempty"`

	// placedAt is when the bid was placed, as the marketplace reports it; without
	// such a report, when the controller learned of the bid.
	// +optional
	PlacedAt *metav1.Time `json:"placedAt,omitempty"`

	// adopted is true when a lookup found the bid after an unknown outcome. It is
	// absent when the reply to the place call named the bid.
	// +optional
	Adopted *bool `json:"adopted,omitempty"`
}

// AttemptOperation is a call that is repeated when it fails.
// +kubebuilder:validation:Enum=Place;Withdraw
type AttemptOperation string

const (
	// OperationPlace places the bid.
	OperationPlace AttemptOperation = "Place"
	// OperationWithdraw withdraws it.
	OperationWithdraw AttemptOperation = "Withdraw"
)

// BidAttempts keeps the backoff of retries over restarts of the controller.
type BidAttempts struct {
	// operation that the other fields describe: Place or Withdraw.
	// +optional
	Operation AttemptOperation `json:"operation,omitempty"`

	// count of attempts of this operation whose outcome is recorded.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Count int32 `json:"count,omitempty"`

	// nextTime is the earliest time of the next attempt.
	// +optional
	NextTime *metav1.Time `json:"nextTime,omitempty"`

	// lastError is the error of the last attempt; absent after success.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	LastError string `json:"lastError,omitempty"`
}

// BidStatus is the observed state of a Bid.
type BidStatus struct {
	// conditions explain the Bid. Accepted, Placed and Ready are present after the
	// first reconcile; Duplicate, Withdrawn, Reconciling and Stalled only when they
	// apply.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the metadata.generation that this status describes; -1
	// before the first reconcile.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// state summarizes the conditions in one word, for people and field selectors.
	// +optional
	State BidState `json:"state,omitempty"`

	// atomicEventID is the idempotency key: the hex SHA-256 of namespace,
	// marketplace, postingID and the Bid's UID. It is the same for all attempts
	// and replicas, and new for a Bid that is deleted and created again.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	AtomicEventID string `json:"atomicEventID,omitempty"`

	// remote is the bid at the marketplace; absent until its ID is known.
	// +optional
	Remote *RemoteBid `json:"remote,omitempty"`

	// attempts counts the attempts of the current operation, and says when the
	// next one is due. It is absent while there is neither, and when the first
	// attempt placed the bid.
	// +optional
	Attempts *BidAttempts `json:"attempts,omitempty"`

	// withdrawnReason is spec.withdraw.reason, once the bid is withdrawn.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	WithdrawnReason string `json:"withdrawnReason,omitempty"`

	// withdrawalTimestamp is when the controller recorded that no open bid of
	// ours is left at the marketplace.
	// +optional
	WithdrawalTimestamp *metav1.Time `json:"withdrawalTimestamp,omitempty"`

	// postingCachedAt is spec.postingCachedAt.
	// +optional
	PostingCachedAt *metav1.Time `json:"postingCachedAt,omitempty"`

	// outcome is the terminal state; absent until the Bid ends. Withdrawn may
	// still become Rejected.
	// +optional
	Outcome BidState `json:"outcome,omitempty"`

	// preview is the request that would be sent, while the Marketplace's mode is
	// DryRun; otherwise absent.
	// +optional
	Preview *BidPreview `json:"preview,omitempty"`

	// settlingSince is when the unknown outcome of a place call was recorded; absent
	// once it is resolved. In class IdempotencyKey only the reply to the repeated
	// key resolves it, not a lookup that finds nothing.
	// +optional
	SettlingSince *metav1.Time `json:"settlingSince,omitempty"`

	// lastHandledReconcileAt is the last handled value of the annotation
	// onebid.dev/reconcile-requested-at.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	LastHandledReconcileAt string `json:"lastHandledReconcileAt,omitempty"`

	// lastHandledResolve is the value of the annotation onebid.dev/resolve that was
	// used last, or that was present when the Bid became Indeterminate. Any other
	// value is a new answer.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	LastHandledResolve string `json:"lastHandledResolve,omitempty"`
}

// Bid is one bid on one posting. Marketplace and postingID determine its name, so a namespace has at most one per posting.
//
// +genclient
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:metadata:annotations="onebid.dev/schema-version=1"
// +kubebuilder:resource:shortName=bid,categories=onebid
// +kubebuilder:selectablefield:JSONPath=`.spec.marketplace`
// +kubebuilder:selectablefield:JSONPath=`.spec.postingID`
// +kubebuilder:selectablefield:JSONPath=`.status.state`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.state`
// +kubebuilder:printcolumn:name="Marketplace",type=string,JSONPath=`.spec.marketplace`
// +kubebuilder:printcolumn:name="Posting",type=string,JSONPath=`.spec.postingID`
// +kubebuilder:printcolumn:name="Price",type=string,JSONPath=`.spec.price.amount`
// +kubebuilder:printcolumn:name="Currency",type=string,JSONPath=`.spec.price.currency`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Remote-ID",type=string,priority=1,JSONPath=`.status.remote.bidID`
// +kubebuilder:printcolumn:name="Attempts",type=integer,priority=1,JSONPath=`.status.attempts.count`
// +kubebuilder:printcolumn:name="Next",type=string,priority=1,JSONPath=`.status.attempts.nextTime`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:validation:XValidation:rule="oldSelf.hasValue() || !self.spec.marketplace.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$') || !self.spec.postingID.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$') || self.metadata.name == self.spec.marketplace + '.' + self.spec.postingID",optionalOldSelf=true,fieldPath=".spec.postingID",messageExpression="'metadata.name must be \"' + self.spec.marketplace + '.' + self.spec.postingID + '\", the one name of this posting'"
type Bid struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object's metadata; name must be the
	// canonical one of marketplace and postingID.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`

	// spec is what to bid. Only approval and withdraw can change after creation.
	// To change anything else, delete the Bid, wait for the cooldown and create it
	// again.
	// +required
	Spec BidSpec `json:"spec,omitempty,omitzero"`

	// status is the observed state. Only the controller may write it.
	// +optional
	// +default={"observedGeneration":-1,"state":"Pending","conditions":[{"type":"Ready","status":"Unknown","reason":"Pending","message":"Waiting for the controller; if this stays, see whether the Deployment onebid-manager runs","lastTransitionTime":"1970-01-01T00:00:00Z"}]}
	Status BidStatus `json:"status,omitempty,omitzero"`
}

// BidList is a list of Bids.
// +kubebuilder:object:root=true
type BidList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Bid `json:"items"`
}
