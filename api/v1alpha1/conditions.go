package v1alpha1

// ConditionReady is True once the controller has nothing left to do for this generation.
//
//   - On a Bid: the bid is open at the marketplace, or the Bid has ended. True: Active, or the outcome (Won, Lost, Expired,
//     Rejected, Duplicate, Withdrawn). False or Unknown: the reason of the condition that explains it. Unknown before the
//     first reconcile: Pending.
//   - On a Marketplace: bids can be placed. True: Ready. False: InvalidDriver, CredentialsMissing, CredentialsInvalid, InUse
//     (it is being deleted). Unknown: Pending, MarketplaceError (the account could not be read).
//   - On a Posting: True: Observed. False: NonCanonicalName. Unknown: Pending.
const ConditionReady = "Ready"

// ConditionReconciling is present, and True, only while the controller has work to do (kstatus). Reasons: Progressing,
// Retrying, Resolving, Withdrawing.
const ConditionReconciling = "Reconciling"

// ConditionStalled is present, and True, only while a person must act (kstatus); the message says how. Reasons:
// NonCanonicalName, MarketplaceNotFound, MarketplaceNotReady, CurrencyMismatch, PriceTooHigh, NotWithdrawable, Indeterminate,
// ManualReview.
const ConditionStalled = "Stalled"

// Conditions of a Bid.
const (
	// ConditionAccepted is True when all guards passed: Accepted. False: NonCanonicalName, MarketplaceNotFound,
	// MarketplaceNotReady, MarketplaceSuspended, PostingClosed, PostingStale, MissedDeadline (the posting closed while the
	// Bid waited), AwaitingApproval, ApprovalMismatch, Refused, CurrencyMismatch, PriceTooHigh, TooManyActiveBids,
	// BudgetExhausted, Cooldown, LeaseHeld. Unknown: Pending.
	ConditionAccepted = "Accepted"

	// ConditionPlaced is True when the bid was placed: Placed, Adopted. False: NotPlaced, DryRun, RateLimited (the rate limit
	// of the Marketplace or of the site), AccountPaused and CircuitOpen (see the Marketplace's status), QuotaExhausted,
	// AuthenticationFailed, Forbidden, Invalid, PostingClosed, AlreadyExists, NotWithdrawable (a bid of an earlier Bid is
	// open and cannot be withdrawn), MarketplaceError, NotNeeded (withdrawn before it was placed). Unknown: OutcomeUnknown,
	// LeaseLost, Indeterminate.
	ConditionPlaced = "Placed"

	// ConditionDuplicate is present, and True, only when the account has another bid on the posting, which onebid leaves
	// alone: ExistingBid.
	ConditionDuplicate = "Duplicate"

	// ConditionWithdrawn is absent until a withdrawal is wanted or observed. True when the marketplace shows no open bid of
	// ours: Withdrawn, WithdrawnElsewhere (not by onebid), NeverPlaced. False: Requested, RateLimited, QuotaExhausted,
	// AuthenticationFailed, Forbidden, Invalid, MarketplaceError, NotWithdrawable, MarketplaceNotFound, MarketplaceNotReady.
	ConditionWithdrawn = "Withdrawn"
)

// Conditions of a Posting.
const (
	// ConditionFresh is True while the posting may be bid on: Fresh. False: Stale, Closed. Unknown: NoTimestamp.
	ConditionFresh = "Fresh"

	// ConditionClaimed is True while a bid of ours is open on the posting: BidActive. False: NoBid.
	ConditionClaimed = "Claimed"
)

// ConditionSuspended of a Marketplace is True while spec.mode stops placing: ModeSuspended. False: ModeLive, ModeDryRun.
const ConditionSuspended = "Suspended"

// ConditionReachable of a Marketplace is True while calls of the account are made: Answering. False: CircuitOpen, or
// RateLimited or AuthenticationFailed (the account is paused). Unknown: NotProbed.
const ConditionReachable = "Reachable"

