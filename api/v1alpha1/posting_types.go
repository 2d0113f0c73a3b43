package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PostingBudget is the price range that the client states.
// +kubebuilder:validation:AtLeastOneOf=min;max
type PostingBudget struct {
	// min is the lower bound in major units, as a decimal string.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=17
	// +kubebuilder:validation:XValidation:rule="self.matches(r'^(0|[1-9][0-9]{0,11})([.][0-9]{1,4})?$')",message="must be a decimal string such as \"250\" or \"12.50\""
	Min string `json:"min,omitempty"`

	// max is the upper bound in major units, as a decimal string.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=17
	// +kubebuilder:validation:XValidation:rule="self.matches(r'^(0|[1-9][0-9]{0,11})([.][0-9]{1,4})?$')",message="must be a decimal string such as \"250\" or \"12.50\""
	Max string `json:"max,omitempty"`

	// currency is the ISO 4217 code, such as "USD".
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=3
	// +kubebuilder:validation:XValidation:rule="self.matches(r'^[A-Z]{3}$')",message="must be an ISO 4217 code of three capital letters, such as \"USD\""
	Currency string `json:"currency,omitempty"`
}

// PostingEvaluation is the recorded verdict of a scanner's evaluation, so that it is not repeated.
type PostingEvaluation struct {
	// suitable is true when the posting is worth a bid. False is recorded too, so
	// that no scanner repeats the evaluation.
	// +required
	Suitable *bool `json:"suitable,omitempty"`

	// score that the evaluator gave, from 0 to 100.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	Score *int32 `json:"score,omitempty"`

	// reason for the verdict, in a few words.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`

	// evaluatedAt is when the evaluation ended.
	// +optional
	EvaluatedAt *metav1.Time `json:"evaluatedAt,omitempty"`

	// by is the name of the evaluator, such as a scanner and its model.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	By string `json:"by,omitempty"`
}

// PostingSpec is the posting as a scanner read it.
//
// +kubebuilder:validation:XValidation:rule="self.marketplace == oldSelf.marketplace && self.postingID == oldSelf.postingID",fieldPath=".postingID",reason=FieldValueForbidden,message="marketplace and postingID must not change: they are the Posting's name"
type PostingSpec struct {
	// marketplace is the name of a Marketplace in the same namespace: a DNS label
	// of at most 40 characters.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be a DNS label: lower-case letters, digits and inner hyphens"
	Marketplace string `json:"marketplace,omitempty"`

	// postingID is the marketplace's ID of the posting, in the marketplace's
	// spelling: 1 to 100 bytes of UTF-8 without control characters. Quote it in
	// YAML.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=100
	// +kubebuilder:validation:XValidation:rule="size(bytes(self)) <= 100",message="must be at most 100 bytes of UTF-8"
	// +kubebuilder:validation:XValidation:rule="self.matches(r'^\\P{Cc}*$')",message="must not contain control characters"
	PostingID string `json:"postingID,omitempty"`

	// title of the posting at the marketplace.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Title string `json:"title,omitempty"`

	// description of the posting at the marketplace: at most 16,384 characters.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16384
	Description string `json:"description,omitempty"`

	// url of the posting's web page, for people. The controller never requests it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	URL string `json:"url,omitempty"`

	// budget is the price range that the client states.
	// +optional
	Budget *PostingBudget `json:"budget,omitempty"`

	// skills that the posting asks for.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=128
	Skills []string `json:"skills,omitempty"`

	// cachedAt is when the scanner read the posting. Defaults to the Posting's
	// creation.
	// +optional
	CachedAt *metav1.Time `json:"cachedAt,omitempty"`

	// ttlSeconds is how long the posting stays fresh after it was read. Defaults to
	// the Marketplace's postingTTLSeconds.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=31536000
	TTLSeconds int32 `json:"ttlSeconds,omitempty"`

	// closesAt is when the marketplace stops taking bids on the posting.
	// +optional
	ClosesAt *metav1.Time `json:"closesAt,omitempty"`

	// closed is true once the marketplace takes no bids on the posting.
	// +optional
	Closed *bool `json:"closed,omitempty"`

	// evaluation is the recorded verdict of a scanner, so that it is not repeated.
	// +optional
	Evaluation *PostingEvaluation `json:"evaluation,omitempty"`
}

