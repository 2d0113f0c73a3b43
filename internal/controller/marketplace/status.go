package marketplace

import (
	"fmt"
	"math"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/text"
)

const (
	// maxMessageLength bounds the messages of conditions, in bytes.
	maxMessageLength = 1024
	// maxTextLength is the schema's bound of status.accountID and status.lastHandledReconcileAt, in characters.
	maxTextLength = 256
)

// describe sets the status, but for what describeHealth sets.
func describe(s *state, settleTime time.Duration) {
	marketplace := s.marketplace
	status := &marketplace.Status
	for _, condition := range []metav1.Condition{readyCondition(s), suspendedCondition(marketplace)} {
		condition.ObservedGeneration = marketplace.Generation
		condition.Message = text.Cut(condition.Message, maxMessageLength)
		meta.SetStatusCondition(&status.Conditions, condition)
	}
	status.ObservedGeneration = marketplace.Generation
	status.Driver = driverName(&marketplace.Spec)
	status.ActiveBids = count32(s.counts.active.Active)
	status.Committed = s.counts.committedText()
	describeRemaining(status, marketplace.Spec.Limits, s.counts.taken)
	if known := s.entry.account; known.asked && known.class == "" {
		status.AccountID = text.CutRunes(known.id, maxTextLength)
	}
	status.HeldSecret = s.held
	if wanted := s.wantedSecret(); wanted != "" {
		status.HeldSecret = wanted
	}
	status.SettleSeconds = settleSeconds(settleTime)
	status.LastHandledReconcileAt = text.CutRunes(marketplace.Annotations[onebidv1.AnnotationReconcileRequestedAt], maxTextLength)
}

// readyCondition gives the first thing that is in the way of placing bids.
func readyCondition(s *state) metav1.Condition {
	known := s.entry.account
	no := func(reason, message string) metav1.Condition {
		return metav1.Condition{
			Type: onebidv1.ConditionReady, Status: metav1.ConditionFalse, Reason: reason, Message: message,
		}
	}
	switch {
	case s.deleting():
		return no(onebidv1.ReasonInUse, inUseMessage(s.marketplace.Name, s.counts.unfinished))
	case s.missing != "":
		return no(onebidv1.ReasonCredentialsMissing, s.missing)
	case s.entry.invalid != nil:
		return no(onebidv1.ReasonInvalidDriver, s.entry.invalid.Error())
	case known.class == onebidv1.ErrorAuth:
		return no(onebidv1.ReasonCredentialsInvalid, refusedMessage(s.marketplace))
	case known.class != "":
		return unreached(s.marketplace, known.class)
	}
	return metav1.Condition{
		Type: onebidv1.ConditionReady, Status: metav1.ConditionTrue, Reason: onebidv1.ReasonReady,
		Message: "The driver is built and the credentials are there; spec.mode says whether bids are placed",
	}
}

// unreached keeps a condition of this generation that was True before: a marketplace that does not answer for a while is
// still configured well.
func unreached(marketplace *onebidv1.Marketplace, class onebidv1.ErrorClass) metav1.Condition {
	before := meta.FindStatusCondition(marketplace.Status.Conditions, onebidv1.ConditionReady)
	if before != nil && before.Status == metav1.ConditionTrue && before.ObservedGeneration == marketplace.Generation {
		return *before
	}
	return metav1.Condition{
		Type: onebidv1.ConditionReady, Status: metav1.ConditionUnknown, Reason: onebidv1.ReasonMarketplaceError,
		Message: fmt.Sprintf("The request for the marketplace's account failed as %s and is repeated. If this lasts, check "+
			"the address and the account request in spec.%s", class, driverName(&marketplace.Spec)),
	}
}

func refusedMessage(marketplace *onebidv1.Marketplace) string {
	ref := marketplace.Spec.CredentialsSecretRef
	if ref == nil {
		return "The marketplace wants credentials: create a Secret with them and name it in spec.credentialsSecretRef"
	}
	return fmt.Sprintf("The marketplace does not accept the credentials in Secret %q of namespace %q: correct that Secret; "+
		"it is tried again as soon as it changes", ref.Name, marketplace.Namespace)
}

func inUseMessage(name string, bids int) string {
	subject := fmt.Sprintf("%d unfinished Bids need", bids)
	switch bids {
	case 0:
		return "The Marketplace is being deleted"
	case 1:
		subject = "1 unfinished Bid needs"
	}
	return fmt.Sprintf("The Marketplace is being deleted, but %s it: delete what `kubectl get bids "+
		"--field-selector spec.marketplace=%s` lists, and it goes once all are withdrawn", subject, name)
}

func suspendedCondition(marketplace *onebidv1.Marketplace) metav1.Condition {
	condition := metav1.Condition{Type: onebidv1.ConditionSuspended, Status: metav1.ConditionFalse}
	switch marketplace.Spec.Mode {
	case onebidv1.ModeSuspended:
		condition.Status, condition.Reason = metav1.ConditionTrue, onebidv1.ReasonModeSuspended
		condition.Message = "spec.mode is Suspended: no bids are placed until it is Live; withdrawals go on"
	case onebidv1.ModeDryRun:
		condition.Reason = onebidv1.ReasonModeDryRun
		condition.Message = "spec.mode is DryRun: each Bid says what would have been placed; withdrawals go on"
	default:
		condition.Reason = onebidv1.ReasonModeLive
		condition.Message = "spec.mode is Live: bids are placed and withdrawn"
	}
	return condition
}

func driverName(spec *onebidv1.MarketplaceSpec) string {
	switch {
	case spec.HTTP != nil:
		return "http"
	case spec.Freelancer != nil:
		return "freelancer"
	}
	return ""
}

func settleSeconds(settle time.Duration) *int32 {
	seconds := math.Ceil(settle.Seconds())
	return new(int32(min(max(seconds, 0), math.MaxInt32)))
}
