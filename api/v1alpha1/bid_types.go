package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Money is an exact amount of one currency.
type Money struct {
	// amount in major units, as a decimal string: "250" or "12.50". Greater than
	// zero, at most 12 digits before and 4 after the point. Never a float: what is
	// written here is what is sent.
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

// BidApproval binds a person's decision to one Bid. The spec cannot change, so price and text are bound with it.
type BidApproval struct {
	// bidUID is metadata.uid of the Bid that was read and decided on; a Bid
	// re-created under the same name needs a new decision.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	BidUID string `json:"bidUID,omitempty"`

	// decision is Approved or Refused.
	// +required
	Decision ApprovalDecision `json:"decision,omitempty"`

	// reason is shown in conditions and history.
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

// BidWithdraw asks for the bid to be taken back while the Bid object stays.
type BidWithdraw struct {
	// reason is kept in status.withdrawnReason, and sent to the marketplace where
	// it takes one.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`
}

// BidSpec is what to bid. It cannot change once written, but for approval and withdraw: to bid otherwise, delete the
// Bid, wait for the cooldown and create it anew.
//
// +kubebuilder:validation:XValidation:rule="has(self.deliveryDays) == has(oldSelf.deliveryDays)",fieldPath=".deliveryDays",reason=FieldValueForbidden,message="must not be added or removed: a Bid's spec cannot change; delete the Bid and create it anew"
// +kubebuilder:validation:XValidation:rule="has(self.proposal) == has(oldSelf.proposal)",fieldPath=".proposal",reason=FieldValueForbidden,message="must not be added or removed: a Bid's spec cannot change; delete the Bid and create it anew"
// +kubebuilder:validation:XValidation:rule="has(self.postingCachedAt) == has(oldSelf.postingCachedAt)",fieldPath=".postingCachedAt",reason=FieldValueForbidden,message="must not be added or removed: a Bid's spec cannot change; delete the Bid and create it anew"
// +kubebuilder:validation:XValidation:rule="has(self.attributes) == has(oldSelf.attributes)",fieldPath=".attributes",reason=FieldValueForbidden,message="must not be added or removed: a Bid's spec cannot change; delete the Bid and create it anew"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.withdraw) || has(self.withdraw)",fieldPath=".withdraw",reason=FieldValueForbidden,message="must stay: a withdrawal cannot be taken back; delete the Bid and create it anew to bid again"
type BidSpec struct {
	// marketplace names the Marketplace in the same namespace: a DNS label of at
	// most 40 characters.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be a DNS label: lower-case letters, digits and inner hyphens"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",reason=FieldValueForbidden,messageExpression="'must stay ' + oldSelf + ': it is part of the name'"
	Marketplace string `json:"marketplace,omitempty"`

	// postingID is the posting's ID, spelled as the marketplace spells it: 1 to
	// 100 bytes of UTF-8 without control characters. Quote it in YAML: an unquoted
	// 39211345 is a number.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=100
	// +kubebuilder:validation:XValidation:rule="size(bytes(self)) <= 100",message="must be at most 100 bytes of UTF-8"
	// +kubebuilder:validation:XValidation:rule="self.matches(r'^\\P{Cc}*$')",message="must not contain control characters"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",reason=FieldValueForbidden,message="must not change: it is part of the name"
	PostingID string `json:"postingID,omitempty"`

	// price is what we ask for, in the currency that the posting is traded in.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",reason=FieldValueForbidden,messageExpression="'must stay ' + oldSelf.amount + ' ' + oldSelf.currency + ': a Bid cannot change; delete it, wait for the cooldown and create it anew'"
	Price Money `json:"price,omitempty,omitzero"`

	// deliveryDays is how many days we need.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3650
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",reason=FieldValueForbidden,message="must not change: a Bid's spec cannot change; delete the Bid and create it anew"
	DeliveryDays int32 `json:"deliveryDays,omitempty"`

	// proposal is the text that the marketplace shows to the client, at most 16
	// KiB.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16384
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",reason=FieldValueForbidden,message="must not change: a Bid's spec cannot change; delete the Bid and create it anew"
	Proposal string `json:"proposal,omitempty"`

	// postingCachedAt is when the scanner read the posting; too old, and the Bid
	// ends as Expired. Without it the Posting's cachedAt counts, and without a
	// Posting the Bid's creation.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",reason=FieldValueForbidden,message="must not change: a Bid's spec cannot change; delete the Bid and create it anew"
	PostingCachedAt *metav1.Time `json:"postingCachedAt,omitempty"`

	// attributes are extras that one marketplace understands, handed to its driver
	// as they are: at most 32, of at most 1,024 characters.
	// +optional
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",reason=FieldValueForbidden,message="must not change: a Bid's spec cannot change; delete the Bid and create it anew"
	Attributes map[string]AttributeValue `json:"attributes,omitempty"`

	// approval is a person's decision, where the Marketplace's approval is Manual.
	// Setting it needs the verb "approve" on bids.
	// +optional
	Approval *BidApproval `json:"approval,omitempty"`

	// withdraw takes the bid back while the object stays. Set once, never unset.
	// Deleting the Bid withdraws as well.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",reason=FieldValueForbidden,message="must not change once set"
	Withdraw *BidWithdraw `json:"withdraw,omitempty"`
}

// AttributeValue is the value of one marketplace-specific extra.
// +kubebuilder:validation:MaxLength=1024
type AttributeValue string

// BidState sums the conditions up in one printable, selectable word. Conditions are the truth: never decide from it.
// +kubebuilder:validation:Enum=Pending;Active;Indeterminate;Withdrawing;Withdrawn;Rejected;Duplicate;Expired;Won;Lost
type BidState string

const (
	// StatePending means not placed yet; Accepted and Placed say why.
	StatePending BidState = "Pending"
	// StateActive means live at the marketplace.
	StateActive BidState = "Active"
	// StateIndeterminate means that a call was made and its effect cannot be found out; a person decides.
	StateIndeterminate BidState = "Indeterminate"
	// StateWithdrawing means that the withdrawal is under way.
	StateWithdrawing BidState = "Withdrawing"
	// StateWithdrawn means that no live bid of ours is left there.
	StateWithdrawn BidState = "Withdrawn"
	// StateRejected means refused by an approver, by the marketplace for good, or later by the posting's owner.
	StateRejected BidState = "Rejected"
	// StateDuplicate means that the account already has another bid there, never touched by us.
	StateDuplicate BidState = "Duplicate"
	// StateExpired means that the posting went stale or closed before a bid was placed, or that the bid lapsed.
	StateExpired BidState = "Expired"
	// StateWon means that the posting's owner chose us.
	StateWon BidState = "Won"
	// StateLost means that the posting's owner chose somebody else.
	StateLost BidState = "Lost"
)

// RemoteBid is the bid as the marketplace knows it.
type RemoteBid struct {
	// bidID is the marketplace's own ID of the bid; withdrawal goes by it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	BidID string `json:"bidID,omitempty"`

	// url shows the bid in a browser, where the marketplace tells one.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	URL string `json:"url,omitempty"`

	// placedAt is when the marketplace says that the bid was placed, else when we
	// learned of it.
	// +optional
	PlacedAt *metav1.Time `json:"placedAt,omitempty"`

	// adopted is true when the bid was found by a look-up after an unknown outcome
	// instead of being told by the reply.
	// +optional
	Adopted *bool `json:"adopted,omitempty"`
}

// AttemptOperation is a call that may need several attempts.
// +kubebuilder:validation:Enum=Place;Withdraw
type AttemptOperation string

const (
	// OperationPlace puts a bid on the marketplace.
	OperationPlace AttemptOperation = "Place"
	// OperationWithdraw takes it back.
	OperationWithdraw AttemptOperation = "Withdraw"
)

// BidAttempts is the durable memory of retries, so that a restart neither forgets a backoff nor stampedes.
type BidAttempts struct {
	// operation that the other fields speak of.
	// +optional
	Operation AttemptOperation `json:"operation,omitempty"`

	// count of attempts of this operation whose outcome is recorded here.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Count int32 `json:"count,omitempty"`

	// nextTime before which no further attempt is made.
	// +optional
	NextTime *metav1.Time `json:"nextTime,omitempty"`

	// lastError is what went wrong in the last attempt; absent after success.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	LastError string `json:"lastError,omitempty"`
}

// BidStatus is what the controller knows.
type BidStatus struct {
	// conditions explain the Bid: Accepted, Placed, Duplicate, Withdrawn, Ready;
	// Reconciling and Stalled while True.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the metadata.generation that this status speaks of; -1
	// before the first visit.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// state sums the conditions up in one word, for people and field selectors.
	// +optional
	State BidState `json:"state,omitempty"`

	// atomicEventID is the idempotency key: hex SHA-256 of namespace, marketplace,
	// postingID and the Bid's UID. Stable over attempts and take-overs, new after
	// a deliberate re-bid.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	AtomicEventID string `json:"atomicEventID,omitempty"`

	// remote is the bid at the marketplace, once known.
	// +optional
	Remote *RemoteBid `json:"remote,omitempty"`

	// attempts counts the tries of the call that is under way, and says when the
	// next one is due.
	// +optional
	Attempts *BidAttempts `json:"attempts,omitempty"`

	// withdrawnReason is why the bid was taken back.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	WithdrawnReason string `json:"withdrawnReason,omitempty"`

	// withdrawalTimestamp is when the marketplace was read back without a live bid
	// of ours.
	// +optional
	WithdrawalTimestamp *metav1.Time `json:"withdrawalTimestamp,omitempty"`

	// postingCachedAt is the reading of the posting that the bid was based on.
	// +optional
	PostingCachedAt *metav1.Time `json:"postingCachedAt,omitempty"`

	// outcome is the terminal state, once there is one. Withdrawn may still become
	// Rejected.
	// +optional
	Outcome BidState `json:"outcome,omitempty"`

	// preview is the request that would be sent, while the Marketplace's mode is
	// DryRun.
	// +optional
	Preview *BidPreview `json:"preview,omitempty"`

	// settlingSince is when an unknown outcome was fenced; it is cleared when the
	// outcome is resolved. In class IdempotencyKey a look-up that finds nothing does
	// not resolve it: the answer to the same key does.
	// +optional
	SettlingSince *metav1.Time `json:"settlingSince,omitempty"`

	// lastHandledReconcileAt acknowledges the value of the annotation
	// onebid.dev/reconcile-requested-at.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	LastHandledReconcileAt string `json:"lastHandledReconcileAt,omitempty"`

	// lastHandledResolve is the value of the annotation onebid.dev/resolve that
	// was used, or was there before the Bid became Indeterminate. Any other value
	// is a new answer.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	LastHandledResolve string `json:"lastHandledResolve,omitempty"`
}

// Bid is one bid on one posting. Its name is fixed by marketplace and postingID, so there can be only one.
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

	// metadata is the standard object's metadata; name must be the one of
	// marketplace and postingID.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`

	// spec is what to bid. It cannot change once written, but for approval and
	// withdraw: to bid otherwise, delete the Bid, wait for the cooldown and create
	// it anew.
	// +required
	Spec BidSpec `json:"spec,omitempty,omitzero"`

	// status is what the controller knows; nobody else may write it.
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