// ActiveBid names the Bid whose bid is open on the posting.
type ActiveBid struct {
	// name of the Bid, in the same namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// uid of the Bid.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	UID string `json:"uid,omitempty"`

	// since is when the bid was placed.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`
}

// ApprovalRecord is a decision of a person on a Bid.
type ApprovalRecord struct {
	// decision is Approved or Refused.
	// +required
	Decision ApprovalDecision `json:"decision,omitempty"`

	// by is the name of the user who decided, as the API server recorded it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	By string `json:"by,omitempty"`

	// at is when the controller acted on the decision.
	// +optional
	At *metav1.Time `json:"at,omitempty"`

	// reason that the user gave.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`
}

// BidRecord is one entry of a Posting's history.
type BidRecord struct {
	// uid of the Bid.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	UID string `json:"uid,omitempty"`

	// outcome is the state that the Bid ended in.
	// +required
	Outcome BidState `json:"outcome,omitempty"`

	// reason for the verdict, in a few words.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`

	// approval is the decision on the Bid; absent when there was none.
	// +optional
	Approval *ApprovalRecord `json:"approval,omitempty"`

	// remoteBidID is the marketplace's ID of the bid; absent when none was placed.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	RemoteBidID string `json:"remoteBidID,omitempty"`

	// price of the bid.
	// +optional
	Price *Money `json:"price,omitempty"`

	// placedAt is when the bid was placed; absent when none was.
	// +optional
	PlacedAt *metav1.Time `json:"placedAt,omitempty"`

	// endedAt is when the outcome was recorded.
	// +optional
	EndedAt *metav1.Time `json:"endedAt,omitempty"`
}

// PostingStatus is the observed state of a Posting.
type PostingStatus struct {
	// conditions explain the Posting: Fresh, Claimed, Ready.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the metadata.generation that this status describes; -1
	// before the first reconcile.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// activeBid is the Bid whose bid is open on the posting; absent without one.
	// +optional
	ActiveBid *ActiveBid `json:"activeBid,omitempty"`

	// history holds the last 10 bids that ended, newest first. It outlives the
	// Bids.
	// +optional
	// +listType=map
	// +listMapKey=uid
	// +kubebuilder:validation:MaxItems=10
	History []BidRecord `json:"history,omitempty"`

	// lastHandledReconcileAt is the last handled value of the annotation
	// onebid.dev/reconcile-requested-at.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	LastHandledReconcileAt string `json:"lastHandledReconcileAt,omitempty"`
}

// Posting is one job, load or tender on a marketplace, as a scanner read it. It is optional: a Bid works without one.
//
// +genclient
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:metadata:annotations="onebid.dev/schema-version=1"
// +kubebuilder:resource:shortName=post,categories=onebid
// +kubebuilder:selectablefield:JSONPath=`.spec.marketplace`
// +kubebuilder:selectablefield:JSONPath=`.spec.postingID`
// +kubebuilder:printcolumn:name="Fresh",type=string,JSONPath=`.status.conditions[?(@.type=="Fresh")].status`
// +kubebuilder:printcolumn:name="Bid",type=string,JSONPath=`.status.activeBid.name`
// +kubebuilder:printcolumn:name="Title",type=string,JSONPath=`.spec.title`
// +kubebuilder:printcolumn:name="Cached",type=date,JSONPath=`.spec.cachedAt`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="oldSelf.hasValue() || !self.spec.marketplace.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$') || !self.spec.postingID.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$') || self.metadata.name == self.spec.marketplace + '.' + self.spec.postingID",optionalOldSelf=true,fieldPath=".spec.postingID",messageExpression="'metadata.name must be \"' + self.spec.marketplace + '.' + self.spec.postingID + '\", the one name of this posting'"
type Posting struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object's metadata; name must be the
	// canonical one of marketplace and postingID.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`

	// spec is the posting as a scanner read it. marketplace and postingID are
	// immutable.
	// +required
	Spec PostingSpec `json:"spec,omitempty,omitzero"`

	// status is the observed state. Only the controller may write it.
	// +optional
	// +default={"observedGeneration":-1,"conditions":[{"type":"Ready","status":"Unknown","reason":"Pending","message":"Waiting for the controller; if this stays, see whether the Deployment onebid-manager runs","lastTransitionTime":"1970-01-01T00:00:00Z"}]}
	Status PostingStatus `json:"status,omitempty,omitzero"`
}

// PostingList is a list of Postings.
// +kubebuilder:object:root=true
type PostingList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Posting `json:"items"`
}
