package marketplace

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

const (
	// maxMessageLength bounds the messages of conditions, in bytes.
	maxMessageLength = 1024
	// maxTextLength is the schema's bound of status.accountID and status.lastHandledReconcileAt, in characters.
	maxTextLength = 256
)

// describe sets the whole status from what the visit has learned.
func (r *Reconciler) describe(v *visit) {
	marketplace := v.marketplace
	status := &marketplace.Status
	for _, condition := range []metav1.Condition{readyCondition(v), suspendedCondition(marketplace), r.describeHealth(v)} {
		condition.ObservedGeneration = marketplace.Generation
		condition.Message = cut(condition.Message, maxMessageLength)
		meta.SetStatusCondition(&status.Conditions, condition)
	}
	status.ObservedGeneration = marketplace.Generation
	status.Driver = driverName(&marketplace.Spec)
	status.ActiveBids = count32(v.counts.live.Active)
	status.Committed = v.counts.committedText()
	describeRemaining(status, marketplace.Spec.Limits, v.counts.taken)
	if known := v.entry.account; known.asked && known.class == "" {
		status.AccountID = bounded(known.id)
	}
	status.HeldSecret = v.held
	if wanted := v.wantedSecret(); wanted != "" {
		status.HeldSecret = wanted
	}
	status.SettleSeconds = settleSeconds(r.Settle(&marketplace.Spec))
	status.LastHandledReconcileAt = bounded(marketplace.Annotations[onebidv1.AnnotationReconcileRequestedAt])
}

// readyCondition gives the first thing that is in the way of placing bids.
func readyCondition(v *visit) metav1.Condition {
	known := v.entry.account
	no := func(reason, message string) metav1.Condition {
		return metav1.Condition{
			Type: onebidv1.ConditionReady, Status: metav1.ConditionFalse, Reason: reason, Message: message,
		}
	}
	switch {
	case v.deleting():
		return no(onebidv1.ReasonInUse, inUseMessage(v.marketplace.Name, v.counts.unsettled))
	case v.missing != "":
		return no(onebidv1.ReasonCredentialsMissing, v.missing)
	case v.entry.invalid != nil:
		return no(onebidv1.ReasonInvalidDriver, v.entry.invalid.Error())
	case known.class == onebidv1.ErrorAuth:
		return no(onebidv1.ReasonCredentialsInvalid, refusedMessage(v.marketplace))
	case known.class != "":
		return unreached(v.marketplace, known.class)
	}
	return metav1.Condition{
		Type: onebidv1.ConditionReady, Status: metav1.ConditionTrue, Reason: onebidv1.ReasonReady,
		Message: "The driver is built and the credentials are there; spec.mode says whether bids are placed",
	}
}

// unreached keeps a verdict on this generation that was reached before: a marketplace that does not answer for a while
// is as configured as it was.
func unreached(marketplace *onebidv1.Marketplace, class onebidv1.ErrorClass) metav1.Condition {
	before := meta.FindStatusCondition(marketplace.Status.Conditions, onebidv1.ConditionReady)
	if before != nil && before.Status == metav1.ConditionTrue && before.ObservedGeneration == marketplace.Generation {
		return *before
	}
	return metav1.Condition{
		Type: onebidv1.ConditionReady, Status: metav1.ConditionUnknown, Reason: onebidv1.ReasonMarketplaceError,
		Message: fmt.Sprintf("The marketplace was asked for the account, and that failed as %s; it is asked again by itself. "+
			"If this lasts, check the address and the account request in spec.%s", class, driverName(&marketplace.Spec)),
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
	subject := fmt.Sprintf("%d Bids that are not settled need", bids)
	switch bids {
	case 0:
		return "The Marketplace is being deleted"
	case 1:
		subject = "1 Bid that is not settled needs"
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

func count32(n int) *int32 {
	return new(int32(min(max(n, 0), math.MaxInt32)))
}

// cut shortens a text to a number of bytes, between two characters.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	const more = "…"
	at := most - len(more)
	for !utf8.RuneStart(text[at]) {
		at--
	}
	return text[:at] + more
}

// bounded shortens a text that came from outside to what the schema takes.
func bounded(text string) string {
	runes := []rune(strings.ToValidUTF8(text, "\uFFFD"))
	return string(runes[:min(len(runes), maxTextLength)])
}
