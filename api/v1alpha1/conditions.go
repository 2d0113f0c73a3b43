package v1alpha1

// ConditionReady is True once the controller's duty is done for this generation.
//
//   - On a Bid: live at the marketplace, or settled. Reasons when True: the outcome (Active, Won, Lost, Expired,
//     Rejected, Duplicate, Withdrawn). When False or Unknown: the reason of the condition that is in the way.
//   - On a Marketplace: bids can be placed. True: Ready. False: InvalidDriver, CredentialsMissing,
//     CredentialsInvalid, InUse (it is being deleted, and Bids still need it). Unknown: Pending, MarketplaceError (it
//     could not be asked for the account).
//   - On a Posting: True: Observed. False: NonCanonicalName.
const ConditionReady = "Ready"

// ConditionReconciling is present, and True, only while work is going on (kstatus). Reasons: Progressing, Retrying,
// Resolving, Withdrawing.
const ConditionReconciling = "Reconciling"

// ConditionStalled is present, and True, only when a person must act (kstatus); the message says what to do. Reasons:
// NonCanonicalName, NotWithdrawable, Indeterminate, ManualReview, MarketplaceNotFound.
const ConditionStalled = "Stalled"

// Conditions of a Bid.
const (
	// ConditionAccepted is True when every guard passed. Reasons when True: Accepted. When False: NonCanonicalName,
	// MarketplaceNotFound, MarketplaceNotReady, MarketplaceSuspended, PostingClosed, PostingStale, AwaitingApproval,
	// MissedDeadline (the posting closed while the Bid waited), Refused, ApprovalMismatch, CurrencyMismatch, PriceTooHigh,
	// TooManyActiveBids, BudgetExhausted, Cooldown, LeaseHeld.
	ConditionAccepted = "Accepted"

	// ConditionPlaced is True when a bid of ours was put on the marketplace: Placed, Adopted. False: NotPlaced, DryRun,
	// RateLimited (the account's rate limit, ours or the marketplace's), AccountPaused and CircuitOpen (see the
	// Marketplace's status), QuotaExhausted, AuthenticationFailed, Forbidden, Invalid, PostingClosed, AlreadyExists,
	// MarketplaceError, NotNeeded. Unknown: OutcomeUnknown, LeaseLost, Indeterminate.
	ConditionPlaced = "Placed"

	// ConditionDuplicate is True when the account already has another bid on the posting, which we never touch:
	// ExistingBid. False: NoneFound.
	ConditionDuplicate = "Duplicate"

	// ConditionWithdrawn is True when the marketplace was read back and shows no live bid of ours: Withdrawn,
	// WithdrawnElsewhere (not by us), NeverPlaced. False: NotRequested, Requested, RateLimited, AuthenticationFailed,
	// Forbidden, MarketplaceError, NotWithdrawable.
	ConditionWithdrawn = "Withdrawn"
)

// Conditions of a Posting.
const (
	// ConditionFresh is True while the posting may be bid on: Fresh. False: Stale, Closed. Unknown: NoTimestamp.
	ConditionFresh = "Fresh"

	// ConditionClaimed is True while a Bid is live or under way: BidActive. False: NoBid.
	ConditionClaimed = "Claimed"
)

// ConditionSuspended of a Marketplace is True when its mode stops placing: ModeSuspended. False: ModeLive, ModeDryRun.
const ConditionSuspended = "Suspended"

// ConditionReachable of a Marketplace is True while calls of the account are made: Answering. False: CircuitOpen (the
// circuit breaker is open), RateLimited or AuthenticationFailed (the account is paused). Unknown: NotProbed.
const ConditionReachable = "Reachable"

