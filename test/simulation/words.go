package simulation

import (
	"fmt"
	"strings"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/ownership"
)

// The types below format what a trace shows, when it is read.

var fates = [...]string{"answered", "carried out, no reply", "carried out late", "never carried out, no reply", "refused"}

func (f fate) String() string { return fates[f] }

// bidWords summarizes a Bid.
type bidWords struct{ *onebidv1.Bid }

func (b bidWords) String() string {
	if b.Bid == nil {
		return "gone"
	}
	words := []string{string(b.UID), "v" + b.ResourceVersion, string(b.Status.State)}
	if b.DeletionTimestamp != nil {
		words = append(words, "deleting")
	}
	if b.Spec.Withdraw != nil {
		words = append(words, "to be withdrawn")
	}
	if b.Status.Remote != nil {
		words = append(words, "remote "+b.Status.Remote.BidID)
	}
	if a := b.Status.Attempts; a != nil {
		words = append(words, fmt.Sprintf("%s attempt %d", a.Operation, a.Count))
	}
	for _, kind := range []string{
		onebidv1.ConditionAccepted, onebidv1.ConditionPlaced, onebidv1.ConditionWithdrawn, onebidv1.ConditionStalled,
	} {
		if c := meta.FindStatusCondition(b.Status.Conditions, kind); c != nil {
			words = append(words, fmt.Sprintf("%s=%s/%s", kind, c.Status, c.Reason))
		}
	}
	return strings.Join(words, " ")
}

// leaseWords summarizes a posting's Lease.
type leaseWords struct{ *coordinationv1.Lease }

func (l leaseWords) String() string {
	holder := ownership.HolderOf(l.Lease)
	if holder == "" {
		holder = "no one"
	}
	words := fmt.Sprintf("v%s, held by %s for %s", l.ResourceVersion, holder, l.Annotations[onebidv1.AnnotationBidUID])
	intents, err := ownership.ParseIntents(l.Annotations[onebidv1.AnnotationIntent])
	if err != nil {
		words += ", intents unreadable"
	}
	for _, i := range intents {
		words += fmt.Sprintf(", intent %s of %s attempt %d", i.Operation, i.BidUID, i.Attempt)
	}
	if stone, ended, _ := ownership.ParseTombstone(l.Annotations); ended {
		words += fmt.Sprintf(", ended as %q, cooldown until %s", stone.Outcome, stone.CooldownUntil.Format("15:04:05.0"))
	}
	return words
}

// owned names the Bid of an idempotency key.
type owned struct {
	*env
	key string
}

func (o owned) String() string { return o.owner(o.key) }

type shownBids []marketplace.Bid

func (s shownBids) String() string {
	if len(s) == 0 {
		return "nothing"
	}
	words := make([]string, 0, len(s))
	for _, b := range s {
		words = append(words, fmt.Sprintf("%s (%s)", b.ID, b.State))
	}
	return strings.Join(words, ", ")
}