// Reasons of conditions and events. Each is documented at its condition.
const (
	ReasonAccepted             = "Accepted"
	ReasonAccountPaused        = "AccountPaused"
	ReasonActive               = "Active"
	ReasonAdopted              = "Adopted"
	ReasonAlreadyExists        = "AlreadyExists"
	ReasonAnswering            = "Answering"
	ReasonApprovalMismatch     = "ApprovalMismatch"
	ReasonAuthenticationFailed = "AuthenticationFailed"
	ReasonAwaitingApproval     = "AwaitingApproval"
	ReasonBidActive            = "BidActive"
	ReasonBudgetExhausted      = "BudgetExhausted"
	ReasonCircuitOpen          = "CircuitOpen"
	ReasonClosed               = "Closed"
	ReasonCooldown             = "Cooldown"
	ReasonCredentialsInvalid   = "CredentialsInvalid"
	ReasonCredentialsMissing   = "CredentialsMissing"
	ReasonCurrencyMismatch     = "CurrencyMismatch"
	ReasonDryRun               = "DryRun"
	ReasonExistingBid          = "ExistingBid"
	ReasonForbidden            = "Forbidden"
	ReasonFresh                = "Fresh"
	ReasonInUse                = "InUse"
	ReasonIndeterminate        = "Indeterminate"
	ReasonInvalid              = "Invalid"
	ReasonInvalidDriver        = "InvalidDriver"
	ReasonLeaseHeld            = "LeaseHeld"
	ReasonLeaseLost            = "LeaseLost"
	ReasonManualReview         = "ManualReview"
	ReasonMarketplaceError     = "MarketplaceError"
	ReasonMarketplaceNotFound  = "MarketplaceNotFound"
	ReasonMarketplaceNotReady  = "MarketplaceNotReady"
	ReasonMarketplaceSuspended = "MarketplaceSuspended"
	ReasonMissedDeadline       = "MissedDeadline"
	ReasonModeDryRun           = "ModeDryRun"
	ReasonModeLive             = "ModeLive"
	ReasonModeSuspended        = "ModeSuspended"
	ReasonNeverPlaced          = "NeverPlaced"
	ReasonNoBid                = "NoBid"
	ReasonNoTimestamp          = "NoTimestamp"
	ReasonNonCanonicalName     = "NonCanonicalName"
	ReasonNotNeeded            = "NotNeeded"
	ReasonNotPlaced            = "NotPlaced"
	ReasonNotProbed            = "NotProbed"
	ReasonNotWithdrawable      = "NotWithdrawable"
	ReasonObserved             = "Observed"
	ReasonOutcomeUnknown       = "OutcomeUnknown"
	ReasonPending              = "Pending"
	ReasonPlaced               = "Placed"
	ReasonPostingClosed        = "PostingClosed"
	ReasonPostingStale         = "PostingStale"
	ReasonPriceTooHigh         = "PriceTooHigh"
	ReasonProgressing          = "Progressing"
	ReasonQuotaExhausted       = "QuotaExhausted"
	ReasonRateLimited          = "RateLimited"
	ReasonReady                = "Ready"
	ReasonRefused              = "Refused"
	ReasonRequested            = "Requested"
	ReasonResolving            = "Resolving"
	ReasonRetrying             = "Retrying"
	ReasonStale                = "Stale"
	ReasonTooManyActiveBids    = "TooManyActiveBids"
	ReasonWithdrawing          = "Withdrawing"
	ReasonWithdrawn            = "Withdrawn"
	ReasonWithdrawnElsewhere   = "WithdrawnElsewhere"
)

// Names of labels, annotations and finalizers. All begin with "onebid.dev/".
const (
	// FinalizerWithdraw keeps a Bid until the marketplace shows no open bid of ours.
	FinalizerWithdraw = "onebid.dev/withdraw"
	// FinalizerInUse keeps a Marketplace, and the Secret with its credentials, while Bids that have not ended need them.
	FinalizerInUse = "onebid.dev/in-use"

	// LabelLease on a Lease is its kind: LeaseKindPosting, LeaseKindHeartbeat or LeaseKindCapacity.
	LabelLease = "onebid.dev/lease"
	// LeaseKindPosting is the kind of a posting's Lease.
	LeaseKindPosting = "posting"
	// LeaseKindHeartbeat is the kind of a manager replica's heartbeat Lease.
	LeaseKindHeartbeat = "heartbeat"
	// LeaseKindCapacity is the kind of the Lease whose holder reserves the capacity of a Marketplace with limits.
	LeaseKindCapacity = "capacity"

	// AnnotationLockKey on a posting's Lease is Key.LockKey.
	AnnotationLockKey = "onebid.dev/lock-key"
	// AnnotationBidUID on a posting's Lease is the UID of the Bid that the claim is for.
	AnnotationBidUID = "onebid.dev/bid-uid"
	// AnnotationHeartbeat on a posting's Lease is the "<namespace>/<name>" of its holder's heartbeat Lease.
	AnnotationHeartbeat = "onebid.dev/heartbeat"
	// AnnotationIntent on a posting's Lease lists the intents, as JSON: the calls that may have been made.
	AnnotationIntent = "onebid.dev/intent"
	// AnnotationEndedAt makes a posting's Lease a tombstone. It is the RFC 3339 time when the Bid ended.
	AnnotationEndedAt = "onebid.dev/ended-at"
	// AnnotationCooldownUntil on a tombstone is the RFC 3339 time before which no new bid may be placed.
	AnnotationCooldownUntil = "onebid.dev/cooldown-until"
	// AnnotationOutcome on a tombstone is the BidState that the Bid ended in.
	AnnotationOutcome = "onebid.dev/outcome"
	// AnnotationReconcileRequestedAt on any onebid object requests a reconcile by any new value. The controller copies the
	// handled value to status.lastHandledReconcileAt.
	AnnotationReconcileRequestedAt = "onebid.dev/reconcile-requested-at"
	// AnnotationAbandon on a Bid, with a reason as its value, releases a deleted Bid without a withdrawal. Needs the verb
	// "abandon".
	AnnotationAbandon = "onebid.dev/abandon"
	// AnnotationResolve on an Indeterminate Bid is a person's answer: ResolvePlaced or ResolveNotPlaced, optionally followed
	// by a colon and a note, as in "not-placed: asked their support". A value that equals status.lastHandledResolve is no new
	// answer. On a Bid that is not Indeterminate it has no effect. Needs the verb "resolve".
	AnnotationResolve = "onebid.dev/resolve"
	// ResolvePlaced says that the bid is open. The one open bid of the account on the posting is adopted.
	ResolvePlaced = "placed"
	// ResolveNotPlaced says that nothing was placed. The Bid continues as if a lookup had proved it.
	ResolveNotPlaced = "not-placed"
)