// Reasons that conditions and events carry; each is documented at its condition.
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
	ReasonClosed               = "Closed"
	ReasonCooldown             = "Cooldown"
	ReasonCredentialsInvalid   = "CredentialsInvalid"
	ReasonCredentialsMissing   = "CredentialsMissing"
	ReasonCurrencyMismatch     = "CurrencyMismatch"
	ReasonDryRun               = "DryRun"
	ReasonForbidden            = "Forbidden"
	ReasonExistingBid          = "ExistingBid"
	ReasonFresh                = "Fresh"
	ReasonIndeterminate        = "Indeterminate"
	ReasonLeaseLost            = "LeaseLost"
	ReasonInUse                = "InUse"
	ReasonInvalid              = "Invalid"
	ReasonInvalidDriver        = "InvalidDriver"
	ReasonLeaseHeld            = "LeaseHeld"
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
	ReasonNoneFound            = "NoneFound"
	ReasonCircuitOpen          = "CircuitOpen"
	ReasonNotProbed            = "NotProbed"
	ReasonNotNeeded            = "NotNeeded"
	ReasonNotRequested         = "NotRequested"
	ReasonNotWithdrawable      = "NotWithdrawable"
	ReasonNotPlaced            = "NotPlaced"
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

// Names of metadata that onebid reads or writes; all begin with "onebid.dev/".
const (
	// FinalizerWithdraw keeps a Bid until no live bid of ours is left at the marketplace.
	FinalizerWithdraw = "onebid.dev/withdraw"
	// FinalizerInUse keeps a Marketplace while unsettled Bids name it, and the Secret with its credentials.
	FinalizerInUse = "onebid.dev/in-use"

	// LabelLease marks the Leases that onebid wrote: LeaseKindPosting, LeaseKindHeartbeat or LeaseKindCapacity.
	LabelLease = "onebid.dev/lease"
	// LeaseKindPosting is LabelLease's value on a posting's Lease.
	LeaseKindPosting = "posting"
	// LeaseKindHeartbeat is LabelLease's value on a manager replica's heartbeat.
	LeaseKindHeartbeat = "heartbeat"
	// LeaseKindCapacity is LabelLease's value on the Lease whose holder lets Bids through a Marketplace's limits.
	LeaseKindCapacity = "capacity"

	// AnnotationLockKey on a posting's Lease is Key.LockKey.
	AnnotationLockKey = "onebid.dev/lock-key"
	// AnnotationBidUID on a posting's Lease is the UID of the Bid that the claim is for.
	AnnotationBidUID = "onebid.dev/bid-uid"
	// AnnotationHeartbeat on a posting's Lease is "<namespace>/<name>" of its holder's heartbeat Lease.
	AnnotationHeartbeat = "onebid.dev/heartbeat"
	// AnnotationIntent on a posting's Lease lists, as JSON, the calls that may be about to happen.
	AnnotationIntent = "onebid.dev/intent"
	// AnnotationEndedAt on a posting's Lease makes it a tombstone: RFC 3339 time of the settlement.
	AnnotationEndedAt = "onebid.dev/ended-at"
	// AnnotationCooldownUntil on a tombstone is the RFC 3339 time before which no new bid may be placed.
	AnnotationCooldownUntil = "onebid.dev/cooldown-until"
	// AnnotationOutcome on a tombstone is the BidState that the Bid ended in.
	AnnotationOutcome = "onebid.dev/outcome"
	// AnnotationReconcileRequestedAt on any onebid object asks for a reconcile now; any new value does. It is acknowledged in
	// status.lastHandledReconcileAt.
	AnnotationReconcileRequestedAt = "onebid.dev/reconcile-requested-at"
	// AnnotationAbandon on a Bid, with a reason as its value, gives up on withdrawing it. Needs the verb "abandon".
	AnnotationAbandon = "onebid.dev/abandon"
	// AnnotationResolve on an Indeterminate Bid is a person's answer to what look-up could not tell: ResolvePlaced or
	// ResolveNotPlaced, and after a colon whatever is worth keeping, as in "not-placed: asked their support". Each value
	// answers one question: what was there when the question came up, or led nowhere, is in status.lastHandledResolve, and
	// only another value is a new answer. On a Bid that is not Indeterminate it does nothing. Needs the verb "resolve".
	AnnotationResolve = "onebid.dev/resolve"
	// ResolvePlaced says that the bid is live: the one live bid of the account on the posting is adopted.
	ResolvePlaced = "placed"
	// ResolveNotPlaced says that nothing was placed: the Bid goes on as if the marketplace had shown so.
	ResolveNotPlaced = "not-placed"
)
